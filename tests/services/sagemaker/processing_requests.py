"""Requests for processing jobs, and waiting for what comes of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from training_requests import ENDED, TRUST
from training_requests import Bench as TrainingBench

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
BUCKET = "processing-stories"
ML = "/opt/ml/processing"


@dataclass
class Bench:
    """A server, its clients, and a role and bucket to process with."""

    server: Any
    role: str = ""

    def __post_init__(self) -> None:
        self.connect()
        self.role = TrainingBench.role_that(self, "processing-role", TRUST)  # type: ignore[arg-type]
        try:
            self.s3.create_bucket(Bucket=BUCKET)
        except self.s3.exceptions.BucketAlreadyOwnedByYou:
            pass

    def connect(self) -> None:
        self.sagemaker = self.server.client("sagemaker")
        self.s3 = self.server.client("s3")
        self.iam = self.server.client("iam")
        self.logs = self.server.client("logs")
        self.cloudwatch = self.server.client("cloudwatch")

    def request(self, name: str, script: str = "true", *, count: int = 1, **changes: Any) -> dict[str, Any]:
        """A job that runs a shell script, fetched as the SDK's processors have it."""
        self.put(f"code/{name}/run.sh", script)
        inputs = [source("code", f"code/{name}/run.sh"), *changes.pop("ProcessingInputs", ())]
        request = {
            "ProcessingJobName": name,
            "RoleArn": self.role,
            "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["/bin/sh", f"{ML}/input/code/run.sh"]},
            "ProcessingInputs": inputs,
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1}
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        }
        return {**request, **changes}

    def create(self, name: str, script: str = "true", **changes: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.sagemaker.create_processing_job(**self.request(name, script, **changes))
        return answer

    def describe(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.sagemaker.describe_processing_job(ProcessingJobName=name)
        return answer

    def ended(self, name: str, seconds: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.describe(name)
            if job["ProcessingJobStatus"] in ENDED:
                return job
            time.sleep(0.02)
        raise AssertionError(f"{name} is {job} still\n{self.server.log()[-2000:]}")

    def run(self, name: str, script: str = "true", **changes: Any) -> dict[str, Any]:
        self.create(name, script, **changes)
        return self.ended(name)

    def put(self, key: str, body: bytes | str) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())]

    def lines(self, name: str, host: str = "") -> list[str]:
        found: list[str] = []
        streams = self.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/{host}")
        for stream in streams["logStreams"]:
            events = self.logs.get_log_events(
                logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
            found += [event["message"] for event in events]
        return found

    def says(self, name: str, text: str) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if any(text in line for line in self.lines(name)):
                    return
            except self.logs.exceptions.ResourceNotFoundException:
                pass
            time.sleep(0.02)
        raise AssertionError(f"{name} never said {text!r}: {self.describe(name)}")


def source(name: str, prefix: str, path: str = "", **changes: Any) -> dict[str, Any]:
    """An input below ``/opt/ml/processing/input``."""
    given = {"S3Uri": f"s3://{BUCKET}/{prefix}", "LocalPath": path or f"{ML}/input/{name}", "S3DataType": "S3Prefix"}
    return {"InputName": name, "S3Input": {**given, **changes}}


def sink(name: str, prefix: str, path: str = "", mode: str = "EndOfJob") -> dict[str, Any]:
    """An output below ``/opt/ml/processing/output``."""
    target = {"S3Uri": f"s3://{BUCKET}/{prefix}", "LocalPath": path or f"{ML}/output/{name}", "S3UploadMode": mode}
    return {"OutputName": name, "S3Output": target}
