"""Requests for training jobs, and waiting for what comes of them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
BUCKET = "training-stories"
ENDED = ("Completed", "Failed", "Stopped")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
NO_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass
class Bench:
    """A server, its clients, and a role and bucket to train with."""

    server: Any
    role: str = ""

    def __post_init__(self) -> None:
        self.connect()
        self.role = self.role_that("training-role", TRUST)
        try:
            self.s3.create_bucket(Bucket=BUCKET)
        except self.s3.exceptions.BucketAlreadyOwnedByYou:
            pass
        self.s3.put_object(Bucket=BUCKET, Key="input/one/rows.csv", Body=b"1,2\n3,4\n")

    def connect(self) -> None:
        self.sagemaker = self.server.client("sagemaker")
        self.s3 = self.server.client("s3")
        self.iam = self.server.client("iam")
        self.logs = self.server.client("logs")
        self.cloudwatch = self.server.client("cloudwatch")

    def role_that(self, name: str, trust: dict[str, Any]) -> str:
        try:
            arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        except self.iam.exceptions.EntityAlreadyExistsException:
            arn = self.iam.get_role(RoleName=name)["Role"]["Arn"]
        return arn

    def request(self, name: str, script: str = "true", **changes: Any) -> dict[str, Any]:
        """A job that runs a shell script in place of the image's algorithm."""
        request = {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": {
                "TrainingImage": XGBOOST,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/sh", "-c", script],
            },
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        }
        return {**request, **changes}

    def create(self, name: str, script: str = "true", **changes: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.sagemaker.create_training_job(**self.request(name, script, **changes))
        return answer

    def describe(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
        return answer

    def ended(self, name: str, seconds: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.describe(name)
            if job["TrainingJobStatus"] in ENDED:
                return job
            time.sleep(0.02)
        raise AssertionError(f"{name} is {job['SecondaryStatus']} still\n{self.server.log()[-2000:]}")

    def run(self, name: str, script: str = "true", **changes: Any) -> dict[str, Any]:
        self.create(name, script, **changes)
        return self.ended(name)

    def lines(self, name: str) -> list[str]:
        streams = self.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
        if not streams:
            return []
        events = self.logs.get_log_events(
            logGroupName=LOG_GROUP, logStreamName=streams[0]["logStreamName"], startFromHead=True
        )["events"]
        return [event["message"] for event in events]

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


def channel(name: str, prefix: str, content_type: str = "text/csv", **changes: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{prefix}"}
    return {"ChannelName": name, "ContentType": content_type, "DataSource": {"S3DataSource": source}, **changes}
