"""Judges the model on the test rows, in the form of the registry's model metrics."""

import json
import tarfile
from pathlib import Path

import numpy as np
import xgboost
from sklearn.metrics import roc_auc_score

ML = Path("/opt/ml/processing")
with tarfile.open(ML / "model/model.tar.gz") as archive:
    archive.extractall(ML / "model", filter="data")
model = xgboost.Booster()
model.load_model(ML / "model/xgboost-model")
rows = np.loadtxt(ML / "test/test.csv", delimiter=",")
scores = model.predict(xgboost.DMatrix(rows[:, 1:]))
auc = float(roc_auc_score(rows[:, 0], scores))
report = {"binary_classification_metrics": {"auc": {"value": auc, "standard_deviation": "NaN"}}}
(ML / "evaluation/evaluation.json").write_text(json.dumps(report))
print(f"auc {auc:.4f}")
