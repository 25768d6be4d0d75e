"""What a script finds inside its job: boto3 that works unmodified, as the execution role, and nothing else's keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from training_requests import BUCKET, Bench, channel

INSIDE = """
import json, os, boto3
me = boto3.client("sts").get_caller_identity()
s3 = boto3.client("s3")
s3.put_object(Bucket=os.environ["BUCKET"], Key="inside/answer.txt", Body=b"from within")
body = s3.get_object(Bucket=os.environ["BUCKET"], Key="inside/answer.txt")["Body"].read().decode()
named = boto3.client("sagemaker").describe_training_job(TrainingJobName=os.environ["TRAINING_JOB_NAME"])
regional = boto3.client("sts", endpoint_url="https://sts.us-east-1.amazonaws.com").get_caller_identity()["Arn"]
print("FOUND " + json.dumps({
    "arn": me["Arn"], "body": body, "status": named["TrainingJobStatus"], "regional": regional,
    "method": boto3.Session().get_credentials().method, "keys": sorted(k for k in os.environ if "SECRET" in k),
}))
"""


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def test_boto3_inside_a_job_works_unmodified_as_the_execution_role(bench: Bench) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key="inside/code/inside.py", Body=INSIDE.encode())
    job = bench.run(
        "boto3-inside",
        "python3 $CLOCHE_ML_ROOT/input/data/code/inside.py",
        InputDataConfig=[channel("code", "inside/code/", "text/x-python")],
        Environment={"BUCKET": BUCKET},
    )
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), bench.lines("boto3-inside"))
    line = next(line for line in bench.lines("boto3-inside") if line.startswith("FOUND "))
    found = json.loads(line.removeprefix("FOUND "))
    role = job["RoleArn"].rsplit("/", 1)[-1]
    assert found["arn"].startswith(f"arn:aws:sts::123456789012:assumed-role/{role}/")
    assert found["regional"] == found["arn"]
    assert (found["body"], found["status"]) == ("from within", "InProgress")
    assert found["method"] == "container-role"
    assert found["keys"] == []
