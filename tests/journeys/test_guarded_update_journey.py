"""The example of guarded updates: boto3, then the core resources of SageMaker's Python SDK 3, unmodified."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from example_runs import EXAMPLES, by, result, run

EXAMPLE = EXAMPLES / "guarded_update"

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_canary_takes_over_and_sdk_3_shifts_once_more(server: Any, tmp_path: Path) -> None:
    found = result(run(server, [sys.executable, str(EXAMPLE / "main.py")], tmp_path))
    assert found["canary"]["new"] >= 5 and found["canary"]["old"] > 0  # exact while the canary is watched
    assert (found["after"], found["configuration"]) == ({"new": 8}, "guarded-new")
    by_sdk_3 = run(server, by("sagemaker3", str(EXAMPLE / "sdk3.py")), tmp_path)
    assert result(by_sdk_3) == {"answer": "newer", "routing": "LINEAR"}
