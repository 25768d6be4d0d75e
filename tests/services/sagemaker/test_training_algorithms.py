"""The algorithms themselves, through the whole of Cloche: built-in XGBoost and scikit-learn script mode.

Data: Wisconsin breast cancer as scikit-learn bundles it, taken out by the interpreter of the image's environment.
The environments are built on the first run of a machine, which takes a minute; hence ``slow``.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from training_requests import BUCKET, XGBOOST, Bench, channel

from cloche.compute.images import EnvironmentBuilder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
SPLIT = """
import sys
from sklearn.datasets import load_breast_cancer
data = load_breast_cancer()
for name, first in (("train", True), ("validation", False)):
    with open(f"{sys.argv[1]}/{name}.csv", "w") as file:
        for number, (row, label) in enumerate(zip(data.data, data.target)):
            if (number % 4 != 0) == first:
                file.write(",".join([str(label), *map(str, row)]) + "\\n")
"""
JUDGE = """
import json, sys, xgboost
booster = xgboost.Booster()
booster.load_model(sys.argv[1])
rows = [list(map(float, line.split(","))) for line in open(sys.argv[2])]
import numpy
from sklearn.metrics import roc_auc_score
scores = booster.predict(xgboost.DMatrix(numpy.array([row[1:] for row in rows])))
print(json.dumps({"auc": roc_auc_score([row[0] for row in rows], scores), "rounds": booster.num_boosted_rounds()}))
"""


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


@pytest.fixture(scope="module")
def python() -> str:
    return str(EnvironmentBuilder().ensure("xgboost-1.7").python)


@pytest.fixture(scope="module")
def cancer(bench: Bench, python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cancer")
    subprocess.run([python, "-c", SPLIT, str(folder)], check=True)
    for name in ("train", "validation"):
        bench.s3.upload_file(str(folder / f"{name}.csv"), BUCKET, f"cancer/{name}/part.csv")
    return folder


def built_in(**changes: Any) -> dict[str, Any]:
    return {
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "InputDataConfig": [channel("train", "cancer/train"), channel("validation", "cancer/validation")],
        "HyperParameters": {"objective": "binary:logistic", "eval_metric": "auc", "num_round": "25", "max_depth": "3"},
        **changes,
    }


def test_xgboost_learns_breast_cancer(bench: Bench, cancer: Path, python: str, tmp_path: Path) -> None:
    bench.create("cancer", **built_in())
    job = bench.ended("cancer", 300)
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), bench.lines("cancer"))
    metrics = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    assert metrics["validation:auc"] > 0.97
    assert {each["Name"] for each in job["AlgorithmSpecification"]["MetricDefinitions"]} >= {
        "train:auc",
        "validation:auc",
        "validation:rmse",
    }
    rounds = [line for line in bench.lines("cancer") if line.startswith("[") and "#011" in line]
    assert len(rounds) == 25
    judged = judge(bench, job, cancer / "validation.csv", python, tmp_path)
    assert judged["rounds"] == 25
    assert judged["auc"] == pytest.approx(metrics["validation:auc"], abs=1e-4)


def judge(bench: Bench, job: dict[str, Any], rows: Path, python: str, tmp_path: Path) -> dict[str, Any]:
    """What plain xgboost says of the artefact."""
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    body = bench.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        archive.extractall(tmp_path, filter="data")
    command = [python, "-c", JUDGE, str(tmp_path / "xgboost-model"), str(rows)]
    said: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return said


def test_a_malformed_row_is_named(bench: Bench, cancer: Path) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key="cancer/broken/rows.csv", Body=b"1,2.5,3\n0,oops,4\n1,2,3\n")
    bench.create("broken-csv", **built_in(InputDataConfig=[channel("train", "cancer/broken")]))
    job = bench.ended("broken-csv", 300)
    assert job["TrainingJobStatus"] == "Failed"
    reason = job["FailureReason"]
    assert reason.startswith("ClientError: ")
    assert "rows.csv" in reason
    assert "oops" in reason


def test_a_hyperparameter_out_of_range_fails_the_job(bench: Bench, cancer: Path) -> None:
    wrong = {**built_in()["HyperParameters"], "eta": "7"}
    bench.create("wrong-eta", **built_in(HyperParameters=wrong))
    job = bench.ended("wrong-eta", 300)
    assert job["TrainingJobStatus"] == "Failed"
    assert "eta" in job["FailureReason"]


def script_mode(bench: Bench, name: str, source: str) -> dict[str, Any]:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("script.py")
        member.size = len(source)
        archive.addfile(member, io.BytesIO(source.encode()))
    key = f"code/{name}/sourcedir.tar.gz"
    bench.s3.put_object(Bucket=BUCKET, Key=key, Body=packed.getvalue())
    bench.create(
        name,
        AlgorithmSpecification={"TrainingImage": SKLEARN, "TrainingInputMode": "File"},
        InputDataConfig=[channel("train", "cancer/train")],
        HyperParameters={
            "sagemaker_program": '"script.py"',
            "sagemaker_submit_directory": f'"s3://{BUCKET}/{key}"',
            "depth": "3",
        },
    )
    return bench.ended(name, 300)


def test_a_script_is_run(bench: Bench, cancer: Path) -> None:
    source = (
        "import argparse, os, pathlib\n"
        "p = argparse.ArgumentParser(); p.add_argument('--depth', type=int)\n"
        "a = p.parse_args(); folder = pathlib.Path(os.environ['SM_CHANNEL_TRAIN'])\n"
        "rows = sum(len(f.read_text().splitlines()) for f in folder.iterdir())\n"
        "print('rows', rows, 'depth', a.depth)\n"
        "pathlib.Path(os.environ['SM_MODEL_DIR'], 'model.txt').write_text('ok')\n"
    )
    job = script_mode(bench, "script", source)
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), bench.lines("script"))
    assert "rows 426 depth 3" in bench.lines("script")


def test_a_script_that_exits_3(bench: Bench, cancer: Path) -> None:
    job = script_mode(bench, "script-3", "import sys; print('so long'); sys.exit(3)\n")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError")
    assert "ExitCode 3" in job["FailureReason"]
