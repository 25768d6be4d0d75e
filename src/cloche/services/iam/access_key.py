"""Access keys of users, and of the root who calls. The secret is told once, when the key is made."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.services.iam.naming import mine, named_or_caller_or_root
from cloche.services.iam.paging import cut, paged
from cloche.services.iam.views import view_access_key


@operation("CreateAccessKey")
def create_access_key(ctx: Context, request: Members) -> Members:
    key, secret = mine(ctx).keys.create(named_or_caller_or_root(ctx, request))
    return {"AccessKey": {**view_access_key(key), "SecretAccessKey": secret}}


@operation("ListAccessKeys", reads=True)
def list_access_keys(ctx: Context, request: Members) -> Members:
    keys = mine(ctx).keys.held_by(named_or_caller_or_root(ctx, request))
    found, end = cut(keys, request, lambda each: each.access_key)
    return paged("AccessKeyMetadata", [view_access_key(key) for key in found], end)


@operation("GetAccessKeyLastUsed", reads=True)
def get_access_key_last_used(ctx: Context, request: Members) -> Members:
    """``N/A`` for a key that was never used (API_AccessKeyLastUsed)."""
    key = mine(ctx).keys.get(request["AccessKeyId"])
    if key is None:
        message = f"The Access Key with id {request['AccessKeyId']} cannot be found."
        raise AwsError("AccessDenied", message, 403)
    used: Members = {"ServiceName": key.used_service or "N/A", "Region": key.used_region or "N/A"}
    if key.used_at is not None:
        used["LastUsedDate"] = key.used_at
    return {**({"UserName": key.user} if key.user else {}), "AccessKeyLastUsed": used}


@operation("UpdateAccessKey")
def update_access_key(ctx: Context, request: Members) -> None:
    active = request["Status"] == "Active"
    mine(ctx).keys.set_active(named_or_caller_or_root(ctx, request), request["AccessKeyId"], active)


@operation("DeleteAccessKey")
def delete_access_key(ctx: Context, request: Members) -> None:
    mine(ctx).keys.delete(named_or_caller_or_root(ctx, request), request["AccessKeyId"])
