from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    said = found.value.response
    return said["Error"]["Code"], said["Error"]["Message"], said["ResponseMetadata"]["HTTPStatusCode"]


def role(client: Callable[..., Any], name: str, principal: dict[str, str], **statement: Any) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **statement},
    }
    made = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    return str(made["Role"]["Arn"])


def keys(credentials: dict[str, Any]) -> dict[str, Any]:
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def test_who_am_i(client: Callable[..., Any]) -> None:
    said = client("sts").get_caller_identity()
    assert (said["Account"], said["UserId"]) == (ACCOUNT, ACCOUNT)
    assert said["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_assume_role(client: Callable[..., Any]) -> None:
    arn = role(client, "Assumed", {"AWS": ACCOUNT})
    made = client("sts").assume_role(RoleArn=arn, RoleSessionName="me@home")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/Assumed/me@home"
    assert made["AssumedRoleUser"]["Arn"] == session
    assert made["AssumedRoleUser"]["AssumedRoleId"].endswith(":me@home")
    seconds = (made["Credentials"]["Expiration"] - datetime.now(UTC)).total_seconds()
    assert 3000 < seconds <= 3601
    inside = client("sts", **keys(made["Credentials"]))
    assert inside.get_caller_identity()["Arn"] == session
    assert inside.get_access_key_info(AccessKeyId=made["Credentials"]["AccessKeyId"])["Account"] == ACCOUNT
    assert refusal(inside.get_session_token) == (
        "AccessDenied", "Cannot call GetSessionToken with session credentials", 403,
    )  # fmt: skip


def test_a_session_may_be_given_a_policy(client: Callable[..., Any]) -> None:
    """The policy is held to the same rules as any other, and how much of the room it takes is told."""
    arn = role(client, "Narrowed", {"AWS": ACCOUNT})
    less = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}
    read_only = [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]
    assume = partial(client("sts").assume_role, RoleArn=arn, RoleSessionName="less")
    assert "PackedPolicySize" not in assume()
    made = assume(Policy=json.dumps(less), PolicyArns=read_only)
    assert 0 < made["PackedPolicySize"] < 100
    assert client("sts", **keys(made["Credentials"])).get_caller_identity()["Arn"].endswith("/Narrowed/less")
    assert refusal(assume, Policy=json.dumps({**less, "Version": "2026"}))[0] == "MalformedPolicyDocument"


def test_trust_is_evaluated(client: Callable[..., Any]) -> None:
    sts = client("sts")
    closed = role(client, "Closed", {"Service": "sagemaker.amazonaws.com"})
    denied = f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: sts:AssumeRole on resource: "
    assert refusal(sts.assume_role, RoleArn=closed, RoleSessionName="xx") == ("AccessDenied", denied + closed, 403)
    nobody = f"arn:aws:iam::{ACCOUNT}:role/Nobody"
    assert refusal(sts.assume_role, RoleArn=nobody, RoleSessionName="xx") == ("AccessDenied", denied + nobody, 403)
    condition = {"StringEquals": {"sts:ExternalId": "secret-word"}}
    outside = role(client, "External", {"AWS": ACCOUNT}, Condition=condition)
    assert refusal(sts.assume_role, RoleArn=outside, RoleSessionName="xx")[0] == "AccessDenied"
    assert sts.assume_role(RoleArn=outside, RoleSessionName="xx", ExternalId="secret-word")
    tags = [{"Key": "a", "Value": "b"}]
    code, message, _ = refusal(
        sts.assume_role, RoleArn=outside, RoleSessionName="xx", ExternalId="secret-word", Tags=tags
    )
    assert code == "AccessDenied" and "sts:TagSession" in message


def test_durations(client: Callable[..., Any]) -> None:
    arn = role(client, "Hour", {"AWS": ACCOUNT})
    assert refusal(client("sts").assume_role, RoleArn=arn, RoleSessionName="xx", DurationSeconds=7200) == (
        "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400,
    )  # fmt: skip


def test_session_token_of_the_root(client: Callable[..., Any]) -> None:
    made = client("sts").get_session_token(DurationSeconds=43200)["Credentials"]
    assert (made["Expiration"] - datetime.now(UTC)).total_seconds() < 3601, "an hour at most for the root"
    assert client("sts", **keys(made)).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_what_is_left_out_is_refused_by_name(client: Callable[..., Any]) -> None:
    code, message, _ = refusal(
        client("sts").assume_role_with_saml,
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Any",
        PrincipalArn=f"arn:aws:iam::{ACCOUNT}:saml-provider/Any",
        SAMLAssertion="PHNhbWw+",
    )
    assert code == "InvalidAction"
    assert "AssumeRoleWithSAML" in message
