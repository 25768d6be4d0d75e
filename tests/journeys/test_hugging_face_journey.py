"""A Hugging Face model is trained and asked by the SageMaker SDK v2."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import EXAMPLES, impatient, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_hugging_face_by_the_sdk_v2(server: object, tmp_path: Path) -> None:
    script = impatient("sagemaker2", EXAMPLES / "huggingface/main.py")
    output = run(server, script, tmp_path)
    assert '"labels": ["friendly", "cross"]' in output
    assert "transformers 4.57 stands in for 4.48, torch 2.13 for 2.3" in output
