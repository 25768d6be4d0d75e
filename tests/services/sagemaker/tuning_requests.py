"""Requests for tuning jobs whose trials are a small script, and waiting for what comes of them."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from training_requests import BUCKET, Bench

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ENDED = ("Completed", "Failed", "Stopped")
SCRIPT = """
import sys, time
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
x = float(given.get("--place", 0.5))
epochs, pause = int(given.get("--epochs-run", 1)), float(given.get("--pause", 0))
if given.get("--mode") == "fail":
    sys.exit("no luck")
for epoch in range(1, epochs + 1):
    if given.get("--mode") != "silent":
        print(f"loss={(x - 0.3) ** 2 + 1 / epoch:.6f};", flush=True)
    time.sleep(pause)
"""


def bundle(script: str = SCRIPT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("train.py")
        member.size = len(script.encode())
        archive.addfile(member, io.BytesIO(script.encode()))
    return packed.getvalue()


def number(name: str, low: str, high: str, scaling: str = "Linear") -> dict[str, str]:
    return {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """(code, message) of the error that ``call`` ends with."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@dataclass
class TuningBench:
    server: Any
    training: Bench = field(init=False)

    def __post_init__(self) -> None:
        self.training = Bench(self.server)
        self.training.s3.put_object(Bucket=BUCKET, Key="code/sourcedir.tar.gz", Body=bundle())
        self.sagemaker = self.training.sagemaker

    def connect(self) -> None:
        self.training.connect()
        self.sagemaker = self.training.sagemaker

    def definition(self, static: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
        made = {
            "RoleArn": self.training.role,
            "AlgorithmSpecification": {
                "TrainingImage": SKLEARN,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+);"}],
            },
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/tuned"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
            "StaticHyperParameters": {
                "sagemaker_program": '"train.py"',
                "sagemaker_submit_directory": f'"s3://{BUCKET}/code/sourcedir.tar.gz"',
                **(static or {}),
            },
        }
        return {**made, **changes}

    def config(self, strategy: str = "Random", jobs: int | None = 3, **changes: Any) -> dict[str, Any]:
        limits: dict[str, int] = {"MaxParallelTrainingJobs": 2}
        if jobs is not None:
            limits["MaxNumberOfTrainingJobs"] = jobs
        made: dict[str, Any] = {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": limits,
            "ParameterRanges": {"ContinuousParameterRanges": [number("place", "0", "1")]},
            "RandomSeed": 7,
        }
        return {**made, **changes}

    def create(self, name: str, config: dict[str, Any] | None = None, **changes: Any) -> str:
        request = {
            "HyperParameterTuningJobName": name,
            "HyperParameterTuningJobConfig": config or self.config(),
            "TrainingJobDefinition": self.definition(),
            **changes,
        }
        request = {key: value for key, value in request.items() if value is not None}
        answer = self.sagemaker.create_hyper_parameter_tuning_job(**request)
        arn: str = answer["HyperParameterTuningJobArn"]
        return arn

    def describe(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        return answer

    def ended(self, name: str, seconds: float = 90) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.describe(name)
            if job["HyperParameterTuningJobStatus"] in ENDED:
                return job
            time.sleep(0.05)
        raise AssertionError(f"{name} has not ended: {job}\n{self.server.log()[-3000:]}")

    def run(self, name: str, config: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        self.create(name, config, **changes)
        return self.ended(name)

    def trials(self, name: str, **asked: Any) -> list[dict[str, Any]]:
        pages = self.sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=name, **asked
        )
        return [trial for page in pages for trial in page["TrainingJobSummaries"]]

    def until(self, name: str, is_so: Callable[[dict[str, Any]], bool], seconds: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.describe(name)
            if is_so(job):
                return job
            time.sleep(0.02)
        raise AssertionError(f"{name} never was so: {job}\n{self.server.log()[-3000:]}")

    def until_trained(self, name: str) -> None:
        """Until all of its training jobs have begun to tell their metric."""
        for trial in self.trials(name):
            self.training.says(trial["TrainingJobName"], "loss=")
