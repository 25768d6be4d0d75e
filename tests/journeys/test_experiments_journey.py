"""Experiments and lineage by unmodified SDKs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from environments import client_python

ROOT = Path(__file__).resolve().parents[2]
CLOCHE = str(Path(sys.executable).with_name("cloche"))

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def run(server: object, *command: str, cwd: Path) -> str:
    data = str(server.data)  # type: ignore[attr-defined]
    done = subprocess.run(
        [CLOCHE, "run", "--data", data, "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def test_runs_of_sdk_v2(server: object, tmp_path: Path) -> None:
    script = str(ROOT / "examples/experiments/main.py")
    output = run(server, str(client_python("sagemaker2")), "-W", "ignore", script, cwd=tmp_path)
    answers = json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
    assert answers["runs"] == 3 and answers["best_rate"] == 1.0 and 0 < answers["loss"] < 0.6
