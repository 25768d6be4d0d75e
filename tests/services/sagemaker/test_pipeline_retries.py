"""Retry policies of steps, by every class of exception, each as it really happens: a quota, a machine type of which
there is none, a runner that is killed, a function without concurrency.

What is held: docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from pipeline_requests import PipelineBench, Step
from processing_requests import SKLEARN

INTERNAL, CAPACITY, LIMIT = (f"SageMaker.{name}" for name in ("JOB_INTERNAL_ERROR", "CAPACITY_ERROR", "RESOURCE_LIMIT"))


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    return PipelineBench(server)


def policy(*exceptions: str, **members: Any) -> Step:
    return {"ExceptionType": list(exceptions), "IntervalSeconds": 1, "BackoffRate": 1.0, **members}


def on(bench: PipelineBench, name: str, instance_type: str, *policies: Step, script: str = "true") -> Step:
    """A training step on machines of that type, which no other test uses."""
    machines = {"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": 5}
    members = {"RetryPolicies": list(policies)} if policies else {}
    return bench.training(name, script, Arguments={"ResourceConfig": machines}, **members)


def processing(bench: PipelineBench, name: str, script: str, *policies: Step) -> Step:
    arguments = {
        "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["/bin/sh", "-c", script]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
        },
        "RoleArn": bench.role,
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, "RetryPolicies": list(policies)}


def limit(bench: PipelineBench, instance_type: str, most: int) -> None:
    """A quota for training jobs on that type."""
    quotas = bench.server.client("service-quotas")
    name = f"{instance_type} for training job usage"
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    code = next(quota["QuotaCode"] for page in pages for quota in page["Quotas"] if quota["QuotaName"] == name)
    quotas.request_service_quota_increase(ServiceCode="sagemaker", QuotaCode=code, DesiredValue=float(most))


def shortage(bench: PipelineBench, instance_type: str, seconds: int) -> str:
    command = [sys.executable, "-m", "cloche.cli.main", "jobs", "shortage", instance_type, "--seconds", str(seconds)]
    done = subprocess.run([*command, "--data", str(bench.server.data)], capture_output=True, text=True, check=True)
    return done.stdout


def attempted(bench: PipelineBench, arn: str, step: str) -> Callable[[], bool]:
    return lambda: any(each["StepName"] == step and each["AttemptCount"] for each in bench.steps(arn))


def test_a_quota_that_is_raised_meanwhile(bench: PipelineBench) -> None:
    limit(bench, "ml.m5.4xlarge", 0)
    bench.pipeline(
        "limited",
        on(bench, "patient", "ml.m5.4xlarge", policy(INTERNAL), policy(LIMIT, MaxAttempts=20)),
        on(bench, "alone", "ml.m5.4xlarge"),
    )
    arn = bench.start("limited")
    bench.until(attempted(bench, arn, "patient"))
    limit(bench, "ml.m5.4xlarge", 1)
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Failed"
    patient, alone = bench.step(arn, "patient"), bench.step(arn, "alone")
    assert patient["StepStatus"] == "Succeeded" and patient["AttemptCount"] >= 1
    number = patient["AttemptCount"]
    assert patient["Metadata"]["TrainingJob"]["Arn"].endswith(f"-{number}"), "another attempt is another job"
    # As real executions say it (account-level limits, 2023 and 2024).
    assert alone["FailureReason"].startswith(
        "ClientError: Failed to invoke sagemaker:CreateTrainingJob. Error Details: The account-level service limit "
        "'ml.m5.4xlarge for training job usage' is 0 Instances"
    )
    assert alone["FailureReason"].endswith("the exception type SAGEMAKER_RESOURCE_LIMIT.")


def test_a_shortage_of_machines_that_passes(bench: PipelineBench) -> None:
    assert "no capacity of ml.c4.2xlarge until 2" in shortage(bench, "ml.c4.2xlarge", 3600)
    bench.pipeline(
        "short",
        on(bench, "patient", "ml.c4.2xlarge", policy(CAPACITY, INTERNAL, MaxAttempts=20)),
        on(bench, "other", "ml.c4.2xlarge", policy(INTERNAL, LIMIT)),
        on(bench, "elsewhere", "ml.c4.xlarge"),
    )
    arn = bench.start("short")
    bench.until(attempted(bench, arn, "patient"))
    assert shortage(bench, "ml.c4.2xlarge", 0) == "ml.c4.2xlarge is there again\n"
    bench.execution_ended(arn)
    ended = {name: bench.step(arn, name) for name in ("patient", "other", "elsewhere")}
    assert {name: each["StepStatus"] for name, each in ended.items()} == {
        "patient": "Succeeded",
        "other": "Failed",
        "elsewhere": "Succeeded",
    }
    assert ended["other"]["FailureReason"].startswith(
        "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance "
        "type."
    )
    job = bench.describe(ended["other"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2])
    assert (job["TrainingJobStatus"], "TrainingStartTime" in job) == ("Failed", False)


def kill_runners(bench: PipelineBench, execution: str) -> int:
    """What watches over the processes of this execution's jobs is killed, as hosts are lost."""
    number = execution.rpartition("/")[2]
    found = [
        path for path in (bench.server.data / "run" / "processes").iterdir() if f"-pipelines-{number}-" in path.name
    ]
    for path in found:
        os.kill(int(json.loads((path / "runner.json").read_text())["pid"]), signal.SIGKILL)
    return len(found)


