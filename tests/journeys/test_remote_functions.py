"""Functions decorated with ``@remote`` and ``@step``, by both SDKs: to their end, and in each way they may fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import example_runs
import pytest
from example_runs import EXAMPLES, by, result

from cloche.compute.local.sandbox import bubblewrap

pytestmark = [
    pytest.mark.journey,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bubblewrap() is None, reason="no bubblewrap here: REMOTE FUNCTIONS ARE NOT TESTED"),
]
Run = Callable[..., tuple[str, Any]]


@pytest.fixture
def run(server: Any, tmp_path: Path) -> Run:
    """``run("sagemaker2", script, **environment)``: what it prints, and its RESULT."""

    def ran(client: str, *arguments: str, **environment: str) -> tuple[str, Any]:
        output = example_runs.run(server, by(client, *arguments), tmp_path, **environment)
        return output, result(output)

    return ran


def test_the_example_of_sdk_v2(run: Run) -> None:
    output, found = run("sagemaker2", str(EXAMPLES / "remote_functions/main.py"))
    assert found == {
        "mean": 3.0,
        "slope": 3.0,
        "steps": {"Judge": "Succeeded", "Fit": "Succeeded", "Prepare": "Succeeded"},
    }
    assert "the mean is 3.0 metres" in output and "averages 3 numbers" in output


def test_the_example_of_sdk_v3(run: Run) -> None:
    _, found = run("sagemaker3", str(EXAMPLES / "remote_functions/sdk3.py"))
    assert found == {"evens": [2, 4], "count": 5}


SETTINGS = """
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      RemoteFunction:
        ImageUri: 885854791233.dkr.ecr.us-east-1.amazonaws.com/sagemaker-distribution-prod:2.13-cpu
        InstanceType: ml.m5.large
        RoleArn: arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole
        IncludeLocalWorkDir: true
        Dependencies: ./wanted.txt
        PreExecutionCommands: ["echo made before > before.txt"]
        Tags: [{Key: team, Value: remote}]
"""
FAILURES = """
import json, sys, threading
import boto3
from sagemaker.remote_function import RemoteExecutor, remote
from sagemaker.remote_function.client import get_future
from sagemaker.remote_function.runtime_environment.runtime_environment_manager import RuntimeEnvironmentManager
import beside

raised = {}

def why(name, call):
    try:
        call()
    except BaseException as error:
        raised[name] = [type(error).__name__, str(error)]

def needs(word):
    import beside, toolz
    return list(toolz.unique([1, 1, 2])), open("before.txt").read().strip(), beside.WORD + word

def unlucky():
    import not_there

why("unpicklable", lambda: remote(lambda lock: lock)(threading.Lock()))
with RemoteExecutor(max_parallel_jobs=2) as executor:
    kept, unlucky = executor.submit(needs, "!"), executor.submit(unlucky)
kept.wait()
why("missing", unlucky.result)
found = kept.result()
job = kept._job
described = boto3.client("sagemaker").describe_training_job(TrainingJobName=job.job_name)
bucket, _, prefix = job.s3_uri.removeprefix("s3://").partition("/")
boto3.client("s3").put_object(Bucket=bucket, Key=f"{prefix}/results/payload.pkl", Body=b"another")
why("tampered", lambda: get_future(job.job_name).result())
RuntimeEnvironmentManager._current_python_version = lambda self: "3.9"
why("python", remote(lambda: 1))
tags = boto3.client("sagemaker").list_tags(ResourceArn=described["TrainingJobArn"])["Tags"]
print("RESULT " + json.dumps({"found": found, "raised": raised, "tags": tags}))
"""


def test_settings_from_a_file_and_each_way_to_fail(run: Run, tmp_path: Path) -> None:
    """The SDK's configuration file says everything: image, role, the modules beside, packages, what runs before."""
    (tmp_path / "config.yaml").write_text(SETTINGS)
    (tmp_path / "beside.py").write_text("WORD = 'from the folder'\n")
    (tmp_path / "wanted.txt").write_text("toolz\n")
    script = tmp_path / "fails.py"
    script.write_text(FAILURES)
    settings = str(tmp_path / "config.yaml")
    output, answer = run("sagemaker2", str(script), SAGEMAKER_USER_CONFIG_OVERRIDE=settings)
    assert answer["found"] == [[1, 2], "made before", "from the folder!"]
    assert {"Key": "team", "Value": "remote"} in answer["tags"]
    raised = answer["raised"]
    assert raised["unpicklable"][0] == "SerializationError" and "lock" in raised["unpicklable"][1]
    assert raised["missing"] == ["ModuleNotFoundError", "No module named 'not_there'"]
    assert raised["tampered"][0] == "DeserializationError" and "Integrity check" in raised["tampered"][1]
    assert raised["python"][0] == "RuntimeEnvironmentError", raised
    assert "Python version found in the container is '3.11' which does not match" in raised["python"][1]
    assert "Requirements installed" in output or "toolz" in output
