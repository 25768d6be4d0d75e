"""What sessions carry along: policies, tags, source identity, proofs; and how they end."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    error = found.value.response["Error"]
    return error["Code"], error["Message"]


def role(client: Callable[..., Any], name: str, *actions: str, **statement: Any) -> str:
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": ["sts:AssumeRole", *actions], **statement}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    iam = client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]
    allowed = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(allowed))
    return str(made["Arn"])


def user(client: Callable[..., Any], name: str) -> dict[str, str]:
    iam = client("iam")
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def keys(credentials: dict[str, Any]) -> dict[str, Any]:
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def test_transitive_tags_go_on(client: Callable[..., Any]) -> None:
    first = role(client, "ChainFirst", "sts:TagSession")
    condition = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    second = role(client, "ChainSecond", "sts:TagSession", Condition=condition)
    tags = [{"Key": "team", "Value": "blue"}, {"Key": "cost", "Value": "7"}]
    sts = client("sts")
    kept = sts.assume_role(RoleArn=first, RoleSessionName="one", Tags=tags, TransitiveTagKeys=["team"])
    assert kept["PackedPolicySize"] > 0
    lost = sts.assume_role(RoleArn=first, RoleSessionName="one", Tags=tags)
    ask = {"RoleArn": second, "RoleSessionName": "two"}
    inside = client("sts", **keys(kept["Credentials"]))
    assert inside.assume_role(**ask)
    code, message = refusal(inside.assume_role, **ask, Tags=[{"Key": "Team", "Value": "red"}])
    assert code == "ValidationError" and "transitive tag key" in message
    assert refusal(client("sts", **keys(lost["Credentials"])).assume_role, **ask)[0] == "AccessDenied"
    twice = [*tags, {"Key": "TEAM", "Value": ""}]
    assert refusal(sts.assume_role, RoleArn=first, RoleSessionName="one", Tags=twice) == (
        "ValidationError", "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    )  # fmt: skip
    untagged = role(client, "ChainUntagged")
    assert "sts:TagSession" in refusal(inside.assume_role, RoleArn=untagged, RoleSessionName="two")[1]


def test_source_identity_stays(client: Callable[..., Any]) -> None:
    first, second = (role(client, f"Source{n}", "sts:SetSourceIdentity") for n in (1, 2))
    made = client("sts").assume_role(RoleArn=first, RoleSessionName="one", SourceIdentity="ann")
    assert made["SourceIdentity"] == "ann"
    inside = client("sts", **keys(made["Credentials"]))
    assert inside.assume_role(RoleArn=second, RoleSessionName="two")["SourceIdentity"] == "ann"
    code, message = refusal(inside.assume_role, RoleArn=second, RoleSessionName="two", SourceIdentity="bob")
    assert code == "AccessDenied" and "sts:SetSourceIdentity" in message
    deaf = role(client, "SourceDeaf")
    assert refusal(inside.assume_role, RoleArn=deaf, RoleSessionName="two")[0] == "AccessDenied"


def test_a_chain_lasts_an_hour(client: Callable[..., Any]) -> None:
    long = role(client, "ChainLong")
    client("iam").update_role(RoleName="ChainLong", MaxSessionDuration=43200)
    made = client("sts").assume_role(RoleArn=long, RoleSessionName="one", DurationSeconds=43200)
    inside = client("sts", **keys(made["Credentials"]))
    assert refusal(inside.assume_role, RoleArn=long, RoleSessionName="two", DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )


def test_sessions_end_with_what_they_stand_on(client: Callable[..., Any]) -> None:
    iam = client("iam")
    arn = role(client, "Revoked")
    made = client("sts").assume_role(RoleArn=arn, RoleSessionName="one")
    inside = client("sts", **keys(made["Credentials"]))
    assert inside.get_caller_identity()
    iam.delete_role_policy(RoleName="Revoked", PolicyName="all")
    iam.delete_role(RoleName="Revoked")
    role(client, "Revoked")
    assert refusal(inside.get_caller_identity)[0] == "InvalidClientTokenId", "another role of that name is another role"
    hers = user(client, "leaves")
    session = client("sts", **hers).get_session_token()["Credentials"]
    mine = client("sts", **keys(session))
    assert mine.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/leaves"
    iam.update_access_key(UserName="leaves", AccessKeyId=hers["aws_access_key_id"], Status="Inactive")
    assert refusal(mine.get_caller_identity)[0] == "InvalidClientTokenId"


def test_federated_users(client: Callable[..., Any]) -> None:
    hers = user(client, "federates")
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}}
    sts = client("sts", **hers)
    made = sts.get_federation_token(Name="guest", Policy=json.dumps(policy), DurationSeconds=900)
    assert made["FederatedUser"] == {
        "FederatedUserId": f"{ACCOUNT}:guest",
        "Arn": f"arn:aws:sts::{ACCOUNT}:federated-user/guest",
    }
    assert made["Credentials"]["Expiration"].timestamp() - time.time() < 901
    inside = client("sts", **keys(made["Credentials"]))
    assert inside.get_caller_identity()["Arn"].endswith(":federated-user/guest")
    assert refusal(inside.get_federation_token, Name="more") == (
        "AccessDenied", "Cannot call GetFederationToken with session credentials",
    )  # fmt: skip
    broken = json.dumps({"Version": "2012-10-17", "Statement": []})
    assert refusal(sts.get_federation_token, Name="guest", Policy=broken)[0] == "MalformedPolicyDocument"
    noise = [base64.urlsafe_b64encode(hmac.digest(b"", bytes([n]), "sha512")[:39]).decode() for n in range(27)]
    resources = [f"arn:aws:s3:::{each}" for each in noise]
    large = json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": resources}}
    )
    assert refusal(sts.get_federation_token, Name="guest", Policy=large)[0] == "PackedPolicyTooLarge"


def code(seed: bytes, ahead: int = 0) -> str:
    digest = hmac.new(base64.b32decode(seed), (int(time.time()) // 30 + ahead).to_bytes(8, "big"), "sha1").digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


def test_a_role_that_wants_a_second_factor(client: Callable[..., Any]) -> None:
    hers, iam = user(client, "twofactor"), client("iam")
    arn = role(client, "Factor", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="twofactor")["VirtualMFADevice"]
    serial, seed = made["SerialNumber"], made["Base32StringSeed"]
    given = {"UserName": "twofactor", "SerialNumber": serial}
    iam.enable_mfa_device(**given, AuthenticationCode1=code(seed, -2), AuthenticationCode2=code(seed, -1))
    sts = client("sts", **hers)
    ask = {"RoleArn": arn, "RoleSessionName": "one"}
    assert refusal(sts.assume_role, **ask)[0] == "AccessDenied"
    both = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
    assert refusal(sts.assume_role, **ask, SerialNumber=serial) == ("AccessDenied", both)
    wrong = "MultiFactorAuthentication failed with invalid MFA one time pass code."
    assert refusal(sts.assume_role, **ask, SerialNumber=serial, TokenCode="000000")[1] in (wrong,)
    other = serial.replace("twofactor", "none")
    assert "unable to validate MFA code" in refusal(sts.assume_role, **ask, SerialNumber=other, TokenCode="000000")[1]
    shown = code(seed)
    session = sts.get_session_token(SerialNumber=serial, TokenCode=shown)["Credentials"]
    assert client("sts", **keys(session)).assume_role(**ask), "the session remembers the proof"
    assert refusal(sts.assume_role, **ask, SerialNumber=serial, TokenCode=shown)[1] == wrong, "a code is good once"


def test_messages_that_were_not_encoded_here(client: Callable[..., Any]) -> None:
    code, _ = refusal(client("sts").decode_authorization_message, EncodedMessage="x")
    assert code == "InvalidAuthorizationMessageException"
