from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

READS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
WRITES = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Put*", "Resource": "*"}]}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


@pytest.fixture
def iam(client: Callable[..., Any]) -> Any:
    return client("iam")


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    error = found.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_story_of_a_policy(iam: Any) -> None:
    made = iam.create_policy(PolicyName="Story", Path="/x/", PolicyDocument=json.dumps(READS), Description="d")
    policy = made["Policy"]
    arn = policy["Arn"]
    assert arn == "arn:aws:iam::123456789012:policy/x/Story"
    assert (policy["DefaultVersionId"], policy["AttachmentCount"]) == ("v1", 0)
    assert refusal(iam.create_policy, PolicyName="story", PolicyDocument=json.dumps(READS)) == (
        "EntityAlreadyExists", "A policy called story already exists. Duplicate names are not allowed.",
    )  # fmt: skip
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(WRITES), SetAsDefault=True)
    assert second["PolicyVersion"]["VersionId"] == "v2"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == WRITES
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == READS
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(each["VersionId"], each["IsDefaultVersion"]) for each in versions] == [("v2", True), ("v1", False)]
    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v2") == (
        "DeleteConflict", "Cannot delete the default version of a policy.",
    )  # fmt: skip
    assert refusal(iam.delete_policy, PolicyArn=arn)[1].startswith("This policy has more than one version.")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    again = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(WRITES))["PolicyVersion"]
    assert again["VersionId"] == "v3", "numbers are not used again"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v3")
    iam.create_role(RoleName="Holder", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="Holder", PolicyArn=arn)
    iam.attach_role_policy(RoleName="Holder", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert [role["RoleName"] for role in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]] == ["Holder"]
    listed = iam.list_attached_role_policies(RoleName="Holder", PathPrefix="/x/")["AttachedPolicies"]
    assert listed == [{"PolicyName": "Story", "PolicyArn": arn}]
    assert iam.list_attached_role_policies(RoleName="Holder", PathPrefix="/y/")["AttachedPolicies"] == []
    assert refusal(iam.delete_policy, PolicyArn=arn)[1] == "Cannot delete a policy attached to entities."
    iam.detach_role_policy(RoleName="Holder", PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    assert refusal(iam.get_policy, PolicyArn=arn) == ("NoSuchEntity", f"Policy {arn} was not found.")


def test_five_versions_at_most(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="Many", PolicyDocument=json.dumps(READS))["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(READS))
    assert refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=json.dumps(READS)) == (
        "LimitExceeded",
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an "
        "existing version.",
    )
    pages = iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 2})
    assert [v["VersionId"] for page in pages for v in page["Versions"]] == ["v5", "v4", "v3", "v2", "v1"]
    assert refusal(iam.get_policy_version, PolicyArn=arn, VersionId="v9")[0] == "NoSuchEntity"


def test_aws_policies(iam: Any) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert policy["DefaultVersionId"] == "v29"
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v29")["PolicyVersion"]["Document"]
    assert any("sagemaker:*" in each["Action"] for each in document["Statement"])
    pages = iam.get_paginator("list_policies")
    scopes = {
        scope: [each["Arn"] for page in pages.paginate(Scope=scope) for each in page["Policies"]]
        for scope in ("AWS", "Local")
    }
    assert len(scopes["AWS"]) == len(set(scopes["AWS"])) > 1500, "all of AWS's own, each once"
    assert arn in scopes["AWS"] and not set(scopes["AWS"]) & set(scopes["Local"])
    attached = iam.list_policies(Scope="AWS", OnlyAttached=True)["Policies"]
    assert arn in [each["Arn"] for each in attached]
    assert refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=json.dumps(READS))[0] == "ValidationError"


def test_tags(iam: Any) -> None:
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    arn = iam.create_policy(PolicyName="Tagged", PolicyDocument=json.dumps(READS), Tags=tags)["Policy"]["Arn"]
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == tags
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "c", "Value": "3"}])
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Tags"] == [tags[1], {"Key": "c", "Value": "3"}]


def test_what_is_left_out_is_refused_by_name(iam: Any) -> None:
    code, message = refusal(iam.generate_service_last_accessed_details, Arn="arn:aws:iam::123456789012:user/nobody")
    assert code == "InvalidAction"
    assert "GenerateServiceLastAccessedDetails" in message
