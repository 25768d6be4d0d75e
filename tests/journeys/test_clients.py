"""Unmodified clients, each in an environment of its own, started by ``cloche run`` as a user would: the examples."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from environments import client_python

from cloche.compute.images import EnvironmentBuilder
from cloche.compute.local.sandbox import bubblewrap
from cloche.jobs.java import java_home
from cloche_jobs import catalog

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CLOCHE = str(Path(sys.executable).with_name("cloche"))

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's breast-cancer data as train/, validation/ and test/ CSV, made in the XGBoost image."""
    folder = tmp_path_factory.mktemp("data")
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    found = subprocess.run([CLOCHE, "images", "python", image], stdout=subprocess.PIPE, text=True, check=True)
    python = found.stdout.strip().splitlines()[-1]
    subprocess.run([python, str(ROOT / "examples/train_and_deploy/prepare.py"), str(folder)], check=True)
    return folder


def run(server: object, command: list[str], tmp_path: Path) -> str:
    """The output of ``cloche run -- command`` against the test server; fails with all of it if it fails."""
    data = str(server.data)  # type: ignore[attr-defined]
    done = subprocess.run(
        [CLOCHE, "run", "--data", data, "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def result(output: str) -> dict[str, float]:
    answer: dict[str, float] = json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
    return answer


def test_sagemaker_sdk_v2(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "sagemaker_sdk_v2/main.py")]
    output = run(server, [*script, str(data), str(ROOT / "examples/train_and_deploy/script")], tmp_path)
    answers = result(output)
    assert answers["xgboost_accuracy"] > 0.85
    assert answers["sklearn_accuracy"] > 0.85
    assert "Training job completed" in output
    assert "validation-auc:" in output


def test_sagemaker_sdk_v3(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker3")), "-W", "ignore", str(EXAMPLES / "sagemaker_sdk_v3/main.py")]
    answers = result(run(server, [*script, str(data)], tmp_path))
    assert answers["validation:auc"] > 0.9
    assert answers["accuracy"] > 0.85


def test_batch_transform(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "batch_transform/main.py")]
    output = run(server, [*script, str(data)], tmp_path)
    found: dict[str, Any] = json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
    assert found["accuracy"] > 0.85
    assert found["first"][0] == "patient-0"
    assert "MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD" in output, "the data log is shown"
    script = [str(client_python("sagemaker3")), "-W", "ignore", str(EXAMPLES / "batch_transform/sdk3.py")]
    output = run(server, [*script, found["model"]], tmp_path)
    assert json.loads(output.rpartition("RESULT ")[2].splitlines()[0])["status"] == "Completed"


def test_processing_with_sagemaker_sdk_v2(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "processing/main_v2.py")]
    output = run(server, [*script, str(data)], tmp_path)
    answers = result(output)
    assert answers["accuracy"] > 0.85
    assert f"to train, {answers['test_rows']} to test" in output
    assert f"test: {answers['test_rows']} rows" in output


def test_processing_with_sagemaker_sdk_v3(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker3")), "-W", "ignore", str(EXAMPLES / "processing/main_v3.py")]
    output = run(server, [*script, str(data)], tmp_path)
    assert result(output)["accuracy"] > 0.85
    assert "rows to train" in output


def test_model_registry(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "model_registry/main.py")]
    output = run(server, [*script, str(data)], tmp_path)
    answers = result(output)
    assert answers["auc"] > 0.95 and answers["accuracy"] > 0.85
    assert answers["card_versions"] == [2, 1]
    assert "begins with %PDF-" in output


def test_pipelines(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "pipeline/main.py")]
    output = run(server, [*script, str(data)], tmp_path)
    found: dict[str, Any] = json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
    assert found["steps"] == ["Evaluate", "Judge", "Prepare", "Register-RegisterModel", "Train"]
    assert found["package"].endswith(":model-package/breast-cancer/1")
    assert found["refused"].startswith("The AUC 0.9") and found["refused"].endswith(" is below 0.99999")
    assert {"Name": "WantedAuc", "Value": "0.99999"} in found["parameters"]
    script = [str(client_python("sagemaker3")), "-W", "ignore", str(EXAMPLES / "pipeline/sdk3.py")]
    output = run(server, [*script, str(data)], tmp_path)
    assert json.loads(output.rpartition("RESULT ")[2].splitlines()[0]) == {
        "good": {"status": "Succeeded", "steps": {"Judge": False, "Train": False}},
        "again": {"status": "Succeeded", "steps": {"Judge": False, "Train": True}},
        "bad": {"status": "CompletedWithFailures", "steps": {"AfterFailure": False, "Train": False}},
    }


