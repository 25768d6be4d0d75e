"""Unmodified clients, each in an environment of its own, started by ``cloche run`` as a user would: the examples."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CLOCHE = str(Path(sys.executable).with_name("cloche"))


def run(server: object, command: list[str], tmp_path: Path) -> str:
    """The output of ``cloche run -- command`` against the test server; fails with all of it if it fails."""
    data = str(server.data)  # type: ignore[attr-defined]
    done = subprocess.run(
        [CLOCHE, "run", "--data", data, "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def result(output: str) -> dict[str, float]:
    answer: dict[str, float] = json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
    return answer
