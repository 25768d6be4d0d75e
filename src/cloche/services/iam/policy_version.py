"""Versions of managed policies: five at most, one of them the default."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.services.iam.errors import identity_policy
from cloche.services.iam.naming import mine
from cloche.services.iam.paging import cut, paged
from cloche.services.iam.views import view_version


def number_of(request: Members) -> int:
    """``v3`` → 3. A version with a suffix is of no policy here, and counts as version 0, which is never there."""
    digits = str(request["VersionId"])[1:]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


@operation("CreatePolicyVersion")
def create_policy_version(ctx: Context, request: Members) -> Members:
    made = mine(ctx).policies.create_version(
        request["PolicyArn"],
        identity_policy(request["PolicyDocument"]),
        as_default=bool(request.get("SetAsDefault")),
    )
    return {"PolicyVersion": view_version(made, document=False)}


@operation("GetPolicyVersion", reads=True)
def get_policy_version(ctx: Context, request: Members) -> Members:
    found = mine(ctx).policies.version(request["PolicyArn"], number_of(request))
    return {"PolicyVersion": view_version(found)}


@operation("ListPolicyVersions", reads=True)
def list_policy_versions(ctx: Context, request: Members) -> Members:
    versions = mine(ctx).policies.versions(request["PolicyArn"])
    # Newest first: the name that grows along the list is how far a number is from the largest one.
    found, end = cut(versions, request, lambda each: f"{10**9 - each.version:010}")
    return paged("Versions", [view_version(each, document=False) for each in found], end)


@operation("SetDefaultPolicyVersion")
def set_default_policy_version(ctx: Context, request: Members) -> None:
    mine(ctx).policies.set_default_version(request["PolicyArn"], number_of(request))


@operation("DeletePolicyVersion")
def delete_policy_version(ctx: Context, request: Members) -> None:
    mine(ctx).policies.delete_version(request["PolicyArn"], number_of(request))