def test_jobs_whose_machines_are_lost(bench: PipelineBench) -> None:
    once = "echo up; sleep 30"
    bench.pipeline(
        "lost",
        bench.training("train", once, RetryPolicies=[policy(INTERNAL, MaxAttempts=1)]),
        processing(bench, "process", once, policy(CAPACITY), policy(INTERNAL, MaxAttempts=1)),
    )
    arn = bench.start("lost")
    for attempt in (1, 2):
        bench.until(lambda attempt=attempt: says_up(bench, arn, attempt), tell=lambda: bench.steps(arn))  # type: ignore[misc]
        assert kill_runners(bench, arn) == 2
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Failed"
    for name in ("train", "process"):
        step = bench.step(arn, name)
        assert step["AttemptCount"] == 1, "there was one retry, and it was lost, too"
        assert step["FailureReason"].startswith("InternalServerError: We encountered an internal error.")


def says_up(bench: PipelineBench, arn: str, jobs: int) -> bool:
    """So many jobs of either kind have printed their line in this execution."""
    said = 0
    for group in ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs"):
        try:
            found = bench.logs.filter_log_events(
                logGroupName=group,
                logStreamNamePrefix=f"pipelines-{arn.rpartition('/')[2]}-",
                filterPattern="up",
            )
        except bench.logs.exceptions.ResourceNotFoundException:
            return False
        said += len(found["events"]) == jobs
    return said == 2


def test_a_function_that_is_throttled(bench: PipelineBench) -> None:
    """Without any policy: throttling is tried again by itself."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("code.py"), "def handler(event, context):\n    return {'said': event['say']}\n")
    functions = bench.server.client("lambda")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = functions.create_function(
        FunctionName="throttled-step",
        Runtime="python3.12",
        Role=bench.role_that("throttled", {"Version": "2012-10-17", "Statement": [trust]}),
        Handler="code.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="throttled-step", WaiterConfig={"Delay": 1})
    functions.put_function_concurrency(FunctionName="throttled-step", ReservedConcurrentExecutions=0)
    outputs = [{"OutputName": "said", "OutputType": "String"}]
    call = {"Name": "call", "Type": "Lambda", "FunctionArn": made["FunctionArn"], "Arguments": {"say": "hello"}}
    bench.pipeline("throttled", {**call, "OutputParameters": outputs})
    arn = bench.start("throttled")
    bench.until(attempted(bench, arn, "call"))
    functions.delete_function_concurrency(FunctionName="throttled-step")
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Succeeded"
    assert bench.step(arn, "call")["Metadata"]["Lambda"]["OutputParameters"] == [{"Name": "said", "Value": "hello"}]


def test_pauses_grow_and_a_policy_expires(start_server: Callable[..., Any]) -> None:
    """On a clock that stands: the whole story of minutes is one advance."""
    server = start_server()
    bench = PipelineBench(server)
    server.turn_clock("freeze")
    limit(bench, "ml.m5.4xlarge", 0)
    growing = policy(LIMIT, IntervalSeconds=10, BackoffRate=2.0, MaxAttempts=4)
    expiring = policy(LIMIT, IntervalSeconds=25, ExpireAfterMin=1)
    bench.pipeline(
        "patience", on(bench, "grows", "ml.m5.4xlarge", growing), on(bench, "expires", "ml.m5.4xlarge", expiring)
    )
    arn = bench.start("patience")
    bench.until(lambda: len(bench.steps(arn)) == 2)
    server.turn_clock("advance", "1h")
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Failed"
    grows, expires = bench.step(arn, "grows"), bench.step(arn, "expires")
    took = {each["StepName"]: round((each["EndTime"] - each["StartTime"]).total_seconds()) for each in (grows, expires)}
    assert (grows["AttemptCount"], took["grows"]) == (4, 10 + 20 + 40 + 80)
    assert (expires["AttemptCount"], took["expires"]) == (3, 75), "the error after a minute was the last"
