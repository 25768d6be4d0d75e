"""The example of guarded updates: boto3, then the core resources of SageMaker's Python SDK 3, unmodified."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from environments import client_python

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "guarded_update"
CLOCHE = str(Path(sys.executable).with_name("cloche"))

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


def run(server: Any, python: str, script: str) -> dict[str, Any]:
    command = [CLOCHE, "run", "--data", str(server.data), "--", python, "-W", "ignore", str(EXAMPLE / script)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    answer: dict[str, Any] = json.loads(done.stdout.rpartition("RESULT ")[2].splitlines()[0])
    return answer


def test_a_canary_takes_over_and_sdk_3_shifts_once_more(server: Any) -> None:
    found = run(server, sys.executable, "main.py")
    assert found["canary"]["new"] >= 5 and found["canary"]["old"] > 0  # exact while the canary is watched
    assert (found["after"], found["configuration"]) == ({"new": 8}, "guarded-new")
    assert run(server, str(client_python("sagemaker3")), "sdk3.py") == {"answer": "newer", "routing": "LINEAR"}
