"""A processing script with a module beside it: a logistic model's accuracy as evaluation.json."""

import json
from pathlib import Path

from sets import read
from sklearn.linear_model import LogisticRegression

root = Path("/opt/ml/processing")
model = LogisticRegression(max_iter=500).fit(*read(root / "input" / "train"))
accuracy = model.score(*read(root / "input" / "test"))
report = {"binary_classification_metrics": {"accuracy": {"value": accuracy, "standard_deviation": "NaN"}}}
(root / "output" / "report" / "evaluation.json").write_text(json.dumps(report))
print(f"accuracy {accuracy:.3f}")
