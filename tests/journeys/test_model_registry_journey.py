"""From a trained model over its approval to an endpoint, by the SageMaker SDK v2."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import EXAMPLES, impatient, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_model_registry(server: object, data: Path, tmp_path: Path) -> None:
    script = impatient("sagemaker2", EXAMPLES / "model_registry/main.py")
    output = run(server, [*script, str(data)], tmp_path)
    answers = result(output)
    assert answers["auc"] > 0.95 and answers["accuracy"] > 0.85
    assert answers["card_versions"] == [2, 1]
    assert "begins with %PDF-" in output
