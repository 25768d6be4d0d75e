"""The public-access block of an account: it holds for all its buckets, besides what each has of its own.

Source: docs.aws.amazon.com/AmazonS3/latest/API/API_control_PutPublicAccessBlock.html
"""

from __future__ import annotations

from typing import Final, cast

from cloche.aws.errors import AwsError, fact
from cloche.aws.operation import Context, Members, operation
from cloche.services.parts import Parts
from cloche.storage.objects.accounts import PUBLIC_ACCESS_BLOCK, S3Accounts

_SWITCHES: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_NONE: Final = fact(
    "NoSuchPublicAccessBlockConfiguration",
    "The public access block configuration was not found",
    source="docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetPublicAccessBlock.html, Errors",
    status=404,
)


@operation("PutPublicAccessBlock")
def put_public_access_block(ctx: Context, request: Members) -> Members:
    given = request["PublicAccessBlockConfiguration"]
    switches = {switch: bool(given.get(switch)) for switch in _SWITCHES}
    _accounts(ctx, request).set(ctx.account, PUBLIC_ACCESS_BLOCK, switches)
    return {}


@operation("GetPublicAccessBlock", reads=True)
def get_public_access_block(ctx: Context, request: Members) -> Members:
    kept = _accounts(ctx, request).setting(ctx.account, PUBLIC_ACCESS_BLOCK)
    if not kept:
        raise _NONE.error()
    return {"PublicAccessBlockConfiguration": kept}


@operation("DeletePublicAccessBlock")
def delete_public_access_block(ctx: Context, request: Members) -> Members:
    _accounts(ctx, request).set(ctx.account, PUBLIC_ACCESS_BLOCK, None)
    return {}


def _accounts(ctx: Context, request: Members) -> S3Accounts:
    """Raises AccessDenied where ``x-amz-account-id`` is not the caller's own."""
    if request["AccountId"] != ctx.account:
        raise AwsError("AccessDenied", "Access Denied", 403)
    return cast(Parts, ctx.parts).objects.accounts
