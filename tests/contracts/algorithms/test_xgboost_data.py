"""Every form of data trains the same model, through files and pipes; and what is in it that cannot be is named."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cloche_jobs.data.record import Record, Tensor, read_records, write_records

from .conftest import Serve, Train

HYPERPARAMETERS = {"objective": "binary:logistic", "num_round": "5", "max_depth": "3", "eval_metric": "logloss"}
PARQUET = """
import sys
import numpy, pyarrow
from pyarrow import parquet
rows = numpy.loadtxt(sys.stdin, delimiter=",")
names = [f"f{number}" for number in range(rows.shape[1])]
half = len(rows) // 2
for name, part in (("one", rows[:half]), ("two", rows[half:])):
    columns = [pyarrow.array(part[:, 0].astype("int64"))] + [pyarrow.array(part[:, n]) for n in range(1, rows.shape[1])]
    parquet.write_table(pyarrow.table(columns, names=names), f"{sys.argv[1]}/{name}.parquet")
"""
TYPED = """
import sys
from decimal import Decimal
import pyarrow
from pyarrow import parquet
parquet.write_table(pyarrow.table({
    "label": [True, False, True, False], "small": pyarrow.array([1, None, 3, 4], pyarrow.int8()),
    "money": [Decimal("1.5"), Decimal("2.5"), None, Decimal("4.5")], "nothing": pyarrow.nulls(4),
}), sys.argv[1] + "/typed.parquet")
parquet.write_table(pyarrow.table({"label": [1, 0], "name": ["a", "b"]}), sys.argv[1] + "/text.parquet")
"""


def rows_of(text: str) -> list[list[float]]:
    return [[float(cell) for cell in line.split(",")] for line in text.splitlines()]


def protobuf(rows: Iterable[list[float]], *, sparse: bool = False) -> bytes:
    """Label first. Sparse leaves out nothing here: the same table is meant."""
    stream = io.BytesIO()
    keys = range(len(next(iter(rows))) - 1) if sparse else ()
    write_records(
        (
            Record(
                {"values": Tensor.of("float32", row[1:], keys=keys, shape=(len(row) - 1,) if sparse else ())},
                {"values": Tensor.of("float32", row[:1])},
            )
            for row in rows
        ),
        stream,
    )
    return stream.getvalue()


@pytest.fixture
def parquet(tmp_path: Path, python_of: Callable[[str], Path], breast_cancer: dict[str, str]) -> dict[str, bytes]:
    python = python_of("sagemaker-xgboost:1.7-1")
    subprocess.run([python, "-c", PARQUET, tmp_path], input=breast_cancer["train"], text=True, check=True)
    return {path.name: path.read_bytes() for path in sorted(tmp_path.glob("*.parquet"))}


def test_all_forms_and_ways_train_one_model(
    train: Train, breast_cancer: dict[str, str], parquet: dict[str, bytes]
) -> None:
    rows = rows_of(breast_cancer["train"])
    given = {
        "text/csv; label_size=1": {"a.csv": breast_cancer["train"]},
        "application/x-parquet": parquet,
        "application/x-recordio-protobuf": {"a": protobuf(rows[:150]), "b": protobuf(rows[150:])},
        "recordio-protobuf": {"sparse": protobuf(rows, sparse=True)},
    }
    losses = {}
    for number, (content_type, files) in enumerate(given.items()):
        for mode in ("File", "Pipe"):
            ended = train(
                HYPERPARAMETERS,
                {"train": files},
                content_type=content_type,
                input_mode=mode,
                folder=f"{mode}-{number}",
            )
            assert ended.exit_code == 0, ended.log
            assert "Train matrix has 400 rows and 30 columns" in ended.log
            losses[content_type, mode] = ended.column("train-logloss")
    assert len(losses) == 8
    assert {tuple(each) for each in losses.values()} == {tuple(losses["text/csv; label_size=1", "File"])}


def test_parquet_of_other_numbers_and_of_none(train: Train, tmp_path: Path, python_of: Callable[[str], Path]) -> None:
    subprocess.run([python_of("sagemaker-xgboost:1.7-1"), "-c", TYPED, tmp_path], check=True)
    typed = train(
        HYPERPARAMETERS,
        {"train": {"typed": (tmp_path / "typed.parquet").read_bytes()}},
        content_type="application/x-parquet",
    )
    assert typed.exit_code == 0, typed.log
    assert "Train matrix has 4 rows and 3 columns" in typed.log
    text = train(
        HYPERPARAMETERS,
        {"train": {"text": (tmp_path / "text.parquet").read_bytes()}},
        content_type="application/x-parquet",
        folder="text",
    )
    assert text.failure == (
        "ClientError: Failed to load parquet data with exception:\ntext: column 'name' holds string, not numbers"
    )


UNLABELLED = Record({"values": Tensor.of("float32", [1, 2])})
RAGGED = [[1, 1, 2, 3], [0, 1, 2]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "No data in training channel path"),
        (b"no records at all", "d is no RecordIO"),
        (protobuf([[1, 2, 3]])[:-4], "d ends at byte"),
        (protobuf([[1, 2, 3], [float("nan"), 2, 3]]), "d, record 2: the label is missing or infinite."),
    ],
    ids=["empty", "text", "cut", "no label"],
)
def test_protobuf_that_is_none(content: bytes, why: str, train: Train) -> None:
    ended = train(HYPERPARAMETERS, {"train": {"d": content}}, content_type="application/x-recordio-protobuf")
    assert ended.failure.startswith(f"ClientError: {why}")


def test_records_that_do_not_go_together(train: Train) -> None:
    stream = io.BytesIO()
    write_records([UNLABELLED], stream)
    kind = "application/x-recordio-protobuf"
    ended = train(HYPERPARAMETERS, {"train": {"d": stream.getvalue()}}, content_type=kind)
    assert ended.failure.startswith("ClientError: d, record 1: Got input data without labels.")
    ragged = b"".join(protobuf([row]) for row in RAGGED)
    ended = train(HYPERPARAMETERS, {"train": {"d": ragged}}, content_type=kind, folder="ragged")
    assert ended.failure == "ClientError: Record 2 has 2 values where the first has 3."


def test_pipes_are_read_as_awss_images_do(train: Train) -> None:
    text = {"train": {"d": "1,2\n0,3\n"}}
    libsvm = train(HYPERPARAMETERS, text, content_type="text/libsvm", input_mode="Pipe")
    assert libsvm.failure.startswith("ClientError: Channel configuration for 'train' channel is not supported: ")
    newest = train(HYPERPARAMETERS, text, image="sagemaker-xgboost:3.2-0", input_mode="Pipe", folder="newest")
    assert newest.failure == (
        "ClientError: Pipe mode for CSV is no longer supported. Please use Fast File mode (default) instead. "
        "Set input_mode='File' in your SageMaker Estimator or TrainingInput."
    )


def test_the_log_says_what_stands_in(train: Train) -> None:
    ended = train(HYPERPARAMETERS, {"train": {"d": "1,2\n0,3\n"}}, image="sagemaker-xgboost:1.2-1")
    assert "sagemaker-xgboost:1.2-1 runs on xgboost 1.7.6: 1.7.6 stands in for 1.2" in ended.log


def test_older_images_pickle_their_models(train: Train, served: Serve, python_of: Callable[[str], Path]) -> None:
    """Up to 1.2-2; the evaluation of AWS's public pipelines, all on 1.0-1, unpickles them."""
    image, read = "sagemaker-xgboost:1.0-1", "import pickle, sys; print(type(pickle.load(open(sys.argv[1], 'rb'))))"
    ended = train(HYPERPARAMETERS, {"train": {"d": "1,2\n0,3\n"}}, image=image)
    model = ended.layout.model / "xgboost-model"
    shown = subprocess.run([python_of(image), "-c", read, model], check=True, capture_output=True, text=True).stdout
    assert shown == "<class 'xgboost.core.Booster'>\n"
    with served(ended.layout, image) as server:
        assert server.ask(b"2")[0] == 200


