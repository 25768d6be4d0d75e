"""Bucket policies: what is one, and which is public."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche.aws.errors import AwsError
from cloche.engines.identity.policy import Outcome, Principal, Request
from cloche.engines.identity.policy.resource import evaluate_resource_policy
from cloche.services.s3.access.policy_document import compiled, validate_bucket_policy
from cloche.services.s3.access.public_access import is_public_policy

GOOD: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::bucket/*",
}


def policy(**changes: Any) -> str:
    statement = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def validate(text: str) -> None:
    validate_bucket_policy(text, "bucket", lambda kind, name: "nobody" not in name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Principal": "*"},
        {"Principal": {"AWS": ["*", "210987654321"], "Service": "logging.s3.amazonaws.com"}},
        {"Action": ["s3:GetObject", "s3:GetObjectVersion"]},
        {"Action": "s3:*", "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]},
        {"Action": "*", "Resource": "arn:aws:s3:::buck*"},
        {"Action": None, "NotAction": "s3:DeleteObject"},
        {"Effect": "Deny", "Principal": None, "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Condition": {"StringEqualsIfExists": {"s3:x-amz-acl": "private"}, "Bool": {"aws:SecureTransport": False}}},
        {"Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1/128"]}}},
    ],
    ids=str,
)
def test_policies_that_are_taken(changes: dict[str, Any]) -> None:
    validate(policy(**changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Principal": None}, "Missing required field Principal"),
        ({"Action": None}, "Missing required field Action"),
        ({"Resource": None}, "Missing required field Resource"),
        ({"Effect": None}, "Missing required field Effect"),
        ({"Effect": "Perhaps"}, "Invalid effect: Perhaps"),
        ({"Principal": {"AWS": "me"}}, "Invalid principal in policy"),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:user/nobody"}}, "Invalid principal in policy"),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:user/*"}}, "Invalid principal in policy"),
        ({"Principal": {"Robot": "*"}}, "Invalid principal in policy"),
        ({"Principal": "me"}, "Invalid principal in policy"),
        ({"Action": "s3:Dance"}, "Policy has invalid action"),
        ({"Action": "ec2:RunInstances"}, "Policy has invalid action"),
        ({"Resource": "*"}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::other/*"}, "Policy has invalid resource"),
        ({"Resource": "bucket/*"}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::bucket"}, "Action does not apply to any resource(s) in statement"),
        ({"Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement"),
        ({"Condition": {"Resembles": {"aws:SourceIp": "10.0.0.1"}}}, "Invalid Condition type : Resembles"),
        ({"Condition": {"StringEquals": {"colour": "green"}}}, "Policy has an invalid condition key"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "everywhere"}}}, "aws:SourceIp"),
        ({"Principal": None, "NotPrincipal": {"AWS": "*"}}, "Allow with NotPrincipal"),
        ({"Colour": "green"}, "Unknown field Colour"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(sorted(value)),
)
def test_policies_that_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError) as refused:
        validate(policy(**changes))
    assert (refused.value.code, refused.value.status) == ("MalformedPolicy", 400)
    assert words in refused.value.message


@pytest.mark.parametrize("text", ["", "[]", " {}", "{", "{}", '{"Statement": []}', '{"Statement": "x"}', "{" * 5000])
def test_texts_that_are_no_policies(text: str) -> None:
    with pytest.raises(AwsError, match="MalformedPolicy"):
        validate(text)


def test_a_policy_has_a_size() -> None:
    with pytest.raises(AwsError, match="MalformedPolicy"):
        validate(policy(Sid="x" * 20_480))


@pytest.mark.parametrize(
    ("changes", "public"),
    [
        ({}, False),
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": ["123456789012", "*"]}}, True),
        ({"Principal": "*", "Effect": "Deny"}, False),
        ({"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.1.2.3/32"}}}, False),
        ({"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}}, True),
        ({"Principal": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "10.1.2.3/32"}}}, True),
        ({"Principal": "*", "Condition": {"StringLike": {"aws:PrincipalOrgID": "o-*"}}}, True),
        ({"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-12345"}}}, False),
        ({"Principal": "*", "Condition": {"StringEquals": {"s3:prefix": "public"}}}, True),
        ({"Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:123456789012:*"}}}, False),
        ({"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}"}}}, True),
    ],
    ids=str,
)
def test_the_meaning_of_public(changes: dict[str, Any], public: bool) -> None:
    assert is_public_policy(policy(**changes)) is public


ME = Principal("arn:aws:iam::123456789012:user/me", "123456789012")
YOU = Principal("arn:aws:iam::210987654321:user/you", "210987654321")


@pytest.mark.parametrize(
    ("changes", "who", "outcome"),
    [
        ({}, ME, Outcome.ALLOWED),
        ({}, YOU, Outcome.IMPLICIT_DENY),
        ({}, Principal(), Outcome.IMPLICIT_DENY),
        ({"Principal": "*"}, Principal(), Outcome.ALLOWED),
        ({"Principal": "*", "Effect": "Deny"}, ME, Outcome.EXPLICIT_DENY),
        ({"Principal": {"AWS": "210987654321"}}, YOU, Outcome.ALLOWED),
        ({"Resource": "arn:aws:s3:::bucket/private/*"}, ME, Outcome.IMPLICIT_DENY),
        ({"Condition": {"StringEquals": {"s3:ExistingObjectTag/colour": "green"}}}, ME, Outcome.ALLOWED),
        ({"Condition": {"StringEquals": {"s3:ExistingObjectTag/colour": "red"}}}, ME, Outcome.IMPLICIT_DENY),
        ({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, ME, Outcome.EXPLICIT_DENY),
    ],
    ids=str,
)
def test_what_a_policy_says(changes: dict[str, Any], who: Principal, outcome: Outcome) -> None:
    context = {"s3:existingobjecttag/colour": ("green",), "aws:securetransport": ("false",)}
    request = Request("s3:GetObject", "arn:aws:s3:::bucket/key", context)
    assert evaluate_resource_policy(compiled(policy(**changes)), who, request) is outcome


def test_a_canonical_user_stands_for_an_account() -> None:
    text = policy(Principal={"CanonicalUser": "f" * 64})
    request = Request("s3:GetObject", "arn:aws:s3:::bucket/key", {})
    assert evaluate_resource_policy(compiled(text, (("f" * 64, "210987654321"),)), YOU, request) is Outcome.ALLOWED
    assert evaluate_resource_policy(compiled(text, (("f" * 64, ""),)), YOU, request) is Outcome.IMPLICIT_DENY


def test_every_action_is_known_once() -> None:
    from cloche.aws.model.load import service_model
    from cloche.services.s3.access.actions import BUCKET_ACTIONS, OBJECT_ACTIONS, actions_of

    assert not BUCKET_ACTIONS & OBJECT_ACTIONS
    unknown = set()
    for name in service_model("s3").operation_names:
        shape = service_model("s3").operation_model(name).input_shape
        request = {member: "x" for member in ("Bucket", "Key") if shape is not None and member in shape.members}
        if "Bucket" in request and name != "DeleteObjects":
            unknown |= {a for a in actions_of(name, request) if a not in (BUCKET_ACTIONS | OBJECT_ACTIONS)}
    # What Cloche refuses by name needs no action here.
    assert {each for each in unknown if "Metadata" not in each and "Annotation" not in each} <= {
        "s3:CreateSession", "s3:RenameObject"
    }  # fmt: skip
