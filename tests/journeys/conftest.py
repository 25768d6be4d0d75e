"""The data that most examples are given."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from example_runs import CLOCHE, ROOT


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's breast-cancer data as train/, validation/ and test/ CSV, made in the XGBoost image."""
    folder = tmp_path_factory.mktemp("data")
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    found = subprocess.run([CLOCHE, "images", "python", image], stdout=subprocess.PIPE, text=True, check=True)
    python = found.stdout.strip().splitlines()[-1]
    subprocess.run([python, str(ROOT / "examples/train_and_deploy/prepare.py"), str(folder)], check=True)
    return folder
