"""Built-in XGBoost against recorded runs of AWS (``../shared/reference/cases``; skipped where they are not)."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SHARED, Serve, Train

BANK = """
import io, sys, zipfile
import numpy as np, pandas as pd
archive = zipfile.ZipFile(sys.argv[1])
name = next(n for n in archive.namelist() if n.endswith("bank-additional-full.csv") and "__MACOSX" not in n)
text = archive.read(name).decode()
data = pd.read_csv(io.StringIO(text), sep=";" if ";" in text.split("\\n")[0] else ",")
data["no_previous_contact"] = np.where(data["pdays"] == 999, 1, 0)
data["not_working"] = np.where(np.isin(data["job"], ["student", "retired", "unemployed"]), 1, 0)
data = pd.get_dummies(data, dtype=int)
data = data.drop(["duration", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"], axis=1)
shuffled = data.sample(frac=1, random_state=1729)
cuts = [int(0.7 * len(data)), int(0.9 * len(data))]
pieces = (shuffled[: cuts[0]], shuffled[cuts[0] : cuts[1]], shuffled[cuts[1] :])
for name, part in zip(("train", "validation", "test"), pieces):
    whole = pd.concat([part["y_yes"], part.drop(["y_no", "y_yes"], axis=1)], axis=1)
    whole.to_csv(f"{sys.argv[2]}/{name}.csv", index=False, header=False)
"""

WDBC = """
import sys
import pandas as pd
from sklearn.model_selection import train_test_split
data = pd.read_csv(sys.argv[1]).dropna(axis=1, how="all")
data = data.drop(["id", "perimeter_mean", "area_mean", "perimeter_worst", "area_worst"], axis=1)
data["diagnosis"] = data["diagnosis"].map({"B": 0, "M": 1})
data = pd.concat([data["diagnosis"], data.drop("diagnosis", axis=1)], axis=1)
rest, test = train_test_split(data, shuffle=True, test_size=0.10, random_state=42)
train, validation = train_test_split(rest, test_size=0.20, random_state=42)
for name, part in (("train", train), ("validation", validation), ("test", test)):
    part.to_csv(f"{sys.argv[2]}/{name}.csv", index=False, header=False)
"""


def prepared(python: Path, source: str, data: Path, folder: Path) -> dict[str, str]:
    if not data.exists():
        pytest.skip(f"the case's data are not on this machine ({data})")
    folder.mkdir()
    subprocess.run([python, "-W", "ignore", "-c", source, str(data), str(folder)], check=True)
    return {name: (folder / f"{name}.csv").read_text() for name in ("train", "validation", "test")}


def split_label(text: str) -> tuple[list[float], bytes]:
    rows = [line.split(",", 1) for line in text.splitlines()]
    return [float(label) for label, _ in rows], "\n".join(rest for _, rest in rows).encode()


@pytest.mark.slow
def test_direct_marketing_equals_aws_in_all_rounds(
    case: Callable[[str], Path], train: Train, served: Serve, python_of: Callable[[str], Path], tmp_path: Path
) -> None:
    expected = json.loads((case("xgb-01-direct-marketing") / "expected" / "metrics_per_round.json").read_text())
    python = python_of("sagemaker-xgboost:1.2-1")
    parts = prepared(python, BANK, SHARED / "data" / "bank-additional.zip", tmp_path / "bank")
    ended = train(
        {
            "max_depth": "5",
            "eta": "0.2",
            "gamma": "4",
            "min_child_weight": "6",
            "subsample": "0.8",
            "objective": "binary:logistic",
            "num_round": "100",
        },
        {name: {f"{name}.csv": parts[name]} for name in ("train", "validation")},
        image="sagemaker-xgboost:1.2-1",
    )
    assert ended.exit_code == 0, ended.log
    assert "Train matrix has 28831 rows and 59 columns" in ended.log
    assert "Validation matrix has 8238 rows" in ended.log
    assert ended.column("train-error") == [each["train-error"] for each in expected]
    assert ended.column("validation-error") == [each["validation-error"] for each in expected]
    labels, rows = split_label(parts["test"])
    with served(ended.layout, "sagemaker-xgboost:1.2-1") as server:
        status, _, body = server.ask(rows)
    assert status == 200
    matrix = [[0, 0], [0, 0]]
    for label, score in zip(labels, body.split(b","), strict=True):
        matrix[int(label)][round(float(score))] += 1
    assert matrix == [[3587, 49], [387, 96]]


def test_breast_cancer_is_close_to_aws(
    case: Callable[[str], Path], train: Train, served: Serve, python_of: Callable[[str], Path], tmp_path: Path
) -> None:
    expected = json.loads((case("xgb-03-breast-cancer") / "expected" / "predictions.json").read_text())
    python = python_of("xgboost:1")
    parts = prepared(python, WDBC, SHARED / "data" / "breast-cancer-wdbc.csv", tmp_path / "wdbc")
    ended = train(
        {
            "max_depth": "7",
            "eta": "0.1",
            "gamma": "4",
            "min_child_weight": "6",
            "subsample": "0.8",
            "objective": "binary:logistic",
            "num_round": "100",
        },
        {name: {f"{name}.csv": parts[name]} for name in ("train", "validation")},
        image="xgboost:1",
    )
    assert ended.exit_code == 0, ended.log
    with served(ended.layout, "xgboost:1") as server:
        body = server.ask(split_label(parts["test"])[1])[2]
    scores = [float(value) for value in body.split(b",")]
    differences = [abs(a - b) for a, b in zip(scores, expected, strict=True)]
    assert sum(differences) / len(differences) < 0.02
    assert max(differences) < 0.12
    assert sum((a > 0.5) == (b > 0.5) for a, b in zip(scores, expected, strict=True)) >= 55
    assert abs(ended.column("train-error")[-1] - 0.012225) < 0.02
    assert abs(ended.column("validation-error")[-1] - 0.048544) < 0.02


def test_header_row_is_a_row_as_on_aws(case: Callable[[str], Path], train: Train, served: Serve) -> None:
    folder = case("xgb-04-header-row")
    with (folder / "expected" / "train_error.csv").open() as stream:
        expected = [float(row["train_error"]) for row in csv.DictReader(stream)]
    ended = train(
        {"objective": "binary:logistic", "max_depth": "8", "eta": "0.1", "min_child_weight": "4", "num_round": "500"},
        {"train": {"training_data.csv": (folder / "input" / "training_data.csv").read_text()}},
        image="sagemaker-xgboost:1.2-1",
        content_type="csv",
    )
    assert ended.exit_code == 0, ended.log
    assert "Train matrix has 601 rows and 6 columns" in ended.log
    assert "looks like a header" in ended.log
    assert ended.column("train-error") == expected
    with served(ended.layout, "sagemaker-xgboost:1.2-1") as server:
        body = server.ask(b"1,92,83,86,96,67\n1,92,-83.3,86,-96,67")[2]
    assert [float(value) for value in body.split(b",")] == pytest.approx([0.9916712, 0.7167923], abs=5e-8)
