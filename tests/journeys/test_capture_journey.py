"""Data capture by SageMaker's SDKs, unmodified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_runs import EXAMPLES, impatient, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_example_of_both_sdks(server: Any, tmp_path: Path) -> None:
    first = impatient("sagemaker2", EXAMPLES / "data_capture/main.py")
    found = result(run(server, first, tmp_path))
    assert found["statuses"] == ["Started", "Stopped", "Started"]
    assert found["records"] == ["customer-1", "customer-12", "customer-60", "last"]
    assert found["last"] == ["endpointInput"]
    assert found["answer"] == "0.7500\n"
    then = impatient("sagemaker3", EXAMPLES / "data_capture/sdk3.py", found["model"])
    assert result(run(server, then, tmp_path)) == {"status": "Started", "id": "by SDK 3"}
