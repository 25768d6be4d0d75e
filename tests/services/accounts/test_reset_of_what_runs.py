"""A reset while jobs and endpoints run: nothing of theirs is left, and everybody else's goes on."""

from __future__ import annotations

import io
import json
import tarfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

OTHER, THIRD = "222222222222", "333333333333"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ROLE = "arn:aws:iam::{}:role/service-role/AmazonSageMaker-ExecutionRole"


def client(server: Any, service: str, account: str) -> Any:
    return server.client(service, aws_access_key_id=account, aws_secret_access_key="whatever")


def processes(server: Any) -> list[str]:
    found = (path.name for path in (Path(server.data) / "run" / "processes").iterdir())
    return sorted(name for name in found if not name.startswith("."))


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start_job(server: Any, account: str, name: str) -> None:
    client(server, "s3", account).create_bucket(Bucket=f"jobs-{account}")
    client(server, "sagemaker", account).create_training_job(
        TrainingJobName=name,
        RoleArn=ROLE.format(account),
        AlgorithmSpecification={
            "TrainingImage": XGBOOST,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh", "-c", "trap '' TERM; while true; do echo on; sleep 0.2; done"],
        },
        OutputDataConfig={"S3OutputPath": f"s3://jobs-{account}/output"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 300},
    )


def status(server: Any, account: str, name: str) -> str:
    said = client(server, "sagemaker", account).describe_training_job(TrainingJobName=name)
    return str(said["SecondaryStatus"])


def start_endpoint(server: Any, account: str) -> None:
    """One that never becomes healthy: its model is none. Its processes and folders are there all the same."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("nothing"), io.BytesIO())
    client(server, "s3", account).put_object(Bucket=f"jobs-{account}", Key="model.tar.gz", Body=packed.getvalue())
    sagemaker = client(server, "sagemaker", account)
    container = {"Image": XGBOOST, "ModelDataUrl": f"s3://jobs-{account}/model.tar.gz"}
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE.format(account), PrimaryContainer=container)
    variant = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")


@pytest.mark.slow
def test_what_runs_ends_with_a_reset(start_server: Callable[..., Any]) -> None:
    server = start_server("--any-credentials")
    for account in (OTHER, THIRD):
        start_job(server, account, "endless")
        until(lambda account=account: status(server, account, "endless") == "Training")
    start_endpoint(server, OTHER)
    assert len(processes(server)) >= 2
    kept = processes(server)
    body = json.dumps({"account": OTHER}).encode()
    request = urllib.request.Request(f"{server.url}/_cloche/reset", body, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
    left = processes(server)
    assert len(left) == 1 and left[0] in kept, "one job is left, the other account's"
    sagemaker = client(server, "sagemaker", OTHER)
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
    assert sagemaker.list_endpoints()["Endpoints"] == sagemaker.list_models()["Models"] == []
    with pytest.raises(ClientError):
        client(server, "sagemaker-runtime", OTHER).invoke_endpoint(EndpointName="e", Body=b"1")
    assert client(server, "logs", OTHER).describe_log_groups()["logGroups"] == []
    assert status(server, THIRD, "endless") == "Training"
    start_job(server, OTHER, "endless")
    until(lambda: status(server, OTHER, "endless") == "Training")
    assert "Traceback" not in server.log()
    for account in (OTHER, THIRD):
        body = json.dumps({"account": account}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{server.url}/_cloche/reset", body, method="POST"), timeout=60)
    assert processes(server) == []
