"""What ``spec`` declares, ``train`` does and ``serve`` answers, on scikit-learn's bundled data."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cloche_jobs.algorithms.xgboost.spec import METRICS
from cloche_jobs.contract.loglines import as_stored

from .conftest import Serve, Train

BINARY = {"objective": "binary:logistic", "num_round": "12", "max_depth": "3"}
IMAGES = ["sagemaker-xgboost:1.7-1", "sagemaker-xgboost:3.0-5", "sagemaker-xgboost:3.2-0"]


def features(text: str) -> bytes:
    return "\n".join(line.split(",", 1)[1] for line in text.splitlines()).encode()


@pytest.mark.parametrize("image", IMAGES)
def test_trains_scrapes_and_serves(
    image: str, train: Train, served: Serve, breast_cancer: dict[str, str], python_of: Callable[[str], Path]
) -> None:
    ended = train(
        {**BINARY, "eval_metric": "auc,logloss,accuracy,f1,error@0.7"},
        {name: {"data.csv": breast_cancer[name]} for name in ("train", "validation")},
        image=image,
    )
    assert ended.exit_code == 0, ended.log
    assert ended.failure == ""
    last = as_stored(ended.output.splitlines()[-1])
    assert last.startswith("[11]#011train-auc:")
    found = {metric.name: metric.find(last) for metric in METRICS if metric.find(last) is not None}
    for name in ("auc", "logloss", "accuracy", "f1"):
        assert {f"train:{name}", f"validation:{name}"} <= set(found)
    assert found["validation:auc"] == ended.column("validation-auc")[-1] > 0.9
    assert ended.column("validation-accuracy")[-1] > 0.85

    rows = features(breast_cancer["test"])
    model = ended.layout.model / "xgboost-model"
    plain = subprocess.run(
        [
            python_of(image),
            "-c",
            "import sys, json, numpy, xgboost\n"
            "booster = xgboost.Booster(); booster.load_model(sys.argv[1])\n"
            "rows = numpy.array([line.split(',') for line in sys.stdin.read().split()], dtype=float)\n"
            "print(json.dumps(booster.predict(xgboost.DMatrix(rows)).tolist()))",
            str(model),
        ],
        input=rows.decode(),
        capture_output=True,
        text=True,
        check=True,
    )
    expected = json.loads(plain.stdout)
    with served(ended.layout, image) as server:
        status, content_type, body = server.ask(rows)
        assert (status, content_type) == (200, "text/csv; charset=utf-8")
        assert [float(value) for value in body.split()] == expected
        assert body.endswith(b"\n")
        one = server.ask(rows.split(b"\n")[0])
        assert one[2] == body.split(b"\n")[0] + b"\n"
        status, content_type, body = server.ask(rows, accept="application/json")
        assert (status, content_type) == (200, "application/json")
        assert [each["score"] for each in json.loads(body)["predictions"]] == expected
        assert server.ask(b"")[0] == 204
        assert server.ask(b"1,a,2")[0] == 415
        assert server.ask(b"1,2\n1")[0] == 415
        assert server.ask(b"x", content_type="image/png")[0] == 415
        assert server.ask(rows, accept="image/png")[0] == 406
        status, _, body = server.ask(b",".join([b"1"] * 31))
        assert status == 400
        assert body.startswith(b"Unable to evaluate payload provided: ")
        assert server.ask(b"1" * 7_000_000)[0] == 413


def test_multi_class_answers_a_row_of_probabilities(train: Train, served: Serve) -> None:
    data = "".join(f"{label},{label * 10 + n},{n % 3}\n" for n in range(9) for label in (0, 1, 2))
    ended = train({"objective": "multi:softprob", "num_class": "3", "num_round": "3"}, {"train": {"d.csv": data}})
    assert ended.exit_code == 0, ended.log
    assert len(ended.column("train-mlogloss")) == 3
    with served(ended.layout) as server:
        body = server.ask(b"0,0\n25,1")[2].decode().splitlines()
        single = server.ask(b"25,1")[2].decode().splitlines()
        scores = json.loads(server.ask(b"25,1", accept="application/json")[2])["predictions"][0]["score"]
    rows = [[float(value) for value in line.split(",")] for line in body]
    assert [max(range(3), key=row.__getitem__) for row in rows] == [0, 2]
    assert single == [body[1]]
    assert scores == rows[1]


def test_libsvm_weights_and_several_files(train: Train) -> None:
    files = {"a": "1:2.0 0:1.5 3:2\n0 1:0.5\n" * 20, "b": "0 2:1 # a remark\n1 0:3\n" * 20}
    with pytest.raises(AssertionError):
        assert train(BINARY, {"train": files}, content_type="text/libsvm").exit_code == 0
    even = {name: text.replace("1:2.0 ", "1 ") for name, text in files.items()}
    ended = train(BINARY, {"train": even}, content_type=None)
    assert ended.exit_code == 0, ended.log
    assert "Train matrix has 80 rows and 4 columns" in ended.log


@pytest.mark.parametrize("first", [0, 1])
def test_libsvm_is_asked_about_as_it_was_trained(train: Train, served: Serve, first: int) -> None:
    """Indices are columns as written on both sides, also where a request leaves the first of them out."""
    rows = [(n % 2, {first: n % 3, first + 1: n % 2, first + 2: n % 5}) for n in range(60)]
    text = "".join(f"{label} {' '.join(f'{at}:{value}' for at, value in row.items())}\n" for label, row in rows)
    ended = train({**BINARY, "objective": "binary:hinge"}, {"train": {"d": text}}, content_type="text/libsvm")
    assert ended.exit_code == 0, ended.log
    whole = "\n".join(line.partition(" ")[2] for line in text.splitlines()).encode()
    with served(ended.layout) as server:
        answers = server.ask(whole, content_type="text/libsvm")[2].split()
        assert [float(answer) for answer in answers] == [label for label, _ in rows]
        for decides in (0, 1):
            assert float(server.ask(b"%d:%d" % (first + 1, decides), content_type="text/libsvm")[2]) == decides


def test_csv_weights_take_the_second_column(train: Train) -> None:
    data = "".join(f"{n % 2},{1 if n % 2 else 100},{n % 5}\n" for n in range(60))
    plain = train(BINARY, {"train": {"d.csv": data}}, folder="plain")
    weighted = train({**BINARY, "csv_weights": "1"}, {"train": {"d.csv": data}}, folder="weighted")
    assert "Train matrix has 60 rows and 2 columns" in plain.log
    assert "Train matrix has 60 rows and 1 columns" in weighted.log
    assert weighted.exit_code == 0


def test_early_stopping_keeps_the_best_round(train: Train, breast_cancer: dict[str, str]) -> None:
    channels = {name: {"d.csv": breast_cancer[name]} for name in ("train", "validation")}
    asked = {**BINARY, "num_round": "300", "eta": "0.9", "early_stopping_rounds": "4", "eval_metric": "logloss"}
    ended = train(asked, channels)
    assert ended.exit_code == 0, ended.log
    losses = ended.column("validation-logloss")
    assert len(losses) < 300
    assert losses.index(min(losses)) == len(losses) - 5


MALFORMED = {
    "text in a cell": ("1,2,3\n0,x,3\n", "d.csv, row 2, column 2: 'x' is not a number."),
    "a row too short": ("1,2,3\n0,2\n", "d.csv, row 2 has 2 columns instead of 3."),
    "no label": ("1,2,3\n,2,3\n", "d.csv, row 2, column 1: the label is missing."),
    "infinite": ("1,2,3\n0,inf,3\n", "d.csv, data row 2, column 2: the value is infinite."),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_csv_names_file_row_and_column(kind: str, train: Train) -> None:
    text, sentence = MALFORMED[kind]
    ended = train(BINARY, {"train": {"d.csv": text}})
    assert ended.exit_code == 1
    assert ended.failure == f"ClientError: Malformed CSV: {sentence}"


WRONG = {
    "no rounds": ({"objective": "binary:logistic"}, "ClientError: Missing required hyperparameter: num_round"),
    "unknown": ({**BINARY, "depth": "3"}, "ClientError: Extraneous hyperparameter found: depth"),
    "labels": ({**BINARY, "objective": "count:poisson"}, "ClientError: "),
}


@pytest.mark.parametrize("kind", WRONG)
def test_customer_errors_are_the_customers(kind: str, train: Train) -> None:
    values, sentence = WRONG[kind]
    ended = train(values, {"train": {"d.csv": "-1,2\n3,4\n"}}, image="sagemaker-xgboost:3.2-0")
    assert ended.exit_code == 1
    assert ended.failure.startswith(sentence), ended.failure


def test_missing_data_and_channels_are_told(train: Train) -> None:
    assert train(BINARY, {"train": {}}).failure.startswith("ClientError: No data in training channel path ")
    other = train(BINARY, {"trian": {"d.csv": "1,2\n"}}, folder="other")
    assert other.failure == "ClientError: Missing required channel: train"
    parquet = train(BINARY, {"train": {"d": "x"}}, content_type="application/x-parquet", folder="parquet")
    assert parquet.failure.startswith("ClientError: Failed to load parquet data with exception:\nd: ")
