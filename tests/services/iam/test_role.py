from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
READS = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}


@pytest.fixture
def iam(client: Callable[..., Any]) -> Any:
    return client("iam")


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    said = found.value.response
    return said["Error"]["Code"], said["Error"]["Message"], said["ResponseMetadata"]["HTTPStatusCode"]


def make(iam: Any, name: str, **members: Any) -> Any:
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), **members)["Role"]


def test_the_story_of_a_role(iam: Any) -> None:
    made = make(iam, "Story", Path="/a/b/", Description="d", MaxSessionDuration=7200, Tags=[{"Key": "k", "Value": "v"}])
    assert made["Arn"] == "arn:aws:iam::123456789012:role/a/b/Story"
    assert made["RoleId"].startswith("AROA") and len(made["RoleId"]) == 21
    assert made["AssumeRolePolicyDocument"] == TRUST, "boto3 gets it encoded and decodes it"
    got = iam.get_role(RoleName="Story")["Role"]
    assert {**got, "RoleLastUsed": {}} == {**made, "RoleLastUsed": {}}
    assert got["Tags"] == [{"Key": "k", "Value": "v"}]
    assert (got["Description"], got["MaxSessionDuration"]) == ("d", 7200)
    iam.update_role(RoleName="Story", Description="e", MaxSessionDuration=3600)
    other = json.loads(json.dumps(TRUST).replace("sagemaker.", "ec2."))
    iam.update_assume_role_policy(RoleName="Story", PolicyDocument=json.dumps(other))
    iam.tag_role(RoleName="Story", Tags=[{"Key": "K", "Value": "w"}, {"Key": "x", "Value": "y"}])
    iam.untag_role(RoleName="Story", TagKeys=["X"])
    got = iam.get_role(RoleName="Story")["Role"]
    assert (got["Description"], got["MaxSessionDuration"]) == ("e", 3600)
    assert got["AssumeRolePolicyDocument"] == other
    assert iam.list_role_tags(RoleName="Story")["Tags"] == [{"Key": "k", "Value": "w"}]
    assert iam.list_instance_profiles_for_role(RoleName="Story")["InstanceProfiles"] == []
    iam.delete_role(RoleName="Story")
    assert refusal(iam.get_role, RoleName="Story") == (
        "NoSuchEntity", "The role with name Story cannot be found.", 404,
    )  # fmt: skip


def test_the_role_of_the_first_start_is_like_any_other(iam: Any) -> None:
    name = "AmazonSageMaker-ExecutionRole"
    got = iam.get_role(RoleName=name)["Role"]
    assert got["Path"] == "/service-role/"
    assert name in [role["RoleName"] for role in iam.list_roles(PathPrefix="/service-role/")["Roles"]]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AmazonSageMakerFullAccess"]


def test_what_is_refused(iam: Any) -> None:
    make(iam, "Twice")
    assert refusal(iam.create_role, RoleName="twice", AssumeRolePolicyDocument=json.dumps(TRUST)) == (
        "EntityAlreadyExists", "Role with name twice already exists.", 409,
    )  # fmt: skip
    for call in (iam.delete_role, iam.list_role_policies, iam.list_attached_role_policies, iam.list_role_tags):
        assert refusal(call, RoleName="Nobody")[0] == "NoSuchEntity"
    assert refusal(iam.create_role, RoleName="Bad", AssumeRolePolicyDocument=json.dumps(READS)) == (
        "MalformedPolicyDocument", "Has prohibited field Resource", 400,
    )  # fmt: skip
    iam.attach_role_policy(RoleName="Twice", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    assert refusal(iam.delete_role, RoleName="Twice") == (
        "DeleteConflict", "Cannot delete entity, must detach all policies first.", 409,
    )  # fmt: skip
    iam.detach_role_policy(RoleName="Twice", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    iam.put_role_policy(RoleName="Twice", PolicyName="p", PolicyDocument=json.dumps(READS))
    assert refusal(iam.delete_role, RoleName="Twice")[1] == "Cannot delete entity, must delete policies first."
    absent = "arn:aws:iam::aws:policy/NoSuchPolicy"
    assert refusal(iam.attach_role_policy, RoleName="Twice", PolicyArn=absent) == (
        "NoSuchEntity", f"Policy {absent} does not exist or is not attachable.", 404,
    )  # fmt: skip
    assert refusal(iam.detach_role_policy, RoleName="Twice", PolicyArn=absent)[0] == "NoSuchEntity"
    assert refusal(
        iam.put_role_permissions_boundary, RoleName="Twice", PermissionsBoundary=absent
    )[1] == f"Scope ARN: {absent} does not exist or is not attachable."  # fmt: skip


def test_inline_policies(iam: Any) -> None:
    make(iam, "Inline")
    document = {**READS, "Id": "ü+%20 &<>"}
    iam.put_role_policy(RoleName="Inline", PolicyName="b", PolicyDocument=json.dumps(document))
    iam.put_role_policy(RoleName="Inline", PolicyName="a", PolicyDocument=json.dumps(READS))
    assert iam.list_role_policies(RoleName="Inline")["PolicyNames"] == ["a", "b"]
    got = iam.get_role_policy(RoleName="Inline", PolicyName="b")
    assert got["PolicyDocument"] == document
    iam.delete_role_policy(RoleName="Inline", PolicyName="b")
    assert refusal(iam.get_role_policy, RoleName="Inline", PolicyName="b") == (
        "NoSuchEntity", "The role policy with name b cannot be found.", 404,
    )  # fmt: skip
    broken = json.dumps(READS).replace("Allow", "Maybe")
    assert refusal(iam.put_role_policy, RoleName="Inline", PolicyName="b", PolicyDocument=broken) == (
        "MalformedPolicyDocument", "Syntax errors in policy.", 400,
    )  # fmt: skip


def test_pages(iam: Any) -> None:
    names = [f"Page{number:02}" for number in range(7)]
    for name in names:
        make(iam, name, Path="/pages/")
    first = iam.list_roles(PathPrefix="/pages/", MaxItems=3)
    assert first["IsTruncated"] and first["Marker"]
    pages = iam.get_paginator("list_roles").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 3})
    listed = [[role["RoleName"] for role in each["Roles"]] for each in pages]
    assert listed == [names[:3], names[3:6], names[6:]]
    assert refusal(iam.list_roles, Marker="ü")[0] == "ValidationError"


def test_boundaries(iam: Any) -> None:
    bound = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    made = make(iam, "Bound", PermissionsBoundary=bound)
    assert made["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": bound,
    }
    used = iam.list_entities_for_policy(PolicyArn=bound, PolicyUsageFilter="PermissionsBoundary")
    assert "Bound" in [role["RoleName"] for role in used["PolicyRoles"]]
    iam.delete_role_permissions_boundary(RoleName="Bound")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="Bound")["Role"]
