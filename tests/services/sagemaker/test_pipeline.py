"""The story of pipelines: made, changed, described by version, deleted; and definitions that are refused."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_requests import PipelineBench, condition, definition, equals, fail, get
from training_requests import BUCKET

CASES = Path(__file__).parents[4] / "shared" / "reference" / "cases"
TRIVIAL = definition(condition("only", equals(1, 1)))


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    return PipelineBench(server)


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def create(bench: PipelineBench, name: str, text: str, **members: Any) -> Any:
    return bench.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=bench.role, **members)


def test_every_changed_definition_is_a_version(bench: PipelineBench) -> None:
    arn = create(bench, "versions", TRIVIAL, PipelineDescription="one")["PipelineArn"]
    other = definition(condition("other", equals(1, 1)))
    update = bench.sagemaker.update_pipeline
    assert update(PipelineName="versions", PipelineDescription="still one")["PipelineVersionId"] == 1
    assert update(PipelineName="versions", PipelineDefinition=TRIVIAL)["PipelineVersionId"] == 1
    assert update(PipelineName="versions", PipelineDefinition=other)["PipelineVersionId"] == 2
    described = bench.sagemaker.describe_pipeline(PipelineName=arn)
    assert (described["PipelineDefinition"], described["PipelineDescription"]) == (other, "still one")
    assert described["PipelineStatus"] == "Active"
    assert described["CreatedBy"]["IamIdentity"]["Arn"].endswith(":root")
    first = bench.sagemaker.describe_pipeline(PipelineName="versions", PipelineVersionId=1)
    assert first["PipelineDefinition"] == TRIVIAL
    bench.sagemaker.update_pipeline_version(
        PipelineArn=arn,
        PipelineVersionId=1,
        PipelineVersionDisplayName="old",
        PipelineVersionAliasOperations={"Add": ["stable"]},
    )
    execution = bench.start("versions", PipelineVersionAlias="stable")
    bench.execution_ended(execution)
    assert [step["StepName"] for step in bench.steps(execution)] == ["only"]
    used = bench.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution)
    assert used["PipelineDefinition"] == TRIVIAL
    listed = bench.sagemaker.list_pipeline_versions(PipelineName="versions")["PipelineVersionSummaries"]
    assert [each["PipelineVersionId"] for each in listed] == [2, 1]
    assert listed[1]["PipelineVersionDisplayName"] == "old"
    assert listed[1]["PipelineVersionAliases"] == ["stable"]
    assert listed[1]["LastExecutionPipelineExecutionArn"] == execution
    code, _ = refused(lambda: bench.sagemaker.describe_pipeline(PipelineName="versions", PipelineVersionId=9))
    assert code == "ResourceNotFound"


def test_versions_are_searched_for(bench: PipelineBench) -> None:
    began = time.time()
    arn = create(bench, "sought", TRIVIAL)["PipelineArn"]
    for number in range(2, 5):
        more = definition(condition(f"step-{number}", equals(1, 1)))
        bench.sagemaker.update_pipeline(PipelineName="sought", PipelineDefinition=more)
    bench.sagemaker.update_pipeline_version(
        PipelineArn=arn,
        PipelineVersionId=2,
        PipelineVersionDisplayName="second",
        PipelineVersionDescription="the one with one more step",
        PipelineVersionAliasOperations={"Add": ["prod", "stable"]},
    )
    execution = bench.start("sought", PipelineVersionId=2, PipelineExecutionDisplayName="run-of-two")
    bench.execution_ended(execution)

    def found(*filters: tuple[str, str, str], **members: Any) -> list[dict[str, Any]]:
        mine = [("PipelineArn", "Equals", arn), *filters]
        expression = {"Filters": [dict(zip(("Name", "Operator", "Value"), each, strict=True)) for each in mine]}
        pages = bench.sagemaker.get_paginator("search").paginate(
            Resource="PipelineVersion", SearchExpression=expression, **members
        )
        return [each["PipelineVersion"] for page in pages for each in page["Results"]]

    def numbers(*filters: tuple[str, str, str], **members: Any) -> list[int]:
        members = {"SortBy": "PipelineVersionId", "SortOrder": "Ascending", **members}
        return [each["PipelineVersionId"] for each in found(*filters, **members)]

    assert numbers(PaginationConfig={"PageSize": 2}) == [1, 2, 3, 4]
    assert numbers(("PipelineVersionId", "GreaterThan", "2"), SortOrder="Descending") == [4, 3]
    assert numbers(("PipelineVersionDisplayName", "Contains", "sec")) == [2]
    assert numbers(("PipelineVersionAliases", "Equals", "stable")) == [2]
    assert numbers(("LastExecutedPipelineExecutionStatus", "Equals", "Succeeded")) == [2]
    assert numbers(("LastExecutedPipelineExecutionStatus", "NotEquals", "Succeeded")) == [1, 3, 4]
    assert found()[0]["PipelineVersionId"] == 2, "it was changed last"
    second, plain = found(("PipelineVersionId", "Equals", "2"))[0], found(("PipelineVersionId", "Equals", "1"))[0]
    person = {"IamIdentity": bench.sagemaker.describe_pipeline(PipelineName=arn)["CreatedBy"]["IamIdentity"]}
    assert began - 1 < second.pop("CreationTime").timestamp() <= second.pop("LastModifiedTime").timestamp()
    assert second == {
        "PipelineArn": arn,
        "PipelineVersionId": 2,
        "PipelineVersionDisplayName": "second",
        "PipelineVersionDescription": "the one with one more step",
        "PipelineVersionAliases": ["prod", "stable"],
        "CreatedBy": person,
        "LastModifiedBy": person,
        "LastExecutedPipelineExecutionArn": execution,
        "LastExecutedPipelineExecutionDisplayName": "run-of-two",
        "LastExecutedPipelineExecutionStatus": "Succeeded",
    }
    assert set(plain) == {
        *("PipelineArn", "PipelineVersionId", "CreationTime", "LastModifiedTime", "CreatedBy", "LastModifiedBy")
    }
    assert plain["CreationTime"] == plain["LastModifiedTime"]
    with pytest.raises(ClientError, match="Unknown property name"):
        numbers(("PipelineVersionColour", "Equals", "red"))
    bench.sagemaker.delete_pipeline(PipelineName="sought")
    assert numbers() == []


def test_what_sdks_look_for_when_a_pipeline_is_there_already(bench: PipelineBench) -> None:
    create(bench, "twice", TRIVIAL)
    code, message = refused(lambda: create(bench, "twice", TRIVIAL))
    assert code == "ValidationException"
    assert "already exists" in message and "must be unique within an AWS account" in message


def test_a_definition_may_be_an_object(bench: PipelineBench) -> None:
    steps = [condition(f"step-{number}", equals(number, number)) for number in range(5_000)]
    for earlier, later in itertools.pairwise(steps):
        later["DependsOn"] = [earlier["Name"]]
    text = definition(*steps)
    bench.s3.put_object(Bucket=BUCKET, Key="definition.json", Body=text.encode())
    location = {"Bucket": BUCKET, "ObjectKey": "definition.json"}
    bench.sagemaker.create_pipeline(PipelineName="large", PipelineDefinitionS3Location=location, RoleArn=bench.role)
    assert bench.sagemaker.describe_pipeline(PipelineName="large")["PipelineDefinition"] == text
    arn = bench.start("large")
    assert bench.execution_ended(arn, 100)["PipelineExecutionStatus"] == "Succeeded"
    newest = bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, MaxResults=1)
    assert newest["PipelineExecutionSteps"][0]["StepName"] == "step-4999"
    code, message = refused(
        lambda: bench.sagemaker.create_pipeline(
            PipelineName="nowhere",
            PipelineDefinitionS3Location={"Bucket": BUCKET, "ObjectKey": "not-there"},
            RoleArn=bench.role,
        )
    )
    assert code == "ValidationException" and "not-there" in message


def test_executions_are_listed_and_go_with_their_pipeline(bench: PipelineBench) -> None:
    arn = create(bench, "goes", TRIVIAL)["PipelineArn"]
    executions = [bench.start("goes", PipelineExecutionDisplayName=f"number-{number}") for number in range(3)]
    for each in executions:
        bench.execution_ended(each)
    pages = bench.sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName="goes", PaginationConfig={"PageSize": 2}
    )
    listed = [each for page in pages for each in page["PipelineExecutionSummaries"]]
    assert [each["PipelineExecutionArn"] for each in listed] == executions[::-1]
    assert {each["PipelineExecutionStatus"] for each in listed} == {"Succeeded"}
    described = bench.execution(executions[0])
    assert described["PipelineExecutionDisplayName"] == "number-0"
    assert "LastRunTime" in bench.sagemaker.describe_pipeline(PipelineName="goes")
    bench.sagemaker.update_pipeline_execution(
        PipelineExecutionArn=executions[0], PipelineExecutionDescription="the first"
    )
    assert bench.execution(executions[0])["PipelineExecutionDescription"] == "the first"
    assert bench.sagemaker.delete_pipeline(PipelineName="goes")["PipelineArn"] == arn
    assert refused(lambda: bench.execution(executions[0]))[0] == "ResourceNotFound"
    assert refused(lambda: bench.start("goes"))[0] == "ResourceNotFound"
    create(bench, "goes", TRIVIAL)
    assert bench.sagemaker.list_pipeline_executions(PipelineName="goes")["PipelineExecutionSummaries"] == []


def test_a_running_pipeline_is_not_deleted(bench: PipelineBench) -> None:
    bench.pipeline("busy", bench.training("long", "sleep 100"))
    arn = bench.start("busy")
    assert refused(lambda: bench.sagemaker.delete_pipeline(PipelineName="busy"))[0] == "ConflictException"
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    bench.execution_ended(arn)
    bench.sagemaker.delete_pipeline(PipelineName="busy")


def test_the_same_token_starts_one_execution(bench: PipelineBench) -> None:
    create(bench, "once", TRIVIAL)
    token = "t" * 32
    assert bench.start("once", ClientRequestToken=token) == bench.start("once", ClientRequestToken=token)


@pytest.mark.parametrize("case", ["pipe-01-abalone-lambda", "pipe-03-selective-execution"])
def test_definitions_of_sdk_notebooks_are_taken_unchanged(bench: PipelineBench, case: str) -> None:
    path = CASES / case / "expected" / "definition.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    text = json.dumps(json.loads(path.read_text()))
    create(bench, case, text)
    assert bench.sagemaker.describe_pipeline(PipelineName=case)["PipelineDefinition"] == text


def _nested(depth: int) -> dict[str, Any]:
    step = condition(f"level-{depth}", equals(1, 1))
    for level in range(depth - 1, 0, -1):
        step = condition(f"level-{level}", equals(1, 1), then=[step])
    return step


TRAIN = {"Name": "train", "Type": "Training", "Arguments": {}}
BAD: list[tuple[str, str]] = [
    ("{", "Unable to parse pipeline definition. It is not JSON"),
    ("[" * 5_000 + "]" * 5_000, "Unable to parse pipeline definition."),
    ("[]", "Expecting start of Json Object"),
    (json.dumps({"Version": "2020-12-01", "Steps": {}}), "Expecting start of Json Array"),
    (json.dumps({"Version": "2021-01-01", "Steps": []}), "Version must be 2020-12-01"),
    (definition(), "It has no steps"),
    (definition({"Name": "a b", "Type": "Fail"}), "'a b' is not the Name of a step"),
    (definition(condition("x" * 65, equals(1, 1))), "is not the Name of a step"),
    (definition(condition("a", equals(1, 1)), fail("a")), "two steps called a"),
    (definition({"Name": "a", "Type": "Dance"}), "The step a is of the unknown Type 'Dance'"),
    (definition({"Name": "a", "Type": "EMR"}), "The step a is of the type EMR, which Cloche does not run"),
    (definition({"Name": "a", "Type": "ClarifyCheck"}), "ClarifyCheck, which Cloche does not run"),
    (
        definition({"Name": "a", "Type": "QualityCheck", "CheckType": "DATA_BIAS"}),
        "In the step a: CheckType must be one of DATA_QUALITY, MODEL_QUALITY, not 'DATA_BIAS'",
    ),
    (
        definition(
            {"Name": "a", "Type": "QualityCheck", "CheckType": "DATA_QUALITY"},
            condition("b", equals(get("Steps.a.ProcessingJobName"), 1)),
        ),
        "a QualityCheck step has only CalculatedBaselineStatistics",
    ),
    (definition(condition("a", equals(get("Parameters.No"), 1))), "In the step a: it refers to the parameter No"),
    (definition(condition("a", equals(get("Steps.b.Outcome"), 1))), "In the step a: it refers to the step b"),
    (definition(condition("a", equals(get("Execution.Mood"), 1))), "Execution.Mood"),
    (definition(condition("a", equals(get("Elsewhere"), 1))), "'Elsewhere' is not a reference"),
    (definition(condition("a", {"Type": "Sometimes"})), "'Sometimes' is not a type of condition"),
    (definition(condition("a", {"Type": "In", "QueryValue": 1, "Values": 2})), "Values of an In condition"),
    (definition(condition("a", DependsOn=["b"])), "In the step a: DependsOn names the step b"),
    (definition(condition("a", DependsOn=["b"]), fail("b")), "a can not depends on b"),
    (
        definition(condition("a", DependsOn=["b"]), condition("b", equals(get("Steps.a.Outcome"), True))),
        "These steps wait for each other in a circle: a, b",
    ),
    (definition(condition("a", equals(get("Steps.a.Outcome"), True))), "in a circle: a"),
    (definition(_nested(120)), "nested deeper than"),
    (definition({**TRAIN, "CacheConfig": {"Enabled": True, "ExpireAfter": "soon"}}), "'soon' is not a duration"),
    (definition({**TRAIN, "RetryPolicies": [{"ExceptionType": ["Bad.LUCK"]}]}), "'Bad.LUCK' is none of"),
    (
        definition({**TRAIN, "RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 21}]}),
        "MaxAttempts must be an integer from 0 to 20",
    ),
    (
        definition(
            condition(
                "a", equals({"Std:JsonGet": {"PropertyFile": get("Steps.train.PropertyFiles.p"), "Path": "x"}}, 1)
            ),
            TRAIN,
        ),
        "the property file p, which the step train does not have",
    ),
    (definition(TRAIN, parameters=[{"Name": "p", "Type": "Date"}]), "has the Type 'Date'"),
    (
        definition(TRAIN, parameters=[{"Name": "p", "Type": "Integer", "DefaultValue": "x"}]),
        "DefaultValue of the parameter p",
    ),
    (definition(TRAIN, parameters=[{"Name": "p", "Type": "String"}] * 2), "two parameters called p"),
    (definition({"Name": "l", "Type": "Lambda", "Arguments": {}}), "In the step l: a Lambda step needs FunctionArn"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_definitions_are_refused_in_words(bench: PipelineBench, number: int) -> None:
    text, said = BAD[number]
    code, message = refused(lambda: create(bench, f"bad-{number}", text))
    assert code == "ValidationException"
    assert said in message
    assert len(message) < 1_000


def test_conditions_nested_deeply_are_walked_to_the_last(bench: PipelineBench) -> None:
    held: dict[str, Any] = equals(1, 1)
    for level in range(60):
        held = {"Type": "And", "Conditions": [held]} if level % 2 else {"Type": "Or", "Conditions": [held]}
    steps = _nested(45)
    steps["Arguments"]["Conditions"] = [held]
    arn, ended = bench.run_pipeline("deep", steps)
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert [step["StepName"] for step in bench.steps(arn)] == [f"level-{level}" for level in range(1, 46)]
    for _ in range(10):
        held = {"Type": "And", "Conditions": [held]}
    code, message = refused(lambda: create(bench, "deeper", definition(condition("a", held))))
    assert code == "ValidationException" and "conditions may not be nested deeper than 64" in message


def test_names_at_their_limits(bench: PipelineBench) -> None:
    name = "p" * 256
    step = condition("s" * 64, equals(1, 1))
    arn, ended = bench.run_pipeline(name, step)
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert bench.steps(arn)[0]["StepName"] == "s" * 64
    assert refused(lambda: create(bench, name + "p", TRIVIAL))[0] == "ValidationException"
