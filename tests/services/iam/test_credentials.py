"""Keys, passwords, devices, and the report about them."""

from __future__ import annotations

import base64
import csv
import hmac
import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    error = found.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def iam(client: Callable[..., Any]) -> Any:
    return client("iam")


def code(seed: bytes, ahead: int = 0) -> str:
    """What an authenticator app shows, written down from RFC 6238 alone."""
    step = int(time.time()) // 30 + ahead
    digest = hmac.new(base64.b32decode(seed), step.to_bytes(8, "big"), "sha1").digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


def test_last_use_of_a_key(iam: Any, client: Callable[..., Any]) -> None:
    iam.create_user(UserName="used")
    key = iam.create_access_key(UserName="used")["AccessKey"]
    fresh = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert fresh["UserName"] == "used"
    assert fresh["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    hers = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    client("logs", **hers, region_name="eu-west-1").describe_log_groups()
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"]) == ("logs", "eu-west-1")
    assert abs(used["LastUsedDate"].timestamp() - time.time()) < 60
    assert refusal(iam.get_access_key_last_used, AccessKeyId="AKIAAAAAAAAAAAAAAAAA")[0] == "AccessDenied"


def test_login_profiles_and_the_password_policy(iam: Any, client: Callable[..., Any]) -> None:
    iam.create_user(UserName="signs-in")
    assert refusal(iam.get_account_password_policy) == (
        "NoSuchEntity", "The Password Policy with domain name 123456789012 cannot be found.",
    )  # fmt: skip
    assert refusal(iam.create_login_profile, UserName="signs-in", Password="short")[0] == "PasswordPolicyViolation"
    made = iam.create_login_profile(UserName="signs-in", Password="Long enough 1", PasswordResetRequired=True)
    assert made["LoginProfile"]["PasswordResetRequired"] is True
    assert refusal(iam.create_login_profile, UserName="signs-in", Password="Long enough 1")[0] == "EntityAlreadyExists"
    assert refusal(iam.delete_user, UserName="signs-in")[1] == "Cannot delete entity, must delete login profile first."
    iam.update_account_password_policy(MinimumPasswordLength=12, RequireNumbers=True, PasswordReusePrevention=2)
    try:
        policy = iam.get_account_password_policy()["PasswordPolicy"]
        assert policy["MinimumPasswordLength"] == 12 and policy["RequireSymbols"] is False
        assert policy["ExpirePasswords"] is False
        assert "number" in refusal(iam.update_login_profile, UserName="signs-in", Password="no digits here")[1]
        key = iam.create_access_key(UserName="signs-in")["AccessKey"]
        hers = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        own = client("iam", **hers)
        change = {"OldPassword": "Long enough 1", "NewPassword": "Another one 2"}
        own.change_password(**change)
        assert refusal(own.change_password, **change)[0] == "AccessDenied", "the old one is old"
        back = {"OldPassword": "Another one 2", "NewPassword": "Long enough 1"}
        assert refusal(own.change_password, **back)[0] == "PasswordPolicyViolation", "used before"
        assert refusal(iam.change_password, **back)[0] == "InvalidUserType", "the root is no user"
        assert iam.get_login_profile(UserName="signs-in")["LoginProfile"]["PasswordResetRequired"] is False
        iam.update_account_password_policy(RequireSymbols=True)
        assert iam.get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"] == 6, "all of it is set"
    finally:
        iam.delete_account_password_policy()
    assert refusal(iam.delete_account_password_policy)[0] == "NoSuchEntity"
    iam.delete_login_profile(UserName="signs-in")
    assert refusal(iam.get_login_profile, UserName="signs-in") == (
        "NoSuchEntity", "Login Profile for User signs-in cannot be found.",
    )  # fmt: skip


def test_the_life_of_a_device(iam: Any) -> None:
    iam.create_user(UserName="device")
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone", Path="/d/", Tags=[{"Key": "a", "Value": "b"}])
    serial, seed = made["VirtualMFADevice"]["SerialNumber"], made["VirtualMFADevice"]["Base32StringSeed"]
    assert serial == "arn:aws:iam::123456789012:mfa/d/phone"
    assert len(base64.b32decode(seed)) == 40
    assert refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="phone")[0] == "EntityAlreadyExists"
    given = {"UserName": "device", "SerialNumber": serial}
    wrong = refusal(iam.enable_mfa_device, **given, AuthenticationCode1="000000", AuthenticationCode2="000000")
    assert wrong == ("InvalidAuthenticationCode", "Authentication code for device is not valid.")
    unassigned = iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"]
    assert serial in [each["SerialNumber"] for each in unassigned]
    iam.enable_mfa_device(**given, AuthenticationCode1=code(seed, -1), AuthenticationCode2=code(seed))
    assert [each["SerialNumber"] for each in iam.list_mfa_devices(UserName="device")["MFADevices"]] == [serial]
    assert iam.get_mfa_device(SerialNumber=serial)["UserName"] == "device"
    assigned = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert next(each for each in assigned if each["SerialNumber"] == serial)["User"]["UserName"] == "device"
    assert refusal(iam.delete_virtual_mfa_device, SerialNumber=serial) == (
        "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.",
    )  # fmt: skip
    assert refusal(iam.delete_user, UserName="device")[1] == "Cannot delete entity, must delete MFA device first."
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.deactivate_mfa_device(**given)
    assert iam.list_mfa_devices(UserName="device")["MFADevices"] == []
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    assert refusal(iam.deactivate_mfa_device, **given)[0] == "NoSuchEntity"


