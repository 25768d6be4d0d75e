"""Short ways to what tests of hosting need: a role, a bucket, a real model, an endpoint."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/Hosting"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ROW = "0.5,1.0"

_TRAIN = """
import sys, numpy, xgboost
rows = numpy.array([[x / 10, y / 10] for x in range(20) for y in range(20)])
booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(rows, label=rows[:, 0] * int(sys.argv[2])), 20)
booster.save_model(sys.argv[1])
print(repr(float(booster.inplace_predict(numpy.array([[0.5, 1.0]], dtype=numpy.float32))[0])))
"""


@cache
def trained(factor: int) -> tuple[bytes, float]:
    """``model.tar.gz`` of a regression of ``factor`` times the first of two columns, and its answer to ``ROW``."""
    import tempfile

    from cloche.compute.images import EnvironmentBuilder

    python = EnvironmentBuilder().ensure("xgboost-1.7").python
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.ubj"
        command = [str(python), "-c", _TRAIN, str(path), str(factor)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return archive({"xgboost-model": path.read_bytes()}), float(said.split()[-1])


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def unique(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:8]}"


class Hosting:
    """One server as seen through boto3."""

    def __init__(self, client: Callable[..., Any]) -> None:
        self.sagemaker = client("sagemaker")
        self.runtime = client("sagemaker-runtime")
        self.s3 = client("s3")
        iam = client("iam")
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName="Hosting", AssumeRolePolicyDocument=json.dumps(TRUST))
        with contextlib.suppress(self.s3.exceptions.BucketAlreadyOwnedByYou):
            self.s3.create_bucket(Bucket="hosting-models")

    def put(self, content: bytes) -> str:
        key = unique("models") + "/model.tar.gz"
        self.s3.put_object(Bucket="hosting-models", Key=key, Body=content)
        return f"s3://hosting-models/{key}"

    def model(self, url: str, image: str = XGBOOST, environment: dict[str, str] | None = None) -> str:
        name = unique("model")
        container = {"Image": image, "ModelDataUrl": url, "Environment": environment or {}}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        return name

    def config(self, *variants: dict[str, Any]) -> str:
        name = unique("config")
        full = [{"InstanceType": "ml.m5.large", "InitialInstanceCount": 1, **each} for each in variants]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=full)
        return name

    def endpoint(self, url: str, **others: Any) -> str:
        """An endpoint that serves (or has failed)."""
        name = unique("endpoint")
        config = self.config({"VariantName": "AllTraffic", "ModelName": self.model(url, **others)})
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.settled(name)
        return name

    def described(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return found

    def settled(self, name: str, seconds: float = 100.0) -> dict[str, Any]:
        """The description once nothing is in progress."""
        end = time.monotonic() + seconds
        while (found := self.described(name))["EndpointStatus"] in ("Creating", "Updating", "RollingBack"):
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return found

    def gone(self, name: str) -> None:
        self.sagemaker.delete_endpoint(EndpointName=name)
        end = time.monotonic() + 60
        while True:
            try:
                found = self.described(name)
            except self.sagemaker.exceptions.ClientError as error:
                assert "Could not find endpoint" in str(error)
                return
            assert time.monotonic() < end, found
            assert found["EndpointStatus"] == "Deleting"
            time.sleep(0.05)

    def ask(self, name: str, body: str = ROW, **others: Any) -> float:
        answer = self.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="text/csv", **others)
        return float(answer["Body"].read())


_MADE: dict[str, Hosting] = {}


def hosting_of(server: Any) -> Hosting:
    """One for each server: making boto3's clients takes longer than most tests."""
    if server.url not in _MADE:
        _MADE[server.url] = Hosting(server.client)
    return _MADE[server.url]


def refused(error: Any) -> tuple[str, str]:
    """Code and message."""
    said = error.value.response["Error"]
    return said["Code"], said["Message"]
