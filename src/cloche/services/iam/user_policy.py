"""What users are given: inline policies, and managed ones attached."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.services.iam import holding


@operation("PutUserPolicy")
def put_user_policy(ctx: Context, request: Members) -> None:
    holding.put("user", ctx, request)


@operation("GetUserPolicy", reads=True)
def get_user_policy(ctx: Context, request: Members) -> Members:
    return holding.get("user", ctx, request)


@operation("ListUserPolicies", reads=True)
def list_user_policies(ctx: Context, request: Members) -> Members:
    return holding.list_inline("user", ctx, request)


@operation("DeleteUserPolicy")
def delete_user_policy(ctx: Context, request: Members) -> None:
    holding.delete("user", ctx, request)


@operation("AttachUserPolicy")
def attach_user_policy(ctx: Context, request: Members) -> None:
    holding.attach("user", ctx, request)


@operation("DetachUserPolicy")
def detach_user_policy(ctx: Context, request: Members) -> None:
    holding.detach("user", ctx, request)


@operation("ListAttachedUserPolicies", reads=True)
def list_attached_user_policies(ctx: Context, request: Members) -> Members:
    return holding.list_attached("user", ctx, request)
