"""Processing step: the model is judged on customers it has never seen.

Reads  /opt/ml/processing/model/model.tar.gz, test/*.csv (label first) and report/preparation.json (the columns' names)
Writes /opt/ml/processing/evaluation/evaluation.json   what the registry and the pipeline's condition read
                                     report.html, plots
       /opt/ml/processing/baseline/baseline.csv       the model's scores beside what it was asked, with a header: what
                                                      Model Monitor is to hold an endpoint's traffic against
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import xgboost

from cloche_jobs.analysis.quality.evaluation import evaluate_binary

ROOT = Path("/opt/ml/processing")
SLICED = ("contract=month-to-month", "plan=premium", "international_plan=yes", "tenure_months")


def main():
    with tarfile.open(ROOT / "model" / "model.tar.gz") as archive:
        archive.extract("xgboost-model", ROOT / "model", filter="data")
    booster = xgboost.Booster(model_file=str(ROOT / "model" / "xgboost-model"))
    rows = np.concatenate([np.loadtxt(path, delimiter=",", ndmin=2) for path in (ROOT / "test").glob("*.csv")])
    names = json.loads((ROOT / "report" / "preparation.json").read_text())["features"]
    labels, features = rows[:, 0], rows[:, 1:]
    scores = booster.predict(xgboost.DMatrix(features))
    found = evaluate_binary(
        labels,
        scores,
        columns={name: features[:, names.index(name)] for name in SLICED},
        seed=7,
        title="Customers who leave",
    )
    found.write(str(ROOT / "evaluation"))
    write_baseline(names, scores)
    auc = found.groups["binary_classification_metrics"]["auc"]
    print(f"AUC on {len(labels)} unseen rows: {auc['value']:.4f} (standard deviation {auc['standard_deviation']:.4f})")


def write_baseline(names, scores):
    """The columns as text, as they came: a number with a fraction keeps its point."""
    (ROOT / "baseline").mkdir(exist_ok=True)
    rows = [line.partition(",")[2] for path in (ROOT / "test").glob("*.csv") for line in path.read_text().splitlines()]
    with (ROOT / "baseline" / "baseline.csv").open("w") as file:
        file.write(",".join(["score", *(name.replace("=", "_") for name in names)]) + "\n")
        file.writelines(f"{float(score)},{row}\n" for score, row in zip(scores, rows, strict=True))


if __name__ == "__main__":
    main()