def test_the_credential_report(iam: Any) -> None:
    iam.create_user(UserName="reported")
    key = iam.create_access_key(UserName="reported")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="reported", AccessKeyId=key, Status="Inactive")
    assert refusal(iam.get_credential_report)[0] == "ReportNotPresent"
    assert iam.generate_credential_report()["State"] == "STARTED"
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    assert report["ReportFormat"] == "text/csv"
    rows = list(csv.DictReader(io.StringIO(report["Content"].decode())))
    assert len(rows[0]) == 22 and rows[0]["user"] == "<root_account>"
    assert rows[0]["access_key_1_active"] == "true" and rows[0]["password_enabled"] == "not_supported"
    row = next(each for each in rows if each["user"] == "reported")
    assert row["arn"] == "arn:aws:iam::123456789012:user/reported"
    assert (row["password_enabled"], row["mfa_active"]) == ("false", "false")
    assert (row["access_key_1_active"], row["access_key_1_last_used_date"]) == ("false", "N/A")
    assert row["access_key_2_active"] == row["cert_1_active"] == "false"


def test_an_alias(iam: Any) -> None:
    iam.create_account_alias(AccountAlias="an-alias")
    assert iam.list_account_aliases()["AccountAliases"] == ["an-alias"]
    iam.create_account_alias(AccountAlias="another")
    assert iam.list_account_aliases()["AccountAliases"] == ["another"], "one at a time"
    assert refusal(iam.delete_account_alias, AccountAlias="an-alias")[0] == "NoSuchEntity"
    iam.delete_account_alias(AccountAlias="another")
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_a_second_key_of_the_root(iam: Any, client: Callable[..., Any]) -> None:
    first = [each["AccessKeyId"] for each in iam.list_access_keys()["AccessKeyMetadata"]]
    made = iam.create_access_key()["AccessKey"]
    hers = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    assert client("sts", **hers).get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"
    assert refusal(iam.create_access_key)[0] == "LimitExceeded"
    assert refusal(iam.delete_access_key, AccessKeyId=first[0])[0] == "DeleteConflict", "Cloche hands it out"
    iam.update_access_key(AccessKeyId=made["AccessKeyId"], Status="Inactive")
    assert refusal(client("sts", **hers).get_caller_identity)[0] == "InvalidClientTokenId"
    iam.delete_access_key(AccessKeyId=made["AccessKeyId"])
    assert [each["AccessKeyId"] for each in iam.list_access_keys()["AccessKeyMetadata"]] == first


def test_a_trusted_principal_must_be_there(iam: Any) -> None:
    nobody = "arn:aws:iam::123456789012:user/not-there"
    statement = {"Effect": "Allow", "Principal": {"AWS": [nobody]}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    refused = refusal(iam.create_role, RoleName="Trusting", AssumeRolePolicyDocument=document)
    assert refused == ("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{nobody}"')
    elsewhere = document.replace("123456789012", "555555555555")
    assert iam.create_role(RoleName="Trusting", AssumeRolePolicyDocument=elsewhere), "who knows who is there"
