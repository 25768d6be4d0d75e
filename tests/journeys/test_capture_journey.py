"""Data capture by SageMaker's SDKs, unmodified: the example, its sleeps cut to a second (SDK 2 polls every thirty)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_runs import EXAMPLES, by, result, run

IMPATIENT = """
import runpy, sys, time
whole = time.sleep
time.sleep = lambda seconds: whole(min(seconds, 1))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_example_of_both_sdks(server: Any, tmp_path: Path) -> None:
    first = by("sagemaker2", "-c", IMPATIENT, str(EXAMPLES / "data_capture/main.py"))
    found = result(run(server, first, tmp_path))
    assert found["statuses"] == ["Started", "Stopped", "Started"]
    assert found["records"] == ["customer-1", "customer-12", "customer-60", "last"]
    assert found["last"] == ["endpointInput"]
    assert found["answer"] == "0.7500\n"
    then = by("sagemaker3", "-c", IMPATIENT, str(EXAMPLES / "data_capture/sdk3.py"), found["model"])
    assert result(run(server, then, tmp_path)) == {"status": "Started", "id": "by SDK 3"}
