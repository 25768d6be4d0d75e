"""A few rounds of the acceptance test for crashes, which lies beside the project where there is one, with all work at
once: clients write, the server (or the power) goes, and everything acknowledged must be there, whole.

The long runs (``make crash ROUNDS=500``) and their figures: docs/reference/durability.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = Path(__file__).parents[3] / "shared" / "conformance" / "crash" / "run.py"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
WITH_FUSE = CACHE / "cloche-crash" / "bin" / "python"
"""Made by ``make crash``."""
ROUNDS = 3
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PROBE.exists(), reason=f"{PROBE} is not there: THE CRASH ACCEPTANCE TEST IS NOT RUN"),
]


@pytest.mark.parametrize("cut", ["kill", "power", "torn"])
def test_no_promise_is_broken(cut: str, tmp_path: Path) -> None:
    if cut != "kill" and not (os.geteuid() == 0 and Path("/dev/fuse").exists() and WITH_FUSE.exists()):
        pytest.skip("power cuts need root, /dev/fuse, libfuse3 and what `make crash` installs: THEY ARE NOT TESTED")
    script = Path(__file__).parent / "crash" / "rounds.py"
    command = [sys.executable, str(script), "--rounds", str(ROUNDS), "--cut", cut, "--fuse-python", str(WITH_FUSE)]
    ran = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.rstrip().endswith("\n0 broken promises")
    assert ran.stdout.count(" 0 broken promises") == ROUNDS
