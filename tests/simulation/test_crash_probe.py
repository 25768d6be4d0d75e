"""A few rounds of the acceptance test for crashes, which lies beside the project where there is one: clients write,
the server (or the power) goes, and every acknowledged object must be there, whole.

The long runs and their figures: docs/reference/durability.md.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = Path(__file__).parents[3] / "shared" / "conformance" / "crash" / "run.py"
ROUNDS = 5
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PROBE.exists(), reason=f"{PROBE} is not there: THE CRASH ACCEPTANCE TEST IS NOT RUN"),
]


@pytest.mark.parametrize("cut", ["kill", "power", "torn"])
def test_no_promise_is_broken(cut: str, tmp_path: Path) -> None:
    if cut != "kill" and not (
        os.geteuid() == 0 and Path("/dev/fuse").exists() and importlib.util.find_spec("mfusepy") is not None
    ):
        pytest.skip("power cuts need root, /dev/fuse, libfuse3 and mfusepy: POWER CUTS ARE NOT TESTED")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = f"{sys.executable} -m cloche.cli.main up --port {{port}} --data {{data}} --any-credentials"
    command = [sys.executable, str(PROBE), "--serve", serve, "--rounds", str(ROUNDS), "--cut", cut]
    ran = subprocess.run(
        [*command, "--port", str(port)],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.rstrip().endswith("\n0 broken promises")
    assert ran.stdout.count(" 0 broken promises") == ROUNDS
