"""Data capture by SageMaker's SDKs, unmodified: the example, its sleeps cut to a second (SDK 2 polls every thirty)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from environments import client_python

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "data_capture"
CLOCHE = str(Path(sys.executable).with_name("cloche"))
IMPATIENT = """
import runpy, sys, time
whole = time.sleep
time.sleep = lambda seconds: whole(min(seconds, 1))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


def run(server: Any, client: str, *script: str) -> dict[str, Any]:
    command = [str(client_python(client)), "-W", "ignore", "-c", IMPATIENT, *script]
    done = subprocess.run(
        [CLOCHE, "run", "--data", str(server.data), "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    answer: dict[str, Any] = json.loads(done.stdout.rpartition("RESULT ")[2].splitlines()[0])
    return answer


def test_the_example_of_both_sdks(server: Any) -> None:
    found = run(server, "sagemaker2", str(EXAMPLES / "main.py"))
    assert found["statuses"] == ["Started", "Stopped", "Started"]
    assert found["records"] == ["customer-1", "customer-12", "customer-60", "last"]
    assert found["last"] == ["endpointInput"]
    assert found["answer"] == "0.7500\n"
    assert run(server, "sagemaker3", str(EXAMPLES / "sdk3.py"), found["model"]) == {
        "status": "Started",
        "id": "by SDK 3",
    }
