from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def code_of(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    return str(found.value.response["Error"]["Code"])


def test_the_story_of_a_user_and_a_key(client: Callable[..., Any]) -> None:
    iam = client("iam")
    user = iam.create_user(UserName="ann", Path="/people/")["User"]
    assert user["Arn"] == "arn:aws:iam::123456789012:user/people/ann"
    assert user["UserId"].startswith("AIDA")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    hers = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    sts = client("sts", **hers)
    assert sts.get_caller_identity()["Arn"] == user["Arn"]
    mine = client("iam", **hers)
    assert mine.get_user()["User"]["UserName"] == "ann", "without a name it is the caller"
    assert [each["AccessKeyId"] for each in mine.list_access_keys()["AccessKeyMetadata"]] == [key["AccessKeyId"]]
    assert iam.get_user()["User"]["Arn"] == "arn:aws:iam::123456789012:root"
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert code_of(sts.get_caller_identity) == "InvalidClientTokenId"
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Active")
    assert sts.get_caller_identity()["UserId"] == user["UserId"]
    assert code_of(iam.delete_user, UserName="ann") == "DeleteConflict"
    iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
    assert code_of(sts.get_caller_identity) == "InvalidClientTokenId"
    assert code_of(iam.delete_access_key, UserName="ann", AccessKeyId=key["AccessKeyId"]) == "NoSuchEntity"
    iam.delete_user(UserName="ann")
    assert code_of(iam.get_user, UserName="ann") == "NoSuchEntity"


def test_a_users_policies(client: Callable[..., Any]) -> None:
    iam = client("iam")
    iam.create_user(UserName="bob", Tags=[{"Key": "team", "Value": "x"}])
    document = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::${aws:username}/*"},
    }
    iam.put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=json.dumps(document))
    assert iam.get_user_policy(UserName="bob", PolicyName="own")["PolicyDocument"] == document
    arn = "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess"
    iam.attach_user_policy(UserName="bob", PolicyArn=arn)
    assert iam.list_attached_user_policies(UserName="bob")["AttachedPolicies"][0]["PolicyArn"] == arn
    assert [user["UserName"] for user in iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"]] == ["bob"]
    results = iam.simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:user/bob",
        ActionNames=["s3:GetObject"],
        ResourceArns=["arn:aws:s3:::bob/x", "arn:aws:s3:::ann/x"],
    )["EvaluationResults"]
    assert [each["EvalDecision"] for each in results] == ["allowed", "implicitDeny"]
    assert iam.list_user_tags(UserName="bob")["Tags"] == [{"Key": "team", "Value": "x"}]
    assert iam.list_groups_for_user(UserName="bob")["Groups"] == []
    assert "bob" in [user["UserName"] for user in iam.list_users()["Users"]]
    assert iam.get_account_summary()["SummaryMap"]["Users"] >= 1
