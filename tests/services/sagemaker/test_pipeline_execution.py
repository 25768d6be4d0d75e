"""What executions of pipelines come to: order, branches, failures, children, stops and retries."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_requests import PipelineBench, condition, equals, fail, get


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    return PipelineBench(server)


def test_a_condition_chooses_a_branch(bench: PipelineBench) -> None:
    parameters = [{"Name": "Limit", "Type": "Integer", "DefaultValue": 2}]
    chain = condition("second", equals(get("Steps.first.Outcome"), True), then=[], other=[fail("never")])
    first = condition("first", equals(get("Parameters.Limit"), 2), then=[chain])
    arn, ended = bench.run_pipeline("branches", first, parameters=parameters)
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    steps = bench.steps(arn)
    assert [step["StepName"] for step in steps] == ["first", "second"]
    assert {step["StepStatus"] for step in steps} == {"Succeeded"}
    assert steps[0]["Metadata"] == {"Condition": {"Outcome": "True"}}


def test_a_fail_step_fails_the_execution_with_its_message(bench: PipelineBench) -> None:
    message = {"Std:Join": {"On": ": ", "Values": ["it returns", get("Steps.asked.Outcome")]}}
    arn, ended = bench.run_pipeline("failing", condition("asked", equals(1, 2), other=[fail("the-end", message)]))
    assert ended["PipelineExecutionStatus"] == "Failed"
    assert ended["FailureReason"] == "Step failure: One or multiple steps failed."
    step = bench.step(arn, "the-end")
    assert step["FailureReason"] == "it returns: false"
    assert step["Metadata"] == {"Fail": {"ErrorMessage": "it returns: false"}}


def test_training_then_model_by_property_references(bench: PipelineBench) -> None:
    train = bench.training("Train-it_well", "echo hello > /opt/ml/model/model")
    model = {
        "Name": "Make-Model-CreateModel",
        "Type": "Model",
        "Arguments": {
            "ExecutionRoleArn": bench.role,
            "PrimaryContainer": {
                "Image": train["Arguments"]["AlgorithmSpecification"]["TrainingImage"],
                "ModelDataUrl": get("Steps.Train-it_well.ModelArtifacts.S3ModelArtifacts"),
            },
        },
    }
    arn, ended = bench.run_pipeline("train-and-model", train, model)
    assert ended["PipelineExecutionStatus"] == "Succeeded", bench.steps(arn)
    first, second = bench.steps(arn)
    id = arn.rpartition("/")[2]
    job = first["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    assert job.startswith(f"pipelines-{id}-Train-it-well-")
    described = bench.describe(job)
    assert described["TrainingJobStatus"] == "Completed"
    name = second["Metadata"]["Model"]["Arn"].rpartition("/")[2]
    assert name.startswith(f"pipelines-{id}-make-model-createmod-")
    container = bench.sagemaker.describe_model(ModelName=name)["PrimaryContainer"]
    assert container["ModelDataUrl"] == described["ModelArtifacts"]["S3ModelArtifacts"]
