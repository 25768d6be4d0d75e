"""A batch transform job by both SageMaker SDKs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_runs import EXAMPLES, by, impatient, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_batch_transform(server: object, data: Path, tmp_path: Path) -> None:
    script = impatient("sagemaker2", EXAMPLES / "batch_transform/main.py")
    output = run(server, [*script, str(data)], tmp_path)
    found: dict[str, Any] = result(output)
    assert found["accuracy"] > 0.85
    assert found["first"][0] == "patient-0"
    assert "MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD" in output, "the data log is shown"
    script = by("sagemaker3", str(EXAMPLES / "batch_transform/sdk3.py"))
    output = run(server, [*script, found["model"]], tmp_path)
    assert result(output)["status"] == "Completed"
