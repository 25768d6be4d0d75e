"""Unmodified clients, each in an environment of its own, started by ``cloche run`` as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from environments import client_python

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLOCHE = str(Path(sys.executable).with_name("cloche"))

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's breast-cancer data as train/, validation/ and test/ CSV, made in the XGBoost image."""
    folder = tmp_path_factory.mktemp("data")
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    found = subprocess.run([CLOCHE, "images", "python", image], stdout=subprocess.PIPE, text=True, check=True)
    python = found.stdout.strip().splitlines()[-1]
    subprocess.run([python, str(ROOT / "examples/train_and_deploy/prepare.py"), str(folder)], check=True)
    return folder


def run(server: object, command: list[str], tmp_path: Path) -> str:
    """The output of ``cloche run -- command`` against the test server; fails with all of it if it fails."""
    data = str(server.data)  # type: ignore[attr-defined]
    done = subprocess.run(
        [CLOCHE, "run", "--data", data, "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def result(output: str) -> dict[str, float]:
    answer: dict[str, float] = json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
    return answer


def test_sagemaker_sdk_v2(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(HERE / "scripts/sdk2.py")]
    output = run(server, [*script, str(data), str(ROOT / "examples/train_and_deploy/script")], tmp_path)
    answers = result(output)
    assert answers["xgboost_accuracy"] > 0.85
    assert answers["sklearn_accuracy"] > 0.85
    assert "Training job completed" in output
    assert "validation-auc:" in output


def test_sagemaker_sdk_v3(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker3")), "-W", "ignore", str(HERE / "scripts/sdk3.py")]
    answers = result(run(server, [*script, str(data)], tmp_path))
    assert answers["validation:auc"] > 0.9
    assert answers["accuracy"] > 0.85


def test_aws_cli(server: object, data: Path, tmp_path: Path) -> None:
    aws = str(client_python("awscli").with_name("aws"))
    output = run(server, ["bash", str(HERE / "scripts/awscli.sh"), aws, str(data), str(tmp_path)], tmp_path)
    assert "data/train/train.csv" in output
    assert "Completed" in output
    assert "#011validation-auc:" in output or "\tvalidation-auc:" in output
    assert "validation:auc" in output
    assert "xgboost-model" in output
    assert "ValidationException" in output and "Requested resource not found." in output
