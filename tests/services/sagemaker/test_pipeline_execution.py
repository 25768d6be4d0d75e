"""What executions of pipelines come to: order, branches, failures, children, stops and retries."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_requests import PipelineBench, condition, equals, fail, get
from training_requests import BUCKET, channel


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


def test_a_job_that_fails_fails_what_follows(bench: PipelineBench) -> None:
    after = bench.training("after", DependsOn=["breaks"])
    arn, ended = bench.run_pipeline("broken-job", bench.training("breaks", "exit 3"), after)
    assert ended["PipelineExecutionStatus"] == "Failed"
    (step,) = bench.steps(arn)
    assert step["StepStatus"] == "Failed"
    job = step["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    assert step["FailureReason"] == f"ClientError: {bench.describe(job)['FailureReason']}"


def test_a_refused_create_says_what_was_refused(bench: PipelineBench) -> None:
    refused = bench.training("refused", Arguments={"OutputDataConfig": {"S3OutputPath": "no address"}})
    arn, ended = bench.run_pipeline("refused-create", refused)
    assert ended["PipelineExecutionStatus"] == "Failed"
    reason = bench.step(arn, "refused")["FailureReason"]
    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateTrainingJob. Error Details: ")
    assert "s3OutputPath" in reason


def test_a_failure_that_is_waited_for_is_no_failure_of_the_execution(bench: PipelineBench) -> None:
    when_failed = condition("tidy-up", equals(1, 1), DependsOn=[{"Step": "breaks", "Trigger": "Failed"}])
    skipped = condition("not-this", equals(1, 1), DependsOn=["breaks"])
    arn, ended = bench.run_pipeline("caught", bench.training("breaks", "exit 3"), when_failed, skipped)
    assert ended["PipelineExecutionStatus"] == "CompletedWithFailures"
    assert [step["StepName"] for step in bench.steps(arn)] == ["breaks", "tidy-up"]


def test_parameters_are_typed_checked_and_listed(bench: PipelineBench) -> None:
    parameters = [
        {"Name": "Rate", "Type": "Float", "DefaultValue": 4},
        {"Name": "Count", "Type": "Integer"},
        {"Name": "Kind", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
        {"Name": "Wanted", "Type": "Boolean", "DefaultValue": True},
    ]
    all_hold = [
        {"Type": "GreaterThan", "LeftValue": get("Parameters.Rate"), "RightValue": 3.5},
        {"Type": "In", "QueryValue": get("Parameters.Kind"), "Values": ["b", "c"]},
        {"Type": "Not", "Condition": equals(get("Parameters.Wanted"), True)},
        {
            "Type": "Or",
            "Conditions": [
                equals(1, 2),
                {"Type": "LessThanOrEqualTo", "LeftValue": get("Parameters.Count"), "RightValue": 7},
            ],
        },
    ]
    bench.pipeline("typed", condition("all", *all_hold, then=[fail("reached")]), parameters=parameters)
    arn = bench.start("typed", {"Count": "7", "Kind": "b", "Wanted": "False"})
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Failed"
    pages = bench.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
        PipelineExecutionArn=arn, PaginationConfig={"PageSize": 3}
    )
    listed = {each["Name"]: each["Value"] for page in pages for each in page["PipelineParameters"]}
    assert listed == {"Rate": "4.0", "Count": "7", "Kind": "b", "Wanted": "false"}
    for given, said in (
        ({}, "Count"),
        ({"Count": "many"}, "Integer"),
        ({"Count": "1", "Kind": "c"}, "Kind"),
        ({"Count": "1", "Other": "c"}, "Other"),
    ):
        with pytest.raises(ClientError, match=said) as caught:
            bench.start("typed", given)
        assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_stop_stops_what_runs(bench: PipelineBench) -> None:
    bench.pipeline("stopped", bench.training("long", "sleep 100"), bench.training("never", DependsOn=["long"]))
    arn = bench.start("stopped")
    bench.until(lambda: bool(bench.steps(arn)))
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Stopped"
    (step,) = bench.steps(arn)
    assert step["StepStatus"] == "Stopped"
    assert bench.describe(step["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2])["TrainingJobStatus"] == "Stopped"
    with pytest.raises(bench.sagemaker.exceptions.ConflictException):
        bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_a_retry_runs_again_what_failed_and_nothing_else(bench: PipelineBench) -> None:
    fragile = bench.training(
        "fragile",
        "test -s /opt/ml/input/data/ready/rows.csv",
        Arguments={"InputDataConfig": [channel("ready", "retry-input/")]},
        DependsOn=["solid"],
    )
    bench.s3.put_object(Bucket=BUCKET, Key="retry-input/rows.csv", Body=b"")
    arn, ended = bench.run_pipeline("retried", bench.training("solid"), fragile)
    assert ended["PipelineExecutionStatus"] == "Failed"
    before = {step["StepName"]: step for step in bench.steps(arn)}
    bench.s3.put_object(Bucket=BUCKET, Key="retry-input/rows.csv", Body=b"1,2\n")
    bench.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    ended = bench.execution_ended(arn)
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert "FailureReason" not in ended
    after = {step["StepName"]: step for step in bench.steps(arn)}
    assert after["solid"] == before["solid"]
    assert after["fragile"]["Metadata"] != before["fragile"]["Metadata"]
    assert after["fragile"]["AttemptCount"] == 1
    with pytest.raises(bench.sagemaker.exceptions.ConflictException):
        bench.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)


def test_no_more_steps_at_once_than_are_wanted(bench: PipelineBench) -> None:
    steps = [bench.training(f"one-{number}", "sleep 0.3") for number in range(3)]
    bench.pipeline("in-turn", *steps)
    arn = bench.start("in-turn", ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Succeeded"
    times = [(step["StartTime"], step["EndTime"]) for step in bench.steps(arn)]
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(times))


def test_conditions_over_what_is_not_there_fail_in_words(bench: PipelineBench) -> None:
    train = bench.training("train")
    read = {
        "Std:JsonGet": {
            "S3Uri": {"Std:Join": {"On": "/", "Values": ["s3:/", BUCKET, "metrics.json"]}},
            "Path": "a.b[1]",
        }
    }
    asked = condition("asked", {"Type": "LessThan", "LeftValue": read, "RightValue": 1}, DependsOn=["train"])
    for name, body, said in (
        ("no-file", None, "cannot be read"),
        ("no-json", b"{", "is not JSON"),
        ("no-path", b'{"a": {"b": [1]}}', "the JSON path 'a.b[1]' is not in"),
        ("no-number", b'{"a": {"b": [1, "x"]}}', "cannot compare"),
    ):
        bench.s3.delete_object(Bucket=BUCKET, Key="metrics.json")
        if body is not None:
            bench.s3.put_object(Bucket=BUCKET, Key="metrics.json", Body=body)
        arn, ended = bench.run_pipeline(name, train, asked)
        assert ended["PipelineExecutionStatus"] == "Failed"
        assert said in bench.step(arn, "asked")["FailureReason"]
