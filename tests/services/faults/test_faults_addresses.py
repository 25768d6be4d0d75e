"""Addresses that are none of S3's: refused by name, and no request leaves the server."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ADDRESSES = (
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:{port}/model.tar.gz",
    "https://127.0.0.1:{port}/model.tar.gz",
    "http://localhost:{port}/",
    "gopher://127.0.0.1:{port}/x",
    "s3://127.0.0.1:{port}@bucket/../../etc/passwd",
    "s3:///etc/passwd",
    "https://s3.amazonaws.com.127.0.0.1.evil.example:{port}/bucket/key",
    "http://s3.amazonaws.com@127.0.0.1:{port}/bucket/key",
)


class Listener:
    """Counts who comes."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.came = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.came += 1
            connection.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    time.sleep(0.2)
    came = made.came
    made.socket.shutdown(socket.SHUT_RDWR)
    made.socket.close()
    assert came == 0, "a request left the server"


@pytest.fixture(scope="module")
def sagemaker(server: Any) -> Any:
    return server.client("sagemaker")


@pytest.fixture(scope="module")
def role(server: Any) -> str:
    iam, name = server.client("iam"), "addresses"
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    server.client("s3").create_bucket(Bucket="addresses")
    server.client("s3").put_object(Bucket="addresses", Key="train/a.csv", Body=b"1,2\n")
    return arn


def refused(call: Callable[..., Any], request: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException", error
    return str(error["Message"])


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_models_address(sagemaker: Any, role: str, listener: Listener, address: str) -> None:
    url = address.format(port=listener.port)
    for container in (
        {"Image": XGBOOST, "ModelDataUrl": url},
        {"Image": url},
        {
            "Image": XGBOOST,
            "ModelDataSource": {
                "S3DataSource": {"S3Uri": url, "S3DataType": "S3Object", "CompressionType": "Gzip"},
            },
        },
    ):
        refused(
            sagemaker.create_model,
            {"ModelName": "addressed", "PrimaryContainer": container, "ExecutionRoleArn": role},
        )


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("member", ["TrainingImage", "S3Uri", "S3OutputPath"])
def test_a_jobs_addresses(sagemaker: Any, role: str, listener: Listener, address: str, member: str) -> None:
    url = address.format(port=listener.port)
    given = {
        "TrainingImage": XGBOOST,
        "S3Uri": "s3://addresses/train",
        "S3OutputPath": "s3://addresses/out",
        member: url,
    }
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": given["S3Uri"]}}
    refused(
        sagemaker.create_training_job,
        {
            "TrainingJobName": "addressed",
            "RoleArn": role,
            "AlgorithmSpecification": {"TrainingImage": given["TrainingImage"], "TrainingInputMode": "File"},
            "InputDataConfig": [{"ChannelName": "train", "ContentType": "text/csv", "DataSource": source}],
            "OutputDataConfig": {"S3OutputPath": given["S3OutputPath"]},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    )


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/sourcedir.tar.gz", "file:///etc/passwd"])
def test_a_bundles_address(sagemaker: Any, role: str, listener: Listener, address: str) -> None:
    """Only ``s3://`` is fetched for a job; what else is named must be in the job's own folder."""
    name = f"bundle-{address.partition(':')[0]}"
    sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn=role,
        AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        HyperParameters={
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": address.format(port=listener.port),
        },
        OutputDataConfig={"S3OutputPath": "s3://addresses/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    deadline = time.monotonic() + 60
    while (job := sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] == "InProgress":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert job["TrainingJobStatus"] == "Failed"
    assert "Error" in job["FailureReason"]
