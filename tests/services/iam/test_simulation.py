from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"
BUCKET = "arn:aws:s3:::sagemaker-us-east-1-123456789012"
# What sagemaker 3's role check tries on every resource before a training job is made
# (sagemaker-core, helper/iam_role_resolver.py: the actions of its training policies with Resource "*").
SMOKE_TEST = [
    "ecr:GetAuthorizationToken",
    "cloudwatch:PutMetricData",
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
]


@pytest.fixture
def iam(client: Callable[..., Any]) -> Any:
    return client("iam")


def document(**members: Any) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", **members}}
    )


def test_the_ready_made_role_passes_what_the_sdk_asks(iam: Any) -> None:
    pages = iam.get_paginator("simulate_principal_policy").paginate(PolicySourceArn=ROLE, ActionNames=SMOKE_TEST)
    results = [each for page in pages for each in page["EvaluationResults"]]
    assert [each["EvalActionName"] for each in results] == SMOKE_TEST
    assert {each["EvalDecision"] for each in results} == {"allowed"}
    assert {each["EvalResourceName"] for each in results} == {"*"}
    bucket = iam.simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=["s3:PutObject"], ResourceArns=[f"{BUCKET}/*"]
    )["EvaluationResults"]
    assert bucket[0]["EvalDecision"] == "allowed"
    assert bucket[0]["EvalResourceName"] == f"{BUCKET}/*"
    assert bucket[0]["ResourceSpecificResults"][0]["EvalResourceDecision"] == "allowed"
    assert bucket[0]["MatchedStatements"][0]["SourcePolicyId"] == "AmazonSageMakerFullAccess"


def test_it_is_really_evaluated(iam: Any) -> None:
    iam.create_role(
        RoleName="Simulated",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": "sagemaker.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                },
            }
        ),
    )
    arn = "arn:aws:iam::123456789012:role/Simulated"

    def decides(action: str, **arguments: Any) -> str:
        answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action], **arguments)
        return str(answer["EvaluationResults"][0]["EvalDecision"])

    assert decides("s3:GetObject") == "implicitDeny"
    iam.put_role_policy(RoleName="Simulated", PolicyName="all", PolicyDocument=document(Action="s3:*"))
    assert decides("s3:GetObject") == "allowed"
    assert decides("s3:GetObject", PolicyInputList=[document(Effect="Deny")]) == "explicitDeny"
    only = [document(Action="s3:Put*")]
    assert decides("s3:GetObject", PermissionsBoundaryPolicyInputList=only) == "implicitDeny"
    assert decides("sqs:SendMessage", PolicyInputList=[document(Action="sqs:*")]) == "allowed"


def test_context(iam: Any) -> None:
    policy = document(
        Action="iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    )

    def result(*values: str) -> Any:
        entries = [
            {"ContextKeyName": "iam:PassedToService", "ContextKeyType": "string", "ContextKeyValues": list(values)}
        ]
        return iam.simulate_custom_policy(
            PolicyInputList=[policy], ActionNames=["iam:PassRole"], ContextEntries=entries if values else []
        )["EvaluationResults"][0]

    assert result()["EvalDecision"] == "implicitDeny"
    assert result()["MissingContextValues"] == ["iam:passedtoservice"]
    assert result("sagemaker.amazonaws.com")["EvalDecision"] == "allowed"
    assert result("sagemaker.amazonaws.com")["MissingContextValues"] == []
    assert result("ec2.amazonaws.com")["EvalDecision"] == "implicitDeny"
    keys = iam.get_context_keys_for_custom_policy(PolicyInputList=[policy])["ContextKeyNames"]
    assert keys == ["iam:passedtoservice"]


def test_pages(iam: Any) -> None:
    actions = [f"s3:Get{letter}" for letter in "abcdefg"]
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[document()], ActionNames=actions, PaginationConfig={"PageSize": 3}
    )
    assert [len(page["EvaluationResults"]) for page in pages] == [3, 3, 1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            {"PolicySourceArn": "arn:aws:sts::123456789012:assumed-role/a/b"},
            "InvalidInput",
            "Invalid Entity Arn: arn:aws:sts::123456789012:assumed-role/a/b does not clearly define entity type "
            "and name.",
        ),
        (
            {"PolicySourceArn": "arn:aws:iam::123456789012:role/Nobody"},
            "NoSuchEntity",
            "The role with name Nobody cannot be found.",
        ),
        (
            {"PolicySourceArn": ROLE, "ResourceArns": ["bucket"]},
            "InvalidInput",
            "ResourceNames are not in a valid ARN format: bucket.",
        ),
        ({"PolicySourceArn": ROLE, "PolicyInputList": ["{}"]}, "MalformedPolicyDocument", "Syntax errors in policy."),
        ({"PolicySourceArn": ROLE, "ActionNames": ["GetObject"]}, "InvalidInput", "Invalid Action Name: GetObject"),
    ],
)
def test_what_is_refused(iam: Any, arguments: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ClientError) as found:
        iam.simulate_principal_policy(**{"ActionNames": ["s3:GetObject"], **arguments})
    error = found.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)
