"""A pipeline of both SageMaker SDKs, with a condition that does not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_runs import EXAMPLES, by, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_pipelines(server: object, data: Path, tmp_path: Path) -> None:
    script = by("sagemaker2", str(EXAMPLES / "pipeline/main.py"))
    output = run(server, [*script, str(data)], tmp_path)
    found: dict[str, Any] = result(output)
    assert found["steps"] == ["Evaluate", "Judge", "Prepare", "Register-RegisterModel", "Train"]
    assert found["package"].endswith(":model-package/breast-cancer/1")
    assert found["refused"].startswith("The AUC 0.9") and found["refused"].endswith(" is below 0.99999")
    assert {"Name": "WantedAuc", "Value": "0.99999"} in found["parameters"]
    script = by("sagemaker3", str(EXAMPLES / "pipeline/sdk3.py"))
    output = run(server, [*script, str(data)], tmp_path)
    assert result(output) == {
        "good": {"status": "Succeeded", "steps": {"Judge": False, "Train": False}},
        "again": {"status": "Succeeded", "steps": {"Judge": False, "Train": True}},
        "bad": {"status": "CompletedWithFailures", "steps": {"AfterFailure": False, "Train": False}},
    }
