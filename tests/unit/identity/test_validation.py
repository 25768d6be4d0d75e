"""Malformed documents and IAM's words for them; the words' sources are in ``policy/validate.py``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.identity.managed import managed_policies
from cloche.engines.identity.policy import compile_document
from cloche.engines.identity.policy.validate import (
    MalformedPolicy,
    validate_identity_policy,
    validate_trust_policy,
)

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"


def one(**members: Any) -> dict[str, Any]:
    """A good statement with some members changed; ``None`` takes one out."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **members}
    return {key: value for key, value in statement.items() if value is not None}


def document(*statements: Any, **members: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **members})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", SYNTAX),
        ("[]", SYNTAX),
        (document(), SYNTAX),
        (document("x"), SYNTAX),
        (document(one(), Extra="x"), SYNTAX),
        (document(one(Extra="x")), SYNTAX),
        (document(one(Effect="Perhaps")), SYNTAX),
        (document(one(Effect=None)), SYNTAX),
        (document(one(NotAction="s3:*")), SYNTAX),
        (document(one(Resource={})), SYNTAX),
        (document(one(Condition={"Sounds": {"a": "b"}})), SYNTAX),
        (document(one(Condition={"StringEquals": {"a": {}}})), SYNTAX),
        (document(one(), Version="2013-01-01"), SYNTAX),
        (document(one(), Version="2008-10-17"), "Policy document must be version 2012-10-17 or greater."),
        (json.dumps({"Statement": one()}), "Policy document must be version 2012-10-17 or greater."),
        (document(one(Effect="allow")), LEGACY),
        (document(one(Resource="arn:aws:s3::bucket")), LEGACY),
        (document(one(Condition={"DateLessThan": {"aws:CurrentTime": "soon"}})), LEGACY),
        (document(one(Sid="a"), one(Sid="a")), "Statement IDs (SID) in a single policy must be unique."),
        (document(one(Action=None)), "Policy statement must contain actions."),
        (document(one(Action=[])), "Policy statement must contain actions."),
        (document(one(Resource=None)), "Policy statement must contain resources."),
        (document(one(Resource=[])), "Policy statement must contain resources."),
        (
            document(one(Action="GetObject")),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (document(one(Action="s3:Get:Object")), "Actions/Condition can contain only one colon."),
        (document(one(Action="s 3:Get")), "Vendor s 3 is not valid"),
        (document(one(Resource="bucket")), 'Resource bucket must be in ARN format or "*".'),
        (document(one(Resource="arn:moon:s3:::b")), 'Partition "moon" is not valid for resource "arn:moon:s3:::b".'),
        (document(one(Resource="arn:aws")), "Resource vendor must be fully qualified and cannot contain regexes."),
        (
            document(one(Resource="arn:aws:s3:us-east-1::b")),
            "Resource arn:aws:s3:us-east-1::b can not contain region information.",
        ),
        (document(one(Principal="*")), "Policy document should not specify a principal."),
    ],
)
def test_malformed_identity_policies(text: str, message: str) -> None:
    with pytest.raises(MalformedPolicy) as found:
        validate_identity_policy(text)
    assert found.value.message == message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"Resource": "*"}, "Has prohibited field Resource"),
        ({"Principal": None}, "Missing required field Principal"),
        ({"Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Action": None}, "Missing required field Action"),
        (
            {"Principal": {"AWS": "arn:aws::iam::123456789012:root"}},
            'Invalid principal in policy: "AWS":"arn:aws::iam::123456789012:root"',
        ),
        ({"Principal": {"Service": "sagemaker"}}, 'Invalid principal in policy: "SERVICE":"sagemaker"'),
        ({"Principal": {"Planet": "x"}}, SYNTAX),
    ],
)
def test_malformed_trust_policies(statement: dict[str, Any], message: str) -> None:
    good = {"Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}, **statement}
    with pytest.raises(MalformedPolicy) as found:
        validate_trust_policy(document(one(**{"Resource": None, **good})))
    assert found.value.message == message


def test_good_ones() -> None:
    validate_identity_policy(document(one(Resource=["*", "arn:aws:s3:::b/${aws:username}/*"], Sid="")))
    validate_identity_policy(document(one(Condition={"Bool": {"aws:SecureTransport": True}})))
    validate_trust_policy(
        json.dumps(
            {
                "Version": "2008-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"AWS": ["123456789012", "arn:aws:iam::123456789012:role/x"]},
                    "Action": ["sts:AssumeRole", "sts:TagSession"],
                },
            }
        )
    )


def test_aws_own_policies_are_valid_and_compile() -> None:
    assert len(managed_policies()) > 1500
    for policy in managed_policies().values():
        validate_identity_policy(policy.document)
        assert compile_document(policy.document).statements


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["*", "s3:Get*", "Allow"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Condition", "Sid", "Principal"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything, st.sampled_from([validate_identity_policy, validate_trust_policy]))
def test_whatever_it_is_it_is_refused_or_it_compiles(value: Any, validate: Any) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": value})
    try:
        validate(text)
    except MalformedPolicy:
        return
    compile_document(text)
