"""A pipeline's Lambda step calls a function that is really there: its answer becomes the step's outputs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from function_requests import make_function

Client = Callable[..., Any]
ROLE = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"
CODE = """
def lambda_handler(event, context):
    if event["n"] < 0:
        raise ValueError("a negative number")
    return {"statusCode": 200, "sum": event["n"] + 1, "name": context.function_name}
"""


def _ended(client: Client, name: str, n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The execution and its step, once both have ended."""
    sagemaker = client("sagemaker")
    parameters = [{"Name": "n", "Value": str(n)}]
    arn = sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=parameters)["PipelineExecutionArn"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if told["PipelineExecutionStatus"] != "Executing":
            (step,) = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
            return told, step
        time.sleep(0.1)
    raise AssertionError("the execution did not end")


def test_a_step_calls_the_function(client: Client) -> None:
    arn = make_function(client, "of-a-pipeline", CODE, Timeout=20)["FunctionArn"]
    step = {
        "Name": "Call",
        "Type": "Lambda",
        "Arguments": {"n": {"Get": "Parameters.n"}},
        "FunctionArn": arn,
        "OutputParameters": [
            {"OutputName": "sum", "OutputType": "Integer"},
            {"OutputName": "name", "OutputType": "String"},
        ],
    }
    parameters = [{"Name": "n", "Type": "Integer"}]
    definition = json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": [step]})
    client("sagemaker").create_pipeline(
        PipelineName="calls-lambda", PipelineDefinition=definition, RoleArn=ROLE, ClientRequestToken="t" * 32
    )
    execution, called = _ended(client, "calls-lambda", 41)
    assert (execution["PipelineExecutionStatus"], called["StepStatus"]) == ("Succeeded", "Succeeded")
    told = called["Metadata"]["Lambda"]
    assert told["Arn"] == arn
    outputs = {each["Name"]: each["Value"] for each in told["OutputParameters"]}
    assert outputs == {"sum": "42", "name": "of-a-pipeline"}
    execution, called = _ended(client, "calls-lambda", -1)
    assert (execution["PipelineExecutionStatus"], called["StepStatus"]) == ("Failed", "Failed")
    assert "a negative number" in called["FailureReason"]
