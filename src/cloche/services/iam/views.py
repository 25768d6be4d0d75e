"""Entities in the members of IAM's answers.

Policy documents go out percent-encoded (RFC 3986), as IAM sends them; boto3 decodes every member of the shape
``policyDocumentType`` (botocore/handlers.py, ``json_decode_policies``).
"""

from __future__ import annotations

from urllib.parse import quote

from cloche.aws.operation import Members
from cloche.engines.identity.entities import AccessKey, Account, Entity, Policy, PolicyVersion, Role, Tags, User


def quoted(document: str) -> str:
    return quote(document, safe="")


def tags_of(request: Members) -> Tags:
    return tuple((each["Key"], each["Value"]) for each in request.get("Tags") or ())


def view_tags(tags: Tags) -> list[Members]:
    return [{"Key": key, "Value": value} for key, value in tags]


def _entity(entity: Entity, *, whole: bool) -> Members:
    """IAM's lists leave tags and boundaries out (API_ListRoles: "does not return … tags, permissions boundary")."""
    members: Members = {"Path": entity.path, "Arn": entity.arn, "CreateDate": entity.created_at}
    if whole and entity.boundary is not None:
        members["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": entity.boundary,
        }
    if whole and entity.tags:
        members["Tags"] = view_tags(entity.tags)
    return members


def view_role(role: Role, *, whole: bool = True) -> Members:
    members = _entity(role, whole=whole)
    members |= {
        "RoleName": role.name,
        "RoleId": role.id,
        "AssumeRolePolicyDocument": quoted(role.trust),
        "MaxSessionDuration": role.session_seconds_max,
    }
    if role.description is not None:
        members["Description"] = role.description
    if whole:
        members["RoleLastUsed"] = {}
        if role.used_at is not None:
            members["RoleLastUsed"] = {"LastUsedDate": role.used_at, "Region": role.used_region}
    return members


def view_user(user: User, *, whole: bool = True) -> Members:
    return {**_entity(user, whole=whole), "UserName": user.name, "UserId": user.id}


def view_root(account: Account) -> Members:
    """The root as GetUser tells it; its name is the account's alias, where there is one."""
    alias = account.settings.get("alias")
    return {
        "Path": "/",
        **({"UserName": alias} if alias else {}),
        "UserId": account.number,
        "Arn": f"arn:aws:iam::{account.number}:root",
        "CreateDate": account.created_at,
    }


def view_group(group: Entity) -> Members:
    return {**_entity(group, whole=False), "GroupName": group.name, "GroupId": group.id}


def view_policy(policy: Policy, *, whole: bool = True) -> Members:
    members: Members = {
        "PolicyName": policy.name,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": policy.attachments,
        "PermissionsBoundaryUsageCount": policy.boundaries,
        "IsAttachable": True,
        "UpdateDate": policy.updated_at,
    }
    if policy.id is not None:
        members["PolicyId"] = policy.id
    if policy.created_at is not None:
        members["CreateDate"] = policy.created_at
    if whole and policy.description:
        members["Description"] = policy.description
    if whole:
        members["Tags"] = view_tags(policy.tags)
    return members


def view_version(version: PolicyVersion, *, document: bool = True) -> Members:
    members: Members = {
        "VersionId": f"v{version.version}",
        "IsDefaultVersion": version.is_default,
        "CreateDate": version.created_at,
    }
    if document:
        members["Document"] = quoted(version.document)
    return members


def view_access_key(key: AccessKey) -> Members:
    return {
        **({"UserName": key.user} if key.user else {}),
        "AccessKeyId": key.access_key,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": key.created_at,
    }
