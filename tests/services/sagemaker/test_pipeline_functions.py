"""Lambda steps: what functions are given, what becomes of their answers and failures; and models that are served."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from pipeline_requests import PipelineBench, condition, equals, get
from training_requests import XGBOOST

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
CODE = """
import time

def handler(event, context):
    if event.get("fail"):
        raise ValueError("as told")
    time.sleep(event.get("seconds", 0))
    return {"statusCode": 200, "body": "made " + event["name"], "other_key": {"a": 1}, "more": event["name"] * 3}
"""
OUTPUTS = [
    {"OutputName": "statusCode", "OutputType": "String"},
    {"OutputName": "body", "OutputType": "String"},
    {"OutputName": "other_key", "OutputType": "String"},
]


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    made = PipelineBench(server)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("code.py"), CODE)
    functions = server.client("lambda")
    functions.create_function(
        FunctionName="of-steps",
        Runtime="python3.12",
        Role=made.role_that("of-functions", TRUST),
        Handler="code.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=30,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="of-steps", WaiterConfig={"Delay": 1})
    return made


def step(name: str, function: str = "of-steps", /, **arguments: Any) -> dict[str, Any]:
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function}"
    return {"Name": name, "Type": "Lambda", "FunctionArn": arn, "Arguments": arguments, "OutputParameters": OUTPUTS}


def test_a_functions_answer_is_what_later_steps_know(bench: PipelineBench) -> None:
    """As case pipe-01: a status, a body, another key."""
    checked = condition(
        "checked",
        equals(get("Steps.call.OutputParameters['body']"), "made x"),
        equals(get("Steps.call.OutputParameters['statusCode']"), "200"),
    )
    arn, ended = bench.run_pipeline("calls", step("call", name="x"), checked)
    assert ended["PipelineExecutionStatus"] == "Succeeded", bench.steps(arn)
    assert bench.step(arn, "checked")["Metadata"]["Condition"]["Outcome"] == "True"
    held = bench.step(arn, "call")["Metadata"]["Lambda"]
    assert held["Arn"].endswith(":function:of-steps")
    outputs = {each["Name"]: each["Value"] for each in held["OutputParameters"]}
    assert outputs == {"statusCode": "200", "body": "made x", "other_key": '{"a":1}'}


def test_a_function_that_fails_fails_its_step(bench: PipelineBench) -> None:
    arn, ended = bench.run_pipeline("fails-in-lambda", step("call", fail=True))
    assert ended["PipelineExecutionStatus"] == "Failed"
    assert "as told" in bench.step(arn, "call")["FailureReason"]
    arn, ended = bench.run_pipeline("no-function", step("call", "nobody", name="x"))
    assert ended["PipelineExecutionStatus"] == "Failed"
    assert bench.step(arn, "call")["FailureReason"].startswith("ClientError: Failed to invoke lambda:Invoke.")


def test_a_stop_waits_for_the_function(bench: PipelineBench) -> None:
    bench.pipeline("slow-call", step("call", name="x", seconds=2), step("other", name="y", seconds=0))
    arn = bench.start("slow-call")
    bench.until(lambda: bool(bench.steps(arn)))
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Stopped"
    assert bench.step(arn, "call")["StepStatus"] == "Succeeded"


def test_a_model_is_made_and_served(bench: PipelineBench) -> None:
    """EndpointConfig and Endpoint as SDK 2.257 and 3 write them, with names of their own."""
    script = "echo 'def model_fn(d): return 1' > /opt/ml/model/code.py; echo x > /opt/ml/model/xgboost-model"
    image = {"Image": XGBOOST, "ModelDataUrl": get("Steps.train.ModelArtifacts.S3ModelArtifacts")}
    model = {"Name": "model", "Type": "Model", "Arguments": {"ExecutionRoleArn": bench.role, "PrimaryContainer": image}}
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": get("Steps.model.ModelName"),
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    config = {"Name": "config", "Type": "EndpointConfig", "Arguments": {"ProductionVariants": [variant]}}
    named = {"EndpointConfigName": get("Steps.config.EndpointConfigName"), "EndpointName": "of-a-pipeline"}
    endpoint = {"Name": "endpoint", "Type": "Endpoint", "Arguments": named}
    bench.pipeline("served", bench.training("train", script), model, config)
    arn = bench.start("served")
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Succeeded", bench.steps(arn)
    made = bench.step(arn, "config")["Metadata"]["EndpointConfig"]["Arn"].rpartition("/")[2]
    held = bench.sagemaker.describe_endpoint_config(EndpointConfigName=made)
    assert held["ProductionVariants"][0]["ModelName"].startswith("pipelines-")
    text = json.dumps({"Version": "2020-12-01", "Steps": [bench.training("train", script), model, config, endpoint]})
    bench.sagemaker.update_pipeline(PipelineName="served", PipelineDefinition=text)
    bench.sagemaker.create_endpoint(EndpointName="of-a-pipeline", EndpointConfigName=made)
    arn = bench.start("served")
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Failed"
    assert "of-a-pipeline" in bench.step(arn, "endpoint")["FailureReason"], (
        "another's endpoint is not taken for its own"
    )