def test_the_same_file_in_both_channels_is_warned_of(train: Train) -> None:
    files = {"d.csv": "1,2\n0,3\n"}
    ended = train(HYPERPARAMETERS, {"train": files, "validation": files})
    assert ended.exit_code == 0
    assert "Suspected identical files found. (d.csv in both channels with same size 8 bytes)" in ended.log


def test_folds_leave_every_booster_and_what_it_had_not_seen(
    train: Train, served: Serve, breast_cancer: dict[str, str]
) -> None:
    asked = {**HYPERPARAMETERS, "_kfold": "3", "_num_cv_round": "2", "seed": "5"}
    channels = {name: {f"{name}.csv": breast_cancer[name]} for name in ("train", "validation")}
    ended = train(asked, channels)
    assert ended.exit_code == 0, ended.log
    assert sorted(path.name for path in ended.layout.model.iterdir()) == [f"xgboost-model-{n}" for n in range(6)]
    assert "Run 2-round of 3-fold cross validation with 500 rows" in ended.log
    means = [line for line in ended.output.splitlines() if line.startswith("[5]")]
    assert len(means) == 3
    assert means[0].startswith("[5]\ttrain-logloss:")
    assert "\tvalidation-logloss:" in means[0]
    predicted = rows_of((ended.layout.output_data / "predictions.csv").read_text())
    assert [row[0] for row in predicted] == [row[0] for row in rows_of(breast_cancer["train"])] + [
        row[0] for row in rows_of(breast_cancer["validation"])
    ]
    assert sum(label == guess for label, _, guess in predicted) > 0.85 * len(predicted)
    again = train(asked, channels, folder="again")
    assert again.output == ended.output
    row = breast_cancer["test"].splitlines()[0].split(",", 1)[1].encode()
    with served(ended.layout) as server:
        assert server.ask(row)[0] == 200


