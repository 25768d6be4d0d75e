"""AWS's sentences, to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from spoken import invented, operation

from cloche.aws.errors import AwsError
from cloche.aws.validation import validate

JOB: dict[str, Any] = {
    "TrainingJobName": "job",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/r",
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}


def said(service: str, name: str, members: dict[str, Any]) -> tuple[str, str]:
    model, op = operation(service, name)
    with pytest.raises(AwsError) as refused:
        validate(model, op, members)
    assert refused.value.status == 400
    return refused.value.code, refused.value.message


def test_a_sound_request_passes() -> None:
    validate(*operation("sagemaker", "CreateTrainingJob"), JOB)


def test_two_constraints_of_one_member_in_one_message() -> None:
    name = "-" + "a" * 64
    assert said("sagemaker", "CreateTrainingJob", {**JOB, "TrainingJobName": name}) == (
        "ValidationException",
        f"2 validation errors detected: Value '{name}' at 'trainingJobName' failed to satisfy constraint: Member must "
        f"have length less than or equal to 63; Value '{name}' at 'trainingJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
    )


def test_what_is_missing_is_null() -> None:
    job = {**JOB, "AlgorithmSpecification": {}}
    del job["RoleArn"]
    _, text = said("sagemaker", "CreateTrainingJob", job)
    assert text == (
        "2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; "
        "Value null at 'algorithmSpecification.trainingInputMode' failed to satisfy constraint: Member must not be null"
    )


def test_enum_nested_and_ranges() -> None:
    resources = {"InstanceType": "ml.nope", "InstanceCount": -1, "VolumeSizeInGB": 1}
    text = said("sagemaker", "CreateTrainingJob", {**JOB, "ResourceConfig": resources})[1]
    assert text.startswith(
        "2 validation errors detected: Value 'ml.nope' at 'resourceConfig.instanceType' failed to satisfy constraint: "
        "Member must satisfy enum value set: [ml.m4.xlarge, "
    )
    assert text.endswith(
        "Value '-1' at 'resourceConfig.instanceCount' failed to satisfy constraint: "
        "Member must have value greater than or equal to 0"
    )


def test_items_of_lists_are_numbered_from_one() -> None:
    variant = {"VariantName": "v", "ModelName": "ENTER MODEL NAME"}
    members = {"EndpointConfigName": "c", "ProductionVariants": [{"VariantName": "u"}, variant]}
    assert said("sagemaker", "CreateEndpointConfig", members)[1].startswith(
        "1 validation error detected: Value 'ENTER MODEL NAME' at 'productionVariants.2.member.modelName' failed to "
        "satisfy constraint: Member must satisfy regular expression pattern: "
    )


def test_values_of_maps_are_worded_as_one() -> None:
    text = said("sagemaker", "CreateTrainingJob", {**JOB, "HyperParameters": {"a": "b", "c": "d" * 2501}})[1]
    assert text == (
        "1 validation error detected: Value '{a=b, c=" + "d" * 2501 + "}' at 'hyperParameters' failed to satisfy "
        "constraint: Map value must satisfy constraint: [Member must have length less than or equal to 2500, Member "
        "must have length greater than or equal to 0, Member must satisfy regular expression pattern: .*]"
    )


def test_logs_have_a_code_of_their_own() -> None:
    members = {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"message": "m"}]}
    assert said("logs", "PutLogEvents", members) == (
        "InvalidParameterException",
        "1 validation error detected: Value null at 'logEvents.1.member.timestamp' failed to satisfy constraint: "
        "Member must not be null",
    )
    assert said("logs", "PutLogEvents", {**members, "logEvents": []})[1] == (
        "1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )


def test_query_services_say_validation_error() -> None:
    members = {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "s" * 65}
    assert said("sts", "AssumeRole", members) == (
        "ValidationError",
        f"1 validation error detected: Value '{'s' * 65}' at 'roleSessionName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64",
    )
    assert said("sts", "AssumeRole", {**members, "RoleSessionName": "PowerUser/x"})[1].endswith(
        "Member must satisfy regular expression pattern: [\\w+=,.@-]*"
    )


def test_iam_shows_no_numbers() -> None:
    members = {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "MaxSessionDuration": 1_000_000}
    assert said("iam", "CreateRole", members)[1] == (
        "1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: "
        "Member must have value less than or equal to 43200"
    )


def test_s3_speaks_for_itself() -> None:
    validate(*operation("s3", "PutObject"), {})


def test_sensitive_values_are_not_repeated() -> None:
    shapes = {
        "In": {"type": "structure", "members": {"P": {"shape": "P"}}},
        "P": {"type": "string", "min": 8, "sensitive": True},
    }
    model, op = invented(shapes)
    with pytest.raises(AwsError) as refused:
        validate(model, op, {"P": "secret"})
    assert refused.value.message == (
        "1 validation error detected: Value at 'p' failed to satisfy constraint: "
        "Member must have length greater than or equal to 8"
    )


def test_a_shape_may_hold_itself() -> None:
    shapes = {
        "In": {"type": "structure", "members": {"Name": {"shape": "N"}, "Below": {"shape": "L"}}},
        "L": {"type": "list", "member": {"shape": "In"}},
        "N": {"type": "string", "max": 1},
    }
    model, op = invented(shapes)
    with pytest.raises(AwsError, match=r"'below\.2\.member\.below\.1\.member\.name'"):
        validate(model, op, {"Below": [{"Name": "a"}, {"Below": [{"Name": "ab"}]}]})
