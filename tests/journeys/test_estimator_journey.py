"""From an estimator to a prediction, by both SageMaker SDKs."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import EXAMPLES, ROOT, by, impatient, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_sagemaker_sdk_v2(server: object, data: Path, tmp_path: Path) -> None:
    script = impatient("sagemaker2", EXAMPLES / "sagemaker_sdk_v2/main.py")
    output = run(server, [*script, str(data), str(ROOT / "examples/train_and_deploy/script")], tmp_path)
    answers = result(output)
    assert answers["xgboost_accuracy"] > 0.85
    assert answers["sklearn_accuracy"] > 0.85
    assert answers["containers_in_a_row"] == 2
    assert "Training job completed" in output
    assert "validation-auc:" in output


def test_sagemaker_sdk_v3(server: object, data: Path, tmp_path: Path) -> None:
    script = by("sagemaker3", str(EXAMPLES / "sagemaker_sdk_v3/main.py"))
    answers = result(run(server, [*script, str(data)], tmp_path))
    assert answers["validation:auc"] > 0.9
    assert answers["accuracy"] > 0.85
