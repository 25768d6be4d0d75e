"""Built-in XGBoost on two instances: one model, and where the algorithm promises it the model of one instance."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path
from typing import Any

import pytest
from training_requests import BUCKET, LOG_GROUP, Bench, channel

from cloche.compute.local.sandbox import bubblewrap

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap"),
]
REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:"
IMAGES = (REGISTRY + "1.7-1", REGISTRY + "3.2-0")


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    """Few distinct values: then the bins of a histogram are the values themselves, on one host or on many."""
    bench = Bench(server)
    dice = random.Random(7)
    for part in range(4):
        rows = [[dice.randrange(20) for _ in range(5)] for _ in range(100)]
        lines = [f"{int(row[0] * 2 + row[1] > 25)},{','.join(map(str, row))}" for row in rows]
        bench.s3.put_object(Bucket=BUCKET, Key=f"together/{part}.csv", Body="\n".join(lines).encode())
    return bench


def trained(bench: Bench, name: str, image: str, count: int, **changes: Any) -> dict[str, Any]:
    train = channel("train", changes.pop("prefix", "together/"))
    train["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    parameters = {"num_round": "12", "tree_method": "hist", "objective": "binary:logistic", "max_depth": "4"}
    return bench.run(
        name,
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
        HyperParameters={**parameters, **changes.pop("parameters", {})},
        InputDataConfig=[train, channel("validation", "together/0.csv")],
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1},
        **changes,
    )


def metrics(job: dict[str, Any]) -> dict[str, float]:
    return {each["MetricName"]: round(each["Value"], 4) for each in job["FinalMetricDataList"]}


def printed(bench: Bench, name: str) -> dict[str, str]:
    streams = bench.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    found = {}
    for stream in (stream["logStreamName"] for stream in streams):
        events = bench.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True)["events"]
        found[stream.removeprefix(f"{name}/").rpartition("-")[0]] = "\n".join(event["message"] for event in events)
    return found


@pytest.mark.parametrize("image", IMAGES)
def test_two_instances_make_the_model_of_one(bench: Bench, image: str, tmp_path: Path) -> None:
    version = image.rpartition(":")[2].replace(".", "-")
    one = trained(bench, f"alone-{version}", image, 1)
    two = trained(bench, f"together-{version}", image, 2, EnableNetworkIsolation=True)
    said = printed(bench, f"together-{version}")
    assert two["TrainingJobStatus"] == "Completed", (two, said)
    assert metrics(one)["train:logloss"] < 0.4
    assert metrics(two) == metrics(one)
    assert "Train matrix has 200 rows" in said["algo-1"]
    assert "Train matrix has 200 rows" in said["algo-2"]
    assert said["algo-1"].count("[11]\ttrain-logloss".replace("\t", "#011")) == 1
    assert "#011train-logloss" not in said["algo-2"]
    body = bench.s3.get_object(Bucket=BUCKET, Key=f"output/together-{version}/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert archive.getnames() == ["xgboost-model"]


def test_an_instance_without_data_takes_no_part(bench: Bench) -> None:
    job = trained(bench, "one-part", IMAGES[0], 2, prefix="together/1.csv")
    assert job["TrainingJobStatus"] == "Completed", (job, printed(bench, "one-part"))
    said = printed(bench, "one-part")
    assert "Host algo-2 not being used for distributed training." in said["algo-2"]
    assert "Train matrix has 100 rows" in said["algo-1"]


@pytest.mark.parametrize("image", IMAGES)
def test_bad_data_on_one_instance_is_the_reason(bench: Bench, image: str) -> None:
    name = "spoilt-" + image.rpartition(":")[2].replace(".", "-")
    bench.s3.put_object(Bucket=BUCKET, Key=f"{name}/0.csv", Body=b"1,2,2,2,2,2\n0,3,3,3,3,3\n" * 50)
    bench.s3.put_object(Bucket=BUCKET, Key=f"{name}/1.csv", Body=b"7,2,2,2,2,2\n9,3,3,3,3,3\n" * 50)
    job = trained(bench, name, image, 2, prefix=f"{name}/")
    assert job["TrainingJobStatus"] == "Failed"
    # From 2.0 on the library takes the mean of all labels as its first guess, and that is what it finds wrong.
    wrong = "label must be in [0,1] for logistic regression", "base_score must be in (0,1) for "
    assert any(text in job["FailureReason"] for text in wrong), printed(bench, name)
    assert job["FailureReason"].startswith("ClientError: ")
    assert job["FailureReason"].endswith("exit code: 1")


def test_folds_are_refused_by_name(bench: Bench) -> None:
    job = trained(bench, "folds-on-two", IMAGES[0], 2, parameters={"_kfold": "3"})
    assert "_kfold" in job["FailureReason"]
