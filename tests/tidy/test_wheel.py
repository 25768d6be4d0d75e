"""What a wheel carries besides the code: all that ``cloche demo drift`` runs, laid out as in a checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CARRIED = ("examples/churn", "examples/churn_loop", "tools/environments.py", "requirements/clients/sagemaker2.txt")


def test_a_wheel_carries_the_demo(tmp_path: Path) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    line = [
        uv,
        "build",
        "--quiet",
        "--wheel",
        "--offline",
        "--no-build-isolation",
        "--out-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run([*line, "--python", sys.executable], check=True)
    (wheel,) = tmp_path.glob("cloche-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        prefix = "cloche/checkout/"
        carried = {name[len(prefix) :]: archive.read(name) for name in archive.namelist() if name.startswith(prefix)}
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *CARRIED],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = {name: (ROOT / name).read_bytes() for name in tracked.stdout.splitlines()}
    assert {"examples/churn_loop/main.py", "examples/churn/steps/prepare.py"} <= expected.keys()
    assert carried == expected
