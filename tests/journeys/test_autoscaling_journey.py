"""The example of auto scaling: boto3, unmodified, and ``cloche clock`` beside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from example_runs import CLOCHE, EXAMPLES, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


def test_instances_come_with_the_load_and_go_after_it(start_server: Any, tmp_path: Path) -> None:
    server = start_server()
    command = [sys.executable, str(EXAMPLES / "autoscaling/main.py")]
    path = f"{Path(CLOCHE).parent}{os.pathsep}{os.environ['PATH']}"
    found = result(run(server, command, tmp_path, PATH=path, CLOCHE_DATA=str(server.data)))
    assert found["seen"] == [1, 1, 3, 3, 3, 1]
    assert found["told"] == ["Setting desired instance count to 3.", "Setting desired instance count to 1."]
