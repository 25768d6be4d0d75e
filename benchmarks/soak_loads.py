"""What the clients of ``soak.py`` ask for, each at its own rate. Names are bounded, or deleted again."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from invoke import IMAGE, TRUST

REGION = "us-east-1"
PART = os.urandom(5 << 20)
ROW = ",".join(["0.5"] * 4)


@dataclass
class Soak:
    """One run: where the server is, and what was asked of it."""

    url: str
    keys: dict[str, str]
    rate: float
    role: str = ""
    artifact: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    asked: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def client(self, service: str) -> Any:
        access = {"aws_access_key_id": self.keys["AccessKeyId"], "aws_secret_access_key": self.keys["SecretAccessKey"]}
        config = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False)
        session = boto3.session.Session()
        return session.client(service, region_name=REGION, endpoint_url=self.url, config=config, **access)

    def repeat(self, name: str, per_second: float, make: Callable[[Soak], Callable[[int], None]]) -> threading.Thread:
        """A thread that calls what ``make`` made at that rate; when it is late it does not hurry."""

        def work() -> None:
            call, due, number = make(self), time.monotonic(), 0
            while not self.stop.wait(max(0.0, due - time.monotonic())):
                due = max(due, time.monotonic() - 1.0) + 1 / (per_second * self.rate)
                number += 1
                try:
                    call(number)
                    self.asked[name] += 1
                except (ClientError, BotoCoreError, OSError, AssertionError) as error:
                    if not self.stop.is_set():
                        self.failed[f"{name}: {type(error).__name__}: {str(error)[:200]}"] += 1

        return threading.Thread(target=work, name=name)


def objects(soak: Soak) -> Callable[[int], None]:
    s3, choose = soak.client("s3"), random.Random(1)

    def call(number: int) -> None:
        key = f"k/{choose.randrange(500)}"
        size = choose.choice((0, 100, 1_000, 20_000, 100_000, 1_000_000))
        match number % 5:
            case 0:
                s3.put_object(Bucket="soak", Key=key, Body=PART[:size], Metadata={"n": str(number)})
            case 1:
                s3.put_object(Bucket="versioned", Key=key, Body=PART[:size])
            case 2:
                listed = s3.list_objects_v2(Bucket="soak", Prefix="k/", MaxKeys=100).get("Contents", [])
                if listed:
                    s3.get_object(Bucket="soak", Key=choose.choice(listed)["Key"])["Body"].read()
            case 3:
                s3.delete_object(Bucket="soak", Key=key)
            case _:
                page = s3.list_object_versions(Bucket="versioned", MaxKeys=50)
                old = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())][:20]
                if len(old) == 20:
                    names = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in old]
                    s3.delete_objects(Bucket="versioned", Delete={"Objects": names, "Quiet": True})

    return call


def parts(soak: Soak) -> Callable[[int], None]:
    s3 = soak.client("s3")

    def call(number: int) -> None:
        key = f"large/{number % 5}"
        upload = s3.create_multipart_upload(Bucket="soak", Key=key)["UploadId"]
        named = {"Bucket": "soak", "Key": key, "UploadId": upload}
        made = [s3.upload_part(**named, PartNumber=part, Body=PART)["ETag"] for part in (1, 2)]
        if number % 3 == 0:
            s3.abort_multipart_upload(**named)
            return
        listed = [{"PartNumber": place, "ETag": etag} for place, etag in enumerate(made, 1)]
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": listed})
        assert len(s3.get_object(Bucket="soak", Key=key)["Body"].read()) == 2 * len(PART)

    return call


def logs(soak: Soak) -> Callable[[int], None]:
    client = soak.client("logs")

    def call(number: int) -> None:
        stream = f"s{(number - 1) // 50 % 10}"
        named = {"logGroupName": "soak", "logStreamName": stream}
        if number % 500 == 1:
            for other in client.describe_log_streams(logGroupName="soak")["logStreams"]:
                client.delete_log_stream(logGroupName="soak", logStreamName=other["logStreamName"])
        if number % 50 == 1:
            client.create_log_stream(**named)
        now = int(time.time() * 1000)
        if number % 4:
            events = [{"timestamp": now, "message": f"line {n} of {number} " + "x" * 100} for n in range(10)]
            client.put_log_events(**named, logEvents=events)
        elif number % 8:
            client.get_log_events(**named, limit=100)
        else:
            client.filter_log_events(logGroupName="soak", filterPattern='"of 1"', limit=50, startTime=now - 60_000)

    return call


def metrics(soak: Soak) -> Callable[[int], None]:
    client = soak.client("cloudwatch")

    def call(number: int) -> None:
        if number % 4:
            dimensions = [{"Name": "Of", "Value": str(number % 20)}]
            data = [{"MetricName": f"m{n}", "Value": n + 0.5, "Dimensions": dimensions} for n in range(5)]
            client.put_metric_data(Namespace="Soak", MetricData=data)
            return
        stat = {
            "Metric": {"Namespace": "Soak", "MetricName": "m1", "Dimensions": [{"Name": "Of", "Value": "1"}]},
            "Period": 60,
            "Stat": "p90",
        }
        queries = [{"Id": "a", "MetricStat": stat}, {"Id": "b", "Expression": "a * 2"}]
        now = time.time()
        client.get_metric_data(MetricDataQueries=queries, StartTime=now - 3_600, EndTime=now)

    return call


def identities(soak: Soak) -> Callable[[int], None]:
    iam, sts = soak.client("iam"), soak.client("sts")

    def call(number: int) -> None:
        name = f"role-{number}"
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=[{"Key": "n", "Value": name}])
        statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
        iam.list_roles(MaxItems=50)
        iam.delete_role_policy(RoleName=name, PolicyName="p")
        iam.delete_role(RoleName=name)
        sts.get_session_token(DurationSeconds=900)

    return call


def descriptions(soak: Soak) -> Callable[[int], None]:
    sagemaker = soak.client("sagemaker")

    def call(number: int) -> None:
        match number % 4:
            case 0:
                sagemaker.list_training_jobs(MaxResults=20)
            case 1:
                sagemaker.describe_training_job(TrainingJobName="soak-0")
            case 2:
                sagemaker.describe_endpoint(EndpointName="soak")
            case _:
                name = f"model-{number}"
                container = {"Image": IMAGE, "ModelDataUrl": soak.artifact}
                sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=soak.role)
                sagemaker.describe_model(ModelName=name)
                sagemaker.delete_model(ModelName=name)

    return call


def refusals(soak: Soak) -> Callable[[int], None]:
    """What is asked wrongly: names of things that are not there, each a new one, and fields that are wrong."""
    s3, sagemaker = soak.client("s3"), soak.client("sagemaker")

    def call(number: int) -> None:
        asked: tuple[Callable[[], Any], ...] = (
            lambda: s3.get_object(Bucket="soak", Key=f"nothing/{number}"),
            lambda: s3.list_objects_v2(Bucket=f"no-bucket-{number}"),
            lambda: sagemaker.describe_training_job(TrainingJobName=f"nothing-{number}"),
            lambda: sagemaker.create_endpoint(EndpointName=f"e-{number}", EndpointConfigName="nothing"),
        )
        try:
            asked[number % len(asked)]()
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] < 500, error
        else:
            raise AssertionError("it should have been refused")

    return call


def newcomers(soak: Soak) -> Callable[[int], None]:
    """A client, and so a connection, of its own for each call."""

    def call(number: int) -> None:
        sts = soak.client("sts")
        sts.get_caller_identity()
        sts.close()

    return call


def predictions(soak: Soak) -> Callable[[int], None]:
    runtime = soak.client("sagemaker-runtime")

    def call(number: int) -> None:
        float(runtime.invoke_endpoint(EndpointName="soak", ContentType="text/csv", Body=ROW)["Body"].read())

    return call


def trainings(soak: Soak) -> Callable[[int], None]:
    sagemaker = soak.client("sagemaker")
    return lambda number: train(sagemaker, soak.role, number)


LOADS = (
    ("objects", 15.0, objects),
    ("parts", 0.2, parts),
    ("logs", 8.0, logs),
    ("metrics", 8.0, metrics),
    ("identities", 1.0, identities),
    ("descriptions", 10.0, descriptions),
    ("refusals", 3.0, refusals),
    ("newcomers", 0.5, newcomers),
    ("predictions", 15.0, predictions),
    ("trainings", 1 / 60, trainings),
)


def train(sagemaker: Any, role: str, number: int) -> str:
    """One training, to its end; its artefact."""
    name = f"soak-{number}"
    channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://soak/train/"}}
    sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn=role,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        HyperParameters={"objective": "reg:squarederror", "num_round": "5"},
        InputDataConfig=[{"ChannelName": "train", "ContentType": "text/csv", "DataSource": channel}],
        OutputDataConfig={"S3OutputPath": "s3://soak/output"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    while True:
        said = sagemaker.describe_training_job(TrainingJobName=name)
        if said["TrainingJobStatus"] not in ("InProgress", "Stopping"):
            assert said["TrainingJobStatus"] == "Completed", said.get("FailureReason")
            return str(said["ModelArtifacts"]["S3ModelArtifacts"])
        time.sleep(0.5)
