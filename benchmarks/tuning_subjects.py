"""Programs that ``benchmarks/tuning.py`` runs with the XGBoost image's interpreter.

python tuning_subjects.py data FOLDER [TELCO]     train.csv and validation.csv: label first, no header
python tuning_subjects.py judge FOLDER            a line of hyperparameters in, a line with the validation AUC out
python tuning_subjects.py train FOLDER MODEL …    one training as a person's own script does it
"""

from __future__ import annotations

import json
import random
import runpy
import sys
from pathlib import Path
from typing import Any

ROUNDS = 60
FIXED = {"objective": "binary:logistic", "eval_metric": "auc", "nthread": 1, "seed": 0}


def write_data(folder: Path, telco: Path | None) -> None:
    for name in ("train", "validation"):
        if telco is not None:
            part = "training" if name == "train" else "validation"
            rows = (telco / f"{part}-dataset-with-header.csv").read_text().splitlines()[1:]
        else:
            rows = _generated(2400 if name == "train" else 700, 1 if name == "train" else 2)
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")


def _generated(count: int, seed: int) -> list[str]:
    """The project's synthetic customers, numbers as they are, words by their place in the alphabet."""
    generator = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "churn" / "generator.py"))
    rows = [dict(row) for row in generator["rows"](count, seed)]
    dice, label = random.Random(seed), generator["leaving"]
    words = sorted({value for row in rows for value in row.values() if isinstance(value, str)})
    numbers = [[words.index(v) if isinstance(v, str) else v for v in row.values()] for row in rows]
    return [
        ",".join(map(str, [int(dice.random() < label(row)), *cells])) for row, cells in zip(rows, numbers, strict=True)
    ]


def judge(folder: Path) -> None:
    import numpy
    import xgboost

    sets = {}
    for name in ("train", "validation"):
        table = numpy.loadtxt(folder / f"{name}.csv", delimiter=",")
        sets[name] = xgboost.DMatrix(table[:, 1:], label=table[:, 0])
    for line in sys.stdin:
        told: dict[str, Any] = {}
        given = {**FIXED, **json.loads(line)}
        watched = [(sets["validation"], "validation")]
        xgboost.train(given, sets["train"], ROUNDS, evals=watched, evals_result=told, verbose_eval=False)
        print(told["validation"]["auc"][-1], flush=True)


def train(folder: Path, model: Path, given: dict[str, Any]) -> None:
    import pandas
    import xgboost

    tables = {name: pandas.read_csv(folder / f"{name}.csv", header=None) for name in ("train", "validation")}
    sets = {name: xgboost.DMatrix(table.iloc[:, 1:], label=table.iloc[:, 0]) for name, table in tables.items()}
    made = xgboost.train({**FIXED, **given}, sets["train"], ROUNDS, evals=[(sets[n], n) for n in sets])
    made.save_model(model)


if __name__ == "__main__":
    what, folder, *rest = sys.argv[1:]
    if what == "data":
        write_data(Path(folder), Path(rest[0]) if rest else None)
    elif what == "judge":
        judge(Path(folder))
    else:
        train(Path(folder), Path(rest[0]), json.loads(rest[1]))
