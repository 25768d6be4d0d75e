from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

READS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    said = found.value.response
    return said["Error"]["Code"], said["Error"]["Message"], said["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def iam(client: Callable[..., Any]) -> Any:
    return client("iam")


def may(iam: Any, user: str, action: str) -> str:
    arn = iam.get_user(UserName=user)["User"]["Arn"]
    results = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action])["EvaluationResults"]
    return str(results[0]["EvalDecision"])


def test_a_groups_policies_are_its_users(iam: Any) -> None:
    group = iam.create_group(GroupName="Readers", Path="/teams/")["Group"]
    assert group["Arn"] == "arn:aws:iam::123456789012:group/teams/Readers" and group["GroupId"].startswith("AGPA")
    iam.create_user(UserName="reader")
    iam.put_group_policy(GroupName="Readers", PolicyName="reads", PolicyDocument=json.dumps(READS))
    assert iam.get_group_policy(GroupName="Readers", PolicyName="reads")["PolicyDocument"] == READS
    assert may(iam, "reader", "s3:GetObject") == "implicitDeny"
    iam.add_user_to_group(GroupName="Readers", UserName="reader")
    assert may(iam, "reader", "s3:GetObject") == "allowed"
    assert [each["UserName"] for each in iam.get_group(GroupName="Readers")["Users"]] == ["reader"]
    assert [each["GroupName"] for each in iam.list_groups_for_user(UserName="reader")["Groups"]] == ["Readers"]
    conflict = "Cannot delete entity, must remove users from group first."
    assert refusal(iam.delete_group, GroupName="Readers") == ("DeleteConflict", conflict, 409)
    assert refusal(iam.delete_user, UserName="reader") == ("DeleteConflict", conflict, 409)
    iam.remove_user_from_group(GroupName="Readers", UserName="reader")
    assert may(iam, "reader", "s3:GetObject") == "implicitDeny"
    assert refusal(iam.delete_group, GroupName="Readers")[1] == "Cannot delete entity, must delete policies first."
    iam.delete_group_policy(GroupName="Readers", PolicyName="reads")
    iam.delete_group(GroupName="Readers")
    assert refusal(iam.get_group, GroupName="Readers") == (
        "NoSuchEntity", "The group with name Readers cannot be found.", 404,
    )  # fmt: skip


def test_managed_policies_of_groups(iam: Any) -> None:
    iam.create_group(GroupName="Managed")
    arn = iam.create_policy(PolicyName="OfGroups", PolicyDocument=json.dumps(READS))["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="Managed", PolicyArn=arn)
    attached = iam.list_attached_group_policies(GroupName="Managed")["AttachedPolicies"]
    assert attached == [{"PolicyName": "OfGroups", "PolicyArn": arn}]
    assert [each["GroupName"] for each in iam.list_entities_for_policy(PolicyArn=arn)["PolicyGroups"]] == ["Managed"]
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    assert "must detach all policies first" in refusal(iam.delete_group, GroupName="Managed")[1]
    iam.detach_group_policy(GroupName="Managed", PolicyArn=arn)
    iam.delete_group(GroupName="Managed")


def test_names_change_and_ids_stay(iam: Any) -> None:
    before = iam.create_user(UserName="maiden", Path="/old/")["User"]
    key = iam.create_access_key(UserName="maiden")["AccessKey"]["AccessKeyId"]
    iam.create_group(GroupName="Bound")
    iam.add_user_to_group(GroupName="Bound", UserName="maiden")
    iam.update_user(UserName="maiden", NewUserName="married", NewPath="/new/")
    after = iam.get_user(UserName="married")["User"]
    assert after["UserId"] == before["UserId"]
    assert after["Arn"] == "arn:aws:iam::123456789012:user/new/married"
    assert [each["AccessKeyId"] for each in iam.list_access_keys(UserName="married")["AccessKeyMetadata"]] == [key]
    assert [each["UserName"] for each in iam.get_group(GroupName="Bound")["Users"]] == ["married"]
    assert refusal(iam.get_user, UserName="maiden")[0] == "NoSuchEntity"
    iam.create_user(UserName="taken")
    assert refusal(iam.update_user, UserName="married", NewUserName="TAKEN") == (
        "EntityAlreadyExists", "User with name TAKEN already exists.", 409,
    )  # fmt: skip
    iam.update_group(GroupName="Bound", NewGroupName="Unbound")
    assert iam.get_group(GroupName="Unbound")["Users"][0]["UserName"] == "married"


def test_ten_groups_at_most(iam: Any) -> None:
    iam.create_user(UserName="everywhere")
    for number in range(11):
        iam.create_group(GroupName=f"Ten{number}", Path="/ten/")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"Ten{number}", UserName="everywhere")
    assert refusal(iam.add_user_to_group, GroupName="Ten10", UserName="everywhere") == (
        "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10", 409,
    )  # fmt: skip
    pages = iam.get_paginator("list_groups").paginate(PathPrefix="/ten/", PaginationConfig={"PageSize": 4})
    assert [len(page["Groups"]) for page in pages] == [4, 4, 3]


