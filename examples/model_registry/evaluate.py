"""Runs inside a processing job: the model's scores on rows it has not seen become ``evaluation.json`` and plots."""

import tarfile
from pathlib import Path

import numpy as np
import xgboost

from cloche_jobs.analysis.quality.evaluation import evaluate_binary

ROOT = Path("/opt/ml/processing")

with tarfile.open(next((ROOT / "model").glob("*.tar.gz"))) as archive:
    archive.extractall(ROOT / "model", filter="data")
booster = xgboost.Booster(model_file=str(ROOT / "model" / "xgboost-model"))
rows = np.loadtxt(next((ROOT / "test").glob("*.csv")), delimiter=",")
labels, features = rows[:, 0], rows[:, 1:]
scores = booster.predict(xgboost.DMatrix(features))
evaluate_binary(labels, scores, columns={"mean radius": features[:, 0]}).write(ROOT / "evaluation")
