"""What roles are given: inline policies, and managed ones attached."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.services.iam import holding


@operation("PutRolePolicy")
def put_role_policy(ctx: Context, request: Members) -> None:
    holding.put("role", ctx, request)


@operation("GetRolePolicy", reads=True)
def get_role_policy(ctx: Context, request: Members) -> Members:
    return holding.get("role", ctx, request)


@operation("ListRolePolicies", reads=True)
def list_role_policies(ctx: Context, request: Members) -> Members:
    return holding.list_inline("role", ctx, request)


@operation("DeleteRolePolicy")
def delete_role_policy(ctx: Context, request: Members) -> None:
    holding.delete("role", ctx, request)


@operation("AttachRolePolicy")
def attach_role_policy(ctx: Context, request: Members) -> None:
    holding.attach("role", ctx, request)


@operation("DetachRolePolicy")
def detach_role_policy(ctx: Context, request: Members) -> None:
    holding.detach("role", ctx, request)


@operation("ListAttachedRolePolicies", reads=True)
def list_attached_role_policies(ctx: Context, request: Members) -> Members:
    return holding.list_attached("role", ctx, request)