def test_folds_that_cannot_be_dealt(train: Train) -> None:
    ended = train({**HYPERPARAMETERS, "_kfold": "9"}, {"train": {"d.csv": "1,2\n0,3\n"}})
    assert ended.failure.startswith("ClientError: The data cannot be dealt into 9 folds: ")


# -- answers -------------------------------------------------------------------------------------------------


def test_protobuf_is_asked_and_answered(train: Train, served: Serve, breast_cancer: dict[str, str]) -> None:
    ended = train(HYPERPARAMETERS, {"train": {"d.csv": breast_cancer["train"]}})
    rows = rows_of(breast_cancer["test"])[:5]
    text = "\n".join(",".join(map(repr, row[1:])) for row in rows).encode()
    kind = "application/x-recordio-protobuf"
    with served(ended.layout) as server:
        plain = server.ask(text)[2]
        assert server.ask(protobuf(rows), kind)[2] == plain
        assert server.ask(protobuf(rows, sparse=True), kind)[2] == plain
        status, _, body = server.ask(b"nonsense", kind)
        assert (status, body.startswith(b"Loading recordio-protobuf data failed with Exception")) == (415, True)
        assert server.ask(text, "application/x-parquet")[0] == 415
        assert server.ask(text, accept="application/jsonlines")[0] == 406


def test_what_is_selected_is_answered(train: Train, served: Serve, breast_cancer: dict[str, str]) -> None:
    ended = train(HYPERPARAMETERS, {"train": {"d.csv": breast_cancer["train"]}})
    row = breast_cancer["test"].splitlines()[0].split(",", 1)[1].encode()
    keys = "predicted_label, labels,probability,probabilities,raw_score,raw_scores"
    with served(ended.layout) as server:
        chance = float(server.ask(row)[2])
    both = [1.0 - chance, chance]
    expected = {
        "predicted_label": int(chance > 0.5),
        "labels": [0, 1],
        "probability": chance,
        "probabilities": both,
        "raw_score": chance,
        "raw_scores": both,
    }
    with served(ended.layout, request={"SAGEMAKER_INFERENCE_OUTPUT": keys}) as server:
        assert json.loads(server.ask(row, accept="application/json")[2]) == {"predictions": [expected]}
        lines = server.ask(row + b"\n" + row, accept="application/jsonlines")
        assert lines[1] == "application/jsonlines"
        assert [json.loads(line) for line in lines[2].splitlines()] == [expected, expected]
        text = f'{int(chance > 0.5)},"[0, 1]",{chance},"{both}",{chance},"{both}"'
        assert server.ask(row)[2].decode() == text
        (record,) = read_records(io.BytesIO(server.ask(row, accept="application/x-recordio-protobuf")[2]))
        label = record.label["probabilities"]
        assert isinstance(label, Tensor)
        assert list(label.values) == pytest.approx(both)
    with served(ended.layout, request={"SAGEMAKER_INFERENCE_OUTPUT": "predicted_score,probability"}) as server:
        assert server.ask(row)[2].decode() == f"nan,{chance}"


def test_several_classes_and_scores_are_selected_too(train: Train, served: Serve) -> None:
    rows = "".join(f"{n % 3},{n % 3},{n}\n" for n in range(30))
    asked = {"objective": "multi:softprob", "num_class": "3", "num_round": "5"}
    ended = train(asked, {"train": {"d.csv": rows}})
    with served(ended.layout, request={"SAGEMAKER_INFERENCE_OUTPUT": "labels,predicted_label,probability"}) as server:
        (answer,) = json.loads(server.ask(b"2,5", accept="application/json")[2])["predictions"]
        assert (answer["labels"], answer["predicted_label"]) == ([0, 1, 2], 2)
        assert 1 / 3 < answer["probability"] < 1
    scored = train({"num_round": "5", "objective": "reg:squarederror"}, {"train": {"d.csv": rows}}, folder="scored")
    with served(scored.layout, request={"SAGEMAKER_INFERENCE_OUTPUT": "predicted_score"}) as server:
        (score,) = json.loads(server.ask(b"2,5", accept="application/json")[2])["predictions"]
        assert list(score) == ["predicted_score"]
    counted = train({"num_round": "5", "objective": "count:poisson"}, {"train": {"d.csv": rows}}, folder="counted")
    with served(counted.layout, request={"SAGEMAKER_INFERENCE_OUTPUT": "predicted_score"}) as server:
        status, _, body = server.ask(b"2,5")
        assert status == 500
        assert body == b"Objective `count:poisson` unsupported for selectable inference predictions."
