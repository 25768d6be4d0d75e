"""Requests for transform jobs over a real model, and waiting for what comes of them."""

from __future__ import annotations

import time
from typing import Any

from hosting_requests import Hosting, unique

BUCKET = "hosting-models"
LOG_GROUP = "/aws/sagemaker/TransformJobs"
ENDED = ("Completed", "Failed", "Stopped")


class Transforming:
    """One server as seen through boto3."""

    def __init__(self, hosting: Hosting, server: Any) -> None:
        self.hosting, self.server = hosting, server
        self.sagemaker, self.s3 = hosting.sagemaker, hosting.s3
        self.logs = server.client("logs")

    def put(self, files: dict[str, bytes]) -> str:
        """The prefix they lie below, with a slash at its end."""
        prefix = f"{unique('batch')}/"
        for name, body in files.items():
            self.s3.put_object(Bucket=BUCKET, Key=prefix + name, Body=body)
        return f"s3://{BUCKET}/{prefix}"

    def request(self, model: str, uri: str, **changes: Any) -> dict[str, Any]:
        """``Input`` and ``Output`` among the changes are merged into TransformInput and TransformOutput."""
        name = unique("transform")
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
        return {
            "TransformJobName": name,
            "ModelName": model,
            "TransformInput": {
                "DataSource": source,
                "ContentType": "text/csv",
                "SplitType": "Line",
                **changes.pop("Input", {}),
            },
            "TransformOutput": {
                "S3OutputPath": f"s3://{BUCKET}/out/{name}",
                "Accept": "text/csv",
                "AssembleWith": "Line",
                **changes.pop("Output", {}),
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **changes,
        }

    def create(self, model: str, uri: str, **changes: Any) -> str:
        request = self.request(model, uri, **changes)
        self.sagemaker.create_transform_job(**request)
        name: str = request["TransformJobName"]
        return name

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_transform_job(TransformJobName=name)
        return found

    def ended(self, name: str, seconds: float = 90) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.describe(name)
            if job["TransformJobStatus"] in ENDED:
                return job
            time.sleep(0.02)
        raise AssertionError(f"{job}\n{self.server.log()[-2000:]}")

    def run(self, model: str, uri: str, **changes: Any) -> dict[str, Any]:
        return self.ended(self.create(model, uri, **changes))

    def outputs(self, job: dict[str, Any]) -> dict[str, bytes]:
        """What the job stored, by the names below its output path."""
        bucket, _, prefix = job["TransformOutput"]["S3OutputPath"].removeprefix("s3://").partition("/")
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents") or ()
        keys = [each["Key"] for each in listed]
        return {
            key.removeprefix(f"{prefix}/"): self.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys
        }

    def lines(self, name: str, ending: str = "") -> list[str]:
        """Of the job's log streams: the data log's with ``/data-log``."""
        streams = self.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
        names = [each["logStreamName"] for each in streams]
        return [
            event["message"]
            for stream in names
            if (stream.endswith("/data-log") if ending else not stream.endswith("/data-log"))
            for event in self.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True)[
                "events"
            ]
        ]
