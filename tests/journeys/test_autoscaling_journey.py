"""The example of auto scaling: boto3, unmodified, and ``cloche clock`` beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "autoscaling"
CLOCHE = Path(sys.executable).with_name("cloche")

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


def test_instances_come_with_the_load_and_go_after_it(start_server: Any) -> None:
    server = start_server()
    command = [str(CLOCHE), "run", "--data", str(server.data), "--", sys.executable, str(EXAMPLE / "main.py")]
    path = f"{CLOCHE.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "CLOCHE_DATA": str(server.data)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    found = json.loads(done.stdout.rpartition("RESULT ")[2])
    assert found["seen"] == [1, 1, 3, 3, 3, 1]
    assert found["told"] == ["Setting desired instance count to 3.", "Setting desired instance count to 1."]
