"""Clients that go on working while their server is killed, and remember what they were promised.

Each is a thread with boto3 clients of its own that try every request once: whatever is not answered with success is
not promised.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.config import Config

from .ledger import GONE, UNANSWERED, Ledger, body, word_of

BUCKET = "under-load"
LOG_GROUP = "under-load"
NAMESPACE = "UnderLoad"
PART_BYTES = 5 * 2**20
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
SIZES = (0, 1, 500, 4_096, 70_000, 900_000)
SCRIPTS = (
    "echo a line; sleep 0.3; echo made > /opt/ml/model/made",
    "echo a line; sleep 1.5; echo made > /opt/ml/model/made",
    "sleep 0.2; exit 3",
    "trap '' TERM; sleep 1; echo late > /opt/ml/model/made",
)


def once(server: Any, service: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
    return server.client(service, config=config)


class Load:
    """``work`` is called again and again until told to stop; what it raises beyond ``UNANSWERED`` is a fault."""

    def __init__(self, server: Any, seed: int) -> None:
        self.server = server
        self.dice = random.Random(seed)
        self.ledger = Ledger()
        self.faults: list[str] = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, name=type(self).__name__)

    def prepare(self) -> None:
        raise NotImplementedError

    def work(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        while not self.ending.is_set():
            try:
                self.work()
            except UNANSWERED as error:
                self.ledger.unanswer(error)
                time.sleep(0.05)
            except Exception as error:
                self.faults.append(f"{type(self).__name__}: {error!r}")
                return


class Objects(Load):
    """Puts, overwrites, deletes, uploads in parts; and reads, which must be whole at any moment."""

    def __init__(self, server: Any, seed: int, lane: int) -> None:
        super().__init__(server, seed)
        self.lane, self.version = lane, 0
        self.sizes: dict[int, int] = {}

    def prepare(self) -> None:
        self.s3 = once(self.server, "s3")

    def work(self) -> None:
        key = f"lane {self.lane}/é{self.dice.randrange(12)}/../k"
        kind = self.dice.choice(["put"] * 6 + ["delete", "parts", "read", "read"])
        if kind == "read":
            self._read(key)
            return
        if kind == "delete":
            self.ledger.begin(key, GONE)
            self.s3.delete_object(Bucket=BUCKET, Key=key)
            self.ledger.acknowledge(key, GONE)
            return
        self.version += 1
        size = self.dice.choice(SIZES) + (PART_BYTES if kind == "parts" else 0)
        version = (self.version, size)
        self.ledger.begin(key, version)
        (self._put_parts if kind == "parts" else self._put)(key, body(key, *version))
        self.ledger.acknowledge(key, version)

    def _put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def _put_parts(self, key: str, content: bytes) -> None:
        at = {"Bucket": BUCKET, "Key": key}
        at["UploadId"] = self.s3.create_multipart_upload(**at)["UploadId"]
        parts = []
        for number, part in enumerate((content[:PART_BYTES], content[PART_BYTES:]), 1):
            answer = self.s3.upload_part(**at, PartNumber=number, Body=part)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self.s3.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})

    def _read(self, key: str) -> None:
        answer = self.s3.get_object(Bucket=BUCKET, Key=key)
        content = answer["Body"].read()
        allowed = [value for value in self.ledger.allowed.get(key, []) if value is not GONE]
        if not any(content == body(key, *value) for value in allowed):
            self.faults.append(f"{key!r} was read as {len(content)} bytes that nobody wrote so")


class Jobs(Load):
    """Training jobs, few at a time; each name is asked for once."""

    active_max = 4

    def __init__(self, server: Any, seed: int, role: str) -> None:
        super().__init__(server, seed)
        self.role, self.number = role, 0
        self.open: list[str] = []
        self.lowest: dict[str, int] = {}

    def prepare(self) -> None:
        self.sagemaker = once(self.server, "sagemaker")

    def work(self) -> None:
        self.open = [name for name in self.open if not self._has_ended(name)]
        if len(self.open) >= self.active_max:
            time.sleep(0.1)
            return
        self.number += 1
        name = f"job-{self.number}"
        self.ledger.begin(name, True)
        self.sagemaker.create_training_job(**self._request(name))
        self.ledger.acknowledge(name, True)
        self.open.append(name)

    def _has_ended(self, name: str) -> bool:
        job = self.sagemaker.describe_training_job(TrainingJobName=name)
        steps = len(job["SecondaryStatusTransitions"])
        if steps < self.lowest.get(name, 0):
            self.faults.append(f"{name} went back from {self.lowest[name]} transitions to {steps}")
        self.lowest[name] = steps
        return job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped")

    def _request(self, name: str) -> dict[str, Any]:
        algorithm: dict[str, Any] = {"TrainingImage": XGBOOST, "TrainingInputMode": "File"}
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": algorithm,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}-models/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        }
        if self.number % 3:
            algorithm["ContainerEntrypoint"] = ["/bin/sh", "-c", self.dice.choice(SCRIPTS)]
            return request
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}-models/train"}}
        request["InputDataConfig"] = [{"ChannelName": "train", "ContentType": "text/csv", "DataSource": source}]
        request["HyperParameters"] = {"objective": "reg:squarederror", "num_round": "5", "max_depth": "3"}
        return request


class Invocations(Load):
    """Asks one endpoint without pause. Every good answer must be the right one."""

    def __init__(self, server: Any, seed: int, endpoint: str, row: str, answer: float) -> None:
        super().__init__(server, seed)
        self.endpoint, self.row, self.answer = endpoint, row, answer

    def prepare(self) -> None:
        self.runtime = once(self.server, "sagemaker-runtime")

    def work(self) -> None:
        answer = self.runtime.invoke_endpoint(EndpointName=self.endpoint, Body=self.row, ContentType="text/csv")
        said = float(answer["Body"].read())
        if abs(said - self.answer) > 1e-6:
            self.faults.append(f"{self.endpoint} answered {said} where {self.answer} is right")
        self.ledger.acknowledged += 1
        time.sleep(0.02)


class Events(Load):
    """Log events; each message is put once."""

    def prepare(self) -> None:
        self.logs, self.number = once(self.server, "logs"), getattr(self, "number", 0)

    def work(self) -> None:
        self.number += 1
        names = [f"event {self.number}.{line}" for line in range(3)]
        for name in names:
            self.ledger.begin(name, True)
        events = [{"timestamp": int(time.time() * 1000), "message": name} for name in names]
        self.logs.put_log_events(logGroupName=LOG_GROUP, logStreamName="stream", logEvents=events)
        for name in names:
            self.ledger.acknowledge(name, True)
        time.sleep(0.02)


class Points(Load):
    """Metric data; each put is one sample of one metric."""

    def prepare(self) -> None:
        self.cloudwatch, self.number = once(self.server, "cloudwatch"), getattr(self, "number", 0)

    def work(self) -> None:
        self.number += 1
        self.ledger.begin(str(self.number), True)
        self.cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[{"MetricName": "Puts", "Value": 1.0}])
        self.ledger.acknowledge(str(self.number), True)
        time.sleep(0.05)


class Roles(Load):
    def prepare(self) -> None:
        self.iam, self.number = once(self.server, "iam"), getattr(self, "number", 0)

    def work(self) -> None:
        self.number += 1
        name = f"role-{self.number}"
        self.ledger.begin(name, True)
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        self.ledger.acknowledge(name, True)
        time.sleep(0.1)


TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def tally(loads: list[Load]) -> str:
    lines = []
    for load in loads:
        ledger = load.ledger
        many = Counter(ledger.unanswered)
        lines.append(f"{type(load).__name__}: {ledger.acknowledged} acknowledged, not answered well: {dict(many)}")
    return "\n".join(lines)


def each(loads: list[Load], do: Callable[[Load], None]) -> None:
    for load in loads:
        do(load)


__all__ = ["Events", "Invocations", "Jobs", "Load", "Objects", "Points", "Roles", "each", "once", "tally", "word_of"]
