"""What roles, users and groups are given: inline policies, managed ones attached, and a boundary.

The operations of the three differ in their names and in the member that names the owner; each is one line below.
"""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import Kind
from cloche.services.iam.errors import identity_policy
from cloche.services.iam.naming import mine, modifiable
from cloche.services.iam.paging import cut, page_of, paged
from cloche.services.iam.views import quoted

OWNER: Final[dict[Kind, str]] = {"role": "RoleName", "user": "UserName", "group": "GroupName"}


def _put(kind: Kind, ctx: Context, request: Members) -> None:
    document = identity_policy(request["PolicyDocument"])
    modifiable(ctx, kind, request[OWNER[kind]])
    mine(ctx).holdings.put_inline(kind, request[OWNER[kind]], request["PolicyName"], document)


def _get(kind: Kind, ctx: Context, request: Members) -> Members:
    owner, name = request[OWNER[kind]], request["PolicyName"]
    document = mine(ctx).holdings.inline(kind, owner, name)
    return {OWNER[kind]: owner, "PolicyName": name, "PolicyDocument": quoted(document)}


def _list(kind: Kind, ctx: Context, request: Members) -> Members:
    after, limit = page_of(request)
    found, end = mine(ctx).holdings.inline_names(kind, request[OWNER[kind]], after, limit)
    return paged("PolicyNames", found, end)


def _delete(kind: Kind, ctx: Context, request: Members) -> None:
    modifiable(ctx, kind, request[OWNER[kind]])
    mine(ctx).holdings.delete_inline(kind, request[OWNER[kind]], request["PolicyName"])


def _attach(kind: Kind, ctx: Context, request: Members) -> None:
    modifiable(ctx, kind, request[OWNER[kind]])
    mine(ctx).holdings.attach(kind, request[OWNER[kind]], request["PolicyArn"])


def _detach(kind: Kind, ctx: Context, request: Members) -> None:
    modifiable(ctx, kind, request[OWNER[kind]])
    mine(ctx).holdings.detach(kind, request[OWNER[kind]], request["PolicyArn"])


def _attached(kind: Kind, ctx: Context, request: Members) -> Members:
    prefix = request.get("PathPrefix") or "/"
    held = mine(ctx).holdings.attached(kind, request[OWNER[kind]])
    arns = [arn for arn in held if path_of(arn).startswith(prefix)]
    found, end = cut(arns, request, str)
    return paged("AttachedPolicies", [view_attached(arn) for arn in found], end)


def _bound(kind: Kind, ctx: Context, request: Members) -> None:
    modifiable(ctx, kind, request[OWNER[kind]])
    boundary = mine(ctx).policies.as_boundary(request["PermissionsBoundary"])
    mine(ctx).entities.set_boundary(kind, request[OWNER[kind]], boundary)


def _unbound(kind: Kind, ctx: Context, request: Members) -> None:
    modifiable(ctx, kind, request[OWNER[kind]])
    mine(ctx).entities.set_boundary(kind, request[OWNER[kind]], None)


def view_attached(arn: str) -> Members:
    return {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}


def path_of(policy_arn: str) -> str:
    """``arn:aws:iam::123456789012:policy/a/b/Name`` → ``/a/b/``."""
    return "/" + policy_arn.partition(":policy/")[2].rpartition("/")[0] + "/" if policy_arn.count("/") > 1 else "/"


put_role_policy = operation("PutRolePolicy")(lambda ctx, request: _put("role", ctx, request))
get_role_policy = operation("GetRolePolicy", reads=True)(lambda ctx, request: _get("role", ctx, request))
list_role_policies = operation("ListRolePolicies", reads=True)(lambda ctx, request: _list("role", ctx, request))
delete_role_policy = operation("DeleteRolePolicy")(lambda ctx, request: _delete("role", ctx, request))
attach_role_policy = operation("AttachRolePolicy")(lambda ctx, request: _attach("role", ctx, request))
detach_role_policy = operation("DetachRolePolicy")(lambda ctx, request: _detach("role", ctx, request))
list_attached_role_policies = operation("ListAttachedRolePolicies", reads=True)(
    lambda ctx, request: _attached("role", ctx, request)
)
put_role_permissions_boundary = operation("PutRolePermissionsBoundary")(
    lambda ctx, request: _bound("role", ctx, request)
)
delete_role_permissions_boundary = operation("DeleteRolePermissionsBoundary")(
    lambda ctx, request: _unbound("role", ctx, request)
)

put_user_policy = operation("PutUserPolicy")(lambda ctx, request: _put("user", ctx, request))
get_user_policy = operation("GetUserPolicy", reads=True)(lambda ctx, request: _get("user", ctx, request))
list_user_policies = operation("ListUserPolicies", reads=True)(lambda ctx, request: _list("user", ctx, request))
delete_user_policy = operation("DeleteUserPolicy")(lambda ctx, request: _delete("user", ctx, request))
attach_user_policy = operation("AttachUserPolicy")(lambda ctx, request: _attach("user", ctx, request))
detach_user_policy = operation("DetachUserPolicy")(lambda ctx, request: _detach("user", ctx, request))
list_attached_user_policies = operation("ListAttachedUserPolicies", reads=True)(
    lambda ctx, request: _attached("user", ctx, request)
)
put_user_permissions_boundary = operation("PutUserPermissionsBoundary")(
    lambda ctx, request: _bound("user", ctx, request)
)
delete_user_permissions_boundary = operation("DeleteUserPermissionsBoundary")(
    lambda ctx, request: _unbound("user", ctx, request)
)

put_group_policy = operation("PutGroupPolicy")(lambda ctx, request: _put("group", ctx, request))
get_group_policy = operation("GetGroupPolicy", reads=True)(lambda ctx, request: _get("group", ctx, request))
list_group_policies = operation("ListGroupPolicies", reads=True)(lambda ctx, request: _list("group", ctx, request))
delete_group_policy = operation("DeleteGroupPolicy")(lambda ctx, request: _delete("group", ctx, request))
attach_group_policy = operation("AttachGroupPolicy")(lambda ctx, request: _attach("group", ctx, request))
detach_group_policy = operation("DetachGroupPolicy")(lambda ctx, request: _detach("group", ctx, request))
list_attached_group_policies = operation("ListAttachedGroupPolicies", reads=True)(
    lambda ctx, request: _attached("group", ctx, request)
)