def test_instance_profiles(iam: Any) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    for name in ("Machine", "Second"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    made = iam.create_instance_profile(InstanceProfileName="Machines", Tags=[{"Key": "a", "Value": "b"}])
    assert made["InstanceProfile"]["Arn"] == "arn:aws:iam::123456789012:instance-profile/Machines"
    assert made["InstanceProfile"]["Roles"] == []
    iam.add_role_to_instance_profile(InstanceProfileName="Machines", RoleName="Machine")
    refused = refusal(iam.add_role_to_instance_profile, InstanceProfileName="Machines", RoleName="Second")
    assert refused == ("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", 409)
    found = iam.get_instance_profile(InstanceProfileName="Machines")["InstanceProfile"]
    assert [role["RoleName"] for role in found["Roles"]] == ["Machine"]
    assert found["Roles"][0]["AssumeRolePolicyDocument"]["Statement"] == [trust]
    held = iam.list_instance_profiles_for_role(RoleName="Machine")["InstanceProfiles"]
    assert [each["InstanceProfileName"] for each in held] == ["Machines"]
    assert iam.list_instance_profile_tags(InstanceProfileName="Machines")["Tags"] == [{"Key": "a", "Value": "b"}]
    conflict = "Cannot delete entity, must remove roles from instance profile first."
    assert refusal(iam.delete_role, RoleName="Machine")[1] == conflict
    assert refusal(iam.delete_instance_profile, InstanceProfileName="Machines")[1] == conflict
    iam.remove_role_from_instance_profile(InstanceProfileName="Machines", RoleName="Machine")
    iam.delete_instance_profile(InstanceProfileName="Machines")
    assert refusal(iam.get_instance_profile, InstanceProfileName="Machines") == (
        "NoSuchEntity", "Instance Profile Machines cannot be found.", 404,
    )  # fmt: skip


def test_all_of_an_account_at_once(iam: Any) -> None:
    iam.create_group(GroupName="Whole")
    iam.create_user(UserName="whole", Tags=[{"Key": "a", "Value": "b"}])
    iam.add_user_to_group(GroupName="Whole", UserName="whole")
    iam.put_user_policy(UserName="whole", PolicyName="own", PolicyDocument=json.dumps(READS))
    iam.attach_group_policy(GroupName="Whole", PolicyArn="arn:aws:iam::aws:policy/job-function/ViewOnlyAccess")
    whole: dict[str, list[Any]] = {}
    pages = 0
    for page in iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 5}):
        pages += 1
        for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"):
            whole.setdefault(name, []).extend(page[name])
    assert pages > 1
    user = next(each for each in whole["UserDetailList"] if each["UserName"] == "whole")
    assert user["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": READS}]
    assert user["GroupList"] == ["Whole"] and user["Tags"] == [{"Key": "a", "Value": "b"}]
    names = [each["PolicyName"] for each in whole["Policies"]]
    assert "ViewOnlyAccess" in names and len(names) == len(set(names))
    policy = next(each for each in whole["Policies"] if each["PolicyName"] == "ViewOnlyAccess")
    assert policy["PolicyVersionList"][0]["Document"]["Statement"]
    roles = [each["RoleName"] for each in whole["RoleDetailList"]]
    assert "AmazonSageMaker-ExecutionRole" in roles and len(roles) == len(set(roles))
    only = iam.get_account_authorization_details(Filter=["Group"])
    assert only["UserDetailList"] == only["RoleDetailList"] == only["Policies"] == []
    assert iam.get_account_summary()["SummaryMap"]["Groups"] >= 1