def test_pyspark_processor(server: object, data: Path, tmp_path: Path) -> None:
    if java_home() is None or EnvironmentBuilder().find(catalog.SPARK_ENVIRONMENT) is None:
        pytest.skip("no Java, or `cloche images pull sagemaker-spark-processing:3.5` was not done: NO SPARK IS TESTED")
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "spark_processing/main.py")]
    output = run(server, [*script, str(data)], tmp_path)
    found: dict[str, Any] = json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
    assert found["counts"][0] == "_c0,rows,mean"
    assert [line.split(",")[0] for line in found["counts"][1:]] == ["0", "1"]
    assert found["event_logs"] == 1
    assert "partitions 3" in output


def test_aws_cli(server: object, data: Path, tmp_path: Path) -> None:
    aws = str(client_python("awscli").with_name("aws"))
    output = run(server, ["bash", str(EXAMPLES / "aws_cli/main.sh"), aws, str(data), str(tmp_path)], tmp_path)
    assert "data/train/train.csv" in output
    assert "Completed" in output
    assert "#011validation-auc:" in output or "\tvalidation-auc:" in output
    assert "validation:auc" in output
    assert "rounds=5" in output
    assert "xgboost-model" in output
    assert "ValidationException" in output and "Requested resource not found." in output


EXPECTED = {
    "s3": ["uploaded 12582912 bytes", "folders ['big/', 'notes/']", "by link: first line", "deleted 3 objects"],
    "script_mode": ["trained: {'oob:r2': 0.9", "it says [2."],
    "logs_and_metrics": [
        "10 lines speak of train-error",
        "Insights: {'rounds': '10', 'least': '0.",
        "'train:error': ",
        "my own metric 300.0",
        "my own log ['hello']",
    ],
    "alarms": [
        "told: example-service OK -> ALARM",
        "because: Threshold Crossed: 1 datapoint [15.0 (",
        "history: Alarm updated from INSUFFICIENT_DATA to ALARM",
    ],
    "queues_and_events": [
        "orders ['a-1', 'a-2']",
        "put aside: poison",
        "heard: version 1 of example-events was approved",
        "a large order: large",
    ],
    "schedules": [
        "at its time: {'large': 50, 'through': 'example-large'}",
        "replayed: {'large': 50, 'through': 'example-large'}",
        "state: COMPLETED",
    ],
    "topics": [
        "heard 3 of which grave: ['Day Calls']",
        "arrived: ['incoming/march.csv']",
        "the signature holds",
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_boto3(server: object, name: str, tmp_path: Path) -> None:
    output = run(server, [sys.executable, str(EXAMPLES / name / "main.py")], tmp_path)
    for words in EXPECTED[name]:
        assert words in output, output


DEMOS = {"train_and_deploy", "churn", "churn_loop"}
"""``make demo`` and what it grows into: ``test_demo.py``."""


def test_every_example_is_listed_and_run() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and any(path.glob("main.*"))}
    stories = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = {name for name in folders if f"{name}/main." in stories or f'/ "{name}"' in stories}
    unrun = folders - set(EXPECTED) - named - DEMOS
    assert unrun == set(), "no journey runs these"
    page = (EXAMPLES / "README.md").read_text()
    assert all(f"]({name})" in page and (EXAMPLES / name / "README.md").exists() for name in folders)


@pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap")
def test_several_instances_by_the_sdk_v2(server: object, data: Path, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "several_instances/main.py")]
    output = run(server, [*script, str(data)], tmp_path)
    losses = result(output)
    assert losses["loss_of_1"] < 0.3
    assert abs(losses["loss_of_2"] - losses["loss_of_1"]) < 0.1
    assert losses["loss_of_groups"] < 0.3
    assert "Distributed node training with 3 hosts: ['algo-1', 'algo-2', 'algo-3']" in output


def test_lambda_functions_by_the_sdk_v2(server: object, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "functions/main.py")]
    output = run(server, script, tmp_path)
    assert "at 0.9: deploy False" in output and "at 0.5: deploy True" in output
    assert "model-checker looks at 0.7" in output
    assert "deleted: True" in output


@pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap")
def test_pytorch_by_the_sdk_v2(server: object, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "pytorch/main.py")]
    output = run(server, script, tmp_path)
    assert result(output)["accuracy"] > 0.95
    assert "(host 0 of 2)" in output and "(host 1 of 2)" in output
    assert "pytorch-training:2.6.0 runs on torch 2.13.0 (CPU): 2.13 stands in for 2.6" in output


def test_hugging_face_by_the_sdk_v2(server: object, tmp_path: Path) -> None:
    script = [str(client_python("sagemaker2")), "-W", "ignore", str(EXAMPLES / "huggingface/main.py")]
    output = run(server, script, tmp_path)
    assert '"labels": ["friendly", "cross"]' in output
    assert "transformers 4.57 stands in for 4.48, torch 2.13 for 2.3" in output
