"""The AWS CLI."""

from __future__ import annotations

from pathlib import Path

import pytest
from environments import client_python
from example_runs import EXAMPLES, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_aws_cli(server: object, data: Path, tmp_path: Path) -> None:
    aws = str(client_python("awscli").with_name("aws"))
    output = run(server, ["bash", str(EXAMPLES / "aws_cli/main.sh"), aws, str(data), str(tmp_path)], tmp_path)
    assert "data/train/train.csv" in output
    assert "Completed" in output
    assert "#011validation-auc:" in output or "\tvalidation-auc:" in output
    assert "validation:auc" in output
    assert "rounds=5" in output
    assert "xgboost-model" in output
    assert "ValidationException" in output and "Requested resource not found." in output
