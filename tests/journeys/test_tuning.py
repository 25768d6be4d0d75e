"""SageMaker's SDKs tune as their users write it: the examples, in environments of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import EXAMPLES, by, impatient, result, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]
SCRIPT = EXAMPLES / "train_and_deploy" / "script"


def test_sagemaker_sdk_v2_tunes(server: object, data: Path, tmp_path: Path) -> None:
    line = impatient("sagemaker2", EXAMPLES / "tuning/main.py", str(data), str(SCRIPT))
    answers = result(run(server, line, tmp_path))
    assert 0.9 < answers["best"] <= answers["overall"] + 1e-6 <= 1 + 1e-6


def test_sagemaker_sdk_v3_tunes(server: object, data: Path, tmp_path: Path) -> None:
    line = by("sagemaker3", str(EXAMPLES / "tuning/sdk3.py"), str(data), str(SCRIPT))
    answers = result(run(server, line, tmp_path))
    assert answers["boosted"] > 0.9 and answers["linear"] == 2
