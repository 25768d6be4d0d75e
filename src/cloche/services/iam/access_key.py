"""Users' access keys. The secret is told once, when the key is made."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.services.iam.paging import cut, paged
from cloche.services.iam.user import named_or_caller
from cloche.services.iam.views import view_access_key


@operation("CreateAccessKey")
def create_access_key(ctx: Context, request: Members) -> Members:
    key, secret = ctx.parts.identity.keys.create(named_or_caller(ctx, request))
    return {"AccessKey": {**view_access_key(key), "SecretAccessKey": secret}}


@operation("ListAccessKeys", reads=True)
def list_access_keys(ctx: Context, request: Members) -> Members:
    keys = ctx.parts.identity.keys.of_user(named_or_caller(ctx, request))
    found, end = cut(keys, request, lambda each: each.access_key)
    return paged("AccessKeyMetadata", [view_access_key(key) for key in found], end)


@operation("UpdateAccessKey")
def update_access_key(ctx: Context, request: Members) -> None:
    active = request["Status"] == "Active"
    ctx.parts.identity.keys.set_active(named_or_caller(ctx, request), request["AccessKeyId"], active)


@operation("DeleteAccessKey")
def delete_access_key(ctx: Context, request: Members) -> None:
    ctx.parts.identity.keys.delete(named_or_caller(ctx, request), request["AccessKeyId"])
