"""The pure parts of pipelines: durations, paths, functions, retries, names, cache keys, tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.pipelines import caching, conditions, naming, retrying
from cloche.engines.pipelines.definition import parse
from cloche.engines.pipelines.durations import seconds_of
from cloche.engines.pipelines.expressions import evaluate, text_of
from cloche.engines.pipelines.kinds import CHILDREN, RETRIED, UNSUPPORTED, WITHOUT_CHILD
from cloche.engines.pipelines.machine import LIFECYCLE
from cloche.engines.pipelines.references import Undefined, parts_of, value_at
from cloche.foundation.errors import Invalid

ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p/execution/is6ph1fp4go8"


class Scope:
    """All that a step could know."""

    def parameter(self, name: str) -> Any:
        return {"Count": 3, "Rate": 0.5}[name]

    def variable(self, name: str) -> Any:
        return name.lower()

    def properties(self, step: str) -> Any:
        outputs = [{"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}}, {"OutputName": "test"}]
        return {"ProcessingOutputConfig": {"Outputs": outputs}, "Outcome": False, "Jobs": [{"Name": "j"}]}

    def property_file(self, step: str, name: str) -> Any:
        return {"metrics": [{"value": 1.5}], "odd.key": 2}

    def json_at(self, uri: str) -> Any:
        return {"at": uri}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("p30d", 30 * 86_400),
        ("P4DT12H", 4 * 86_400 + 43_200),
        ("T12H", 43_200),
        ("30d", 30 * 86_400),
        ("5y", 5 * 365 * 86_400),
        ("T16m", 960),
        ("30dT5h", 30 * 86_400 + 18_000),
        ("PT1H", 3_600),
        ("P1M", 30 * 86_400),
        ("P1W", 7 * 86_400),
        ("PT1M30S", 90),
    ],
)
def test_durations_as_aws_and_iso_write_them(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "P", "T", "PT", "1", "P1", "1h", "P1H", "-P1D", "P1D2H", "P1.5D", " P1D", "forever"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Invalid):
        seconds_of(text)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"Get": "Steps.S.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}, "s3://b/train"),
        ({"Get": 'Steps.S.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri'}, "s3://b/train"),
        ({"Get": "Steps.S.Jobs[0].Name"}, "j"),
        ({"Get": "Steps.S.Outcome"}, False),
        ({"Std:Join": {"On": "/", "Values": [{"Get": "Parameters.Count"}, {"Get": "Steps.S.Outcome"}]}}, "3/false"),
        ({"Std:Join": {"Values": [{"Get": "Parameters.Rate"}]}}, "0.5"),
        ({"Std:JsonGet": {"PropertyFile": {"Get": "Steps.S.PropertyFiles.F"}, "Path": "metrics[0].value"}}, 1.5),
        ({"Std:JsonGet": {"PropertyFile": {"Get": "Steps.S.PropertyFiles.F"}, "Path": "['odd.key']"}}, 2),
        ({"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3:/", "b"]}}, "Path": "at"}}, "s3://b"),
        ({"deep": [{"Get": "Execution.PipelineName"}]}, {"deep": ["pipelinename"]}),
        ({"Get": 1, "other": 2}, {"Get": 1, "other": 2}),
    ],
)  # fmt: skip
def test_functions_stand_for_values(value: Any, wanted: Any) -> None:
    assert evaluate(value, Scope()) == wanted


@pytest.mark.parametrize(
    "path", ["Steps.S.Nothing", "Steps.S.Jobs[1].Name", "Steps.S.ProcessingOutputConfig.Outputs['validation']"]
)
def test_what_is_not_there_is_undefined(path: str) -> None:
    with pytest.raises(Undefined, match="is undefined"):
        evaluate({"Get": path}, Scope())


@given(st.text(max_size=40))
def test_any_path_is_read_or_refused(path: str) -> None:
    try:
        parts = parts_of(path)
    except Invalid:
        return
    assert parts
    with pytest.raises(Undefined):
        value_at(None, path)


@given(st.text(max_size=200) | st.recursive(st.none() | st.text(max_size=5), st.lists, max_leaves=5).map(repr))
def test_any_text_is_a_definition_or_refused_in_words(text: str) -> None:
    with pytest.raises(Invalid, match="Unable to parse pipeline definition"):
        parse(text)


def test_comparisons_do_not_mix_types() -> None:
    for left, right in ((1, "1"), (True, 1), (None, None), ([], [])):
        with pytest.raises(Undefined, match="cannot compare"):
            conditions.holds({"Type": "Equals", "LeftValue": left, "RightValue": right}, Scope())
    assert conditions.holds({"Type": "Equals", "LeftValue": 1, "RightValue": 1.0}, Scope())
    assert conditions.holds({"Type": "And", "Conditions": []}, Scope())
    assert not conditions.holds({"Type": "Or", "Conditions": []}, Scope())
    negated = {"Type": "Not", "Expression": {"Type": "LessThan", "LeftValue": "a", "RightValue": "b"}}
    assert not conditions.holds(negated, Scope())


def test_pauses_grow_until_attempts_or_time_are_up() -> None:
    policy = retrying.policy_of(
        {"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 3}
    )
    assert [policy.pause(number, 0) for number in range(4)] == [2, 6, 18, None]
    policy = retrying.policy_of({"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "ExpireAfterMin": 1})
    assert [policy.pause(number, 59) for number in range(6)] == [1, 2, 4, 8, 16, 32]
    assert policy.pause(0, 60) is None, "an error after a minute is the last"
    for interval in (0, 1):  # without an interval a step comes to thousands of attempts before its time is up
        given = {"IntervalSeconds": interval, "BackoffRate": 100, "ExpireAfterMin": 5}
        policy = retrying.policy_of({"ExceptionType": ["Step.THROTTLING"], **given})
        assert policy.pause(5_000, 0) == policy.pause(4_999, 0) == interval * 100.0**100
    for never in ({"MaxAttempts": 0}, {"ExpireAfterMin": 0}):
        assert retrying.policy_of({"ExceptionType": ["Step.THROTTLING"], **never}).pause(0, 0) is None
    for wrong in (
        {"IntervalSeconds": 43_201},
        {"IntervalSeconds": 0.5},
        {"IntervalSeconds": "1"},
        {"BackoffRate": -1},
        {"MaxAttempts": 21},
        {"MaxAttempts": True},
        {"ExpireAfterMin": 14_401},
    ):
        with pytest.raises(Invalid, match=next(iter(wrong))):
            retrying.policy_of({"ExceptionType": ["Step.THROTTLING"], **wrong})
    for code, exception in (
        ("ThrottlingException", "Step.THROTTLING"),
        ("ResourceLimitExceeded", "SageMaker.RESOURCE_LIMIT"),
        ("InternalFailure", "Step.SERVICE_FAULT"),
        ("ValidationException", None),
    ):
        assert retrying.exception_of_refusal(code) == exception
    assert retrying.exception_of_failure("InternalServerError: x") == "SageMaker.JOB_INTERNAL_ERROR"
    assert retrying.exception_of_failure("AlgorithmError: x") is None
    assert retrying.policy_for((), "Step.THROTTLING") is retrying.DEFAULT
    assert retrying.policy_for((), "SageMaker.RESOURCE_LIMIT") is None


def test_names_are_as_in_a_real_execution() -> None:
    """``pipelines-is6ph1fp4go8-abalone-createmodel--m2fs0kxign`` of case pipe-03, but for the token."""
    name = naming.child_name(ARN, "Abalone-CreateModel-CreateModel", 0, small=True)
    assert name[:-10] == "pipelines-is6ph1fp4go8-abalone-createmodel--"
    assert name == naming.child_name(ARN, "Abalone-CreateModel-CreateModel", 0, small=True)
    again = naming.child_name(ARN, "s" * 64, 12)
    assert again.endswith("-12") and len(again) <= 63
    assert len(naming.child_name(ARN, "s", 12, prefix="x" * 63)) <= 63
    assert len(naming.callback_token(ARN, "s", 0)) == 10 and naming.callback_token(ARN, "s", 0).isalnum()


def test_keys_hold_what_decides_and_nothing_else() -> None:
    text = '{"Version": "2020-12-01", "Steps": [{"Name": "t", "Type": "Training", "Arguments": {}}]}'
    step = parse(text).steps["t"]
    arguments = {"HyperParameters": {"a": "1", "b": "2"}, "InputDataConfig": [{"ChannelName": "x"}]}
    key = caching.key_of(step, arguments)
    assert caching.key_of(step, {**arguments, "HyperParameters": {"b": "2", "a": "1"}}) == key
    assert caching.key_of(step, {**arguments, "OutputDataConfig": {"S3OutputPath": "s3://b"}, "RoleArn": "r"}) == key
    assert caching.key_of(step, {**arguments, "Environment": {}}) == key
    assert caching.key_of(step, {**arguments, "Environment": {"A": "1"}}) != key
    assert caching.key_of(step, {**arguments, "HyperParameters": {"a": "2", "b": "2"}}) != key


def test_the_tables_have_no_flaws() -> None:
    assert LIFECYCLE.flaws() == []
    assert not set(CHILDREN) & WITHOUT_CHILD and not set(UNSUPPORTED) & {*CHILDREN, *WITHOUT_CHILD}
    assert set(CHILDREN) >= RETRIED
    import botocore.session

    model = botocore.session.Session().get_service_model("sagemaker")
    metadata = model.shape_for("PipelineExecutionStepMetadata").members
    for child in CHILDREN.values():
        created, described = model.operation_model(child.create), model.operation_model(child.describe)
        assert child.arn in created.output_shape.members
        assert child.name in described.input_shape.members
        assert child.metadata in metadata
        members = {**created.input_shape.members}
        assert child.name in members and {*child.cached} <= set(members)
        assert child.tracked <= ("ExperimentConfig" in members)
        assert not child.token or child.token in members
        if child.status:
            assert {*child.good, *child.bad} <= set(described.output_shape.members[child.status].enum)
        if child.stop:
            assert child.name in model.operation_model(child.stop).input_shape.members


def test_values_are_joined_as_aws_joins_them() -> None:
    assert [text_of(value) for value in (True, 1, 1.5, "x", None)] == ["true", "1", "1.5", "x", ""]
