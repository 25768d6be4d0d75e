"""Who owns what is being made, and with which access control list.

Sources: docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html (whose an uploaded object is, and
which ACLs an upload may carry), …/access-control-block-public-access.html (BlockPublicAcls)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.services.parts import Parts
from cloche.services.s3.access import grants
from cloche.services.s3.access.grants import Grant
from cloche.services.s3.access.owners import (
    ENFORCED,
    OWNERSHIPS,
    account_of_id,
    acls_count,
    canonical_id,
    ownership_of,
    who,
)
from cloche.services.s3.access.public_access import BEFORE_2023, NEW_BUCKET, switch
from cloche.services.s3.errors import invalid_request, s3_error
from cloche.services.s3.handling import store_of
from cloche.storage.objects import Bucket, Details
from cloche.storage.objects.accounts import PUBLIC_ACCESS_BLOCK


def owned(ctx: Context, request: Members, bucket: Bucket, details: Details) -> Details:
    """``details`` with the owner and the ACL that a written object has. Raises AccessControlListNotSupported where
    the bucket has none, AccessDenied for a public one that is blocked, InvalidArgument and InvalidRequest."""
    asks = grants.asks_for_acl(request)
    if not acls_count(bucket):
        if asks and not _is_owners_alone(ctx, request, bucket):
            raise s3_error("AccessControlListNotSupported")
        return details
    writer = who(ctx)
    gives = gives_owner_all(ctx, request, bucket)
    owner = bucket.account if ownership_of(bucket) == "BucketOwnerPreferred" and gives else writer
    acl = acl_from(ctx, request, owner, bucket, of_bucket=False) if asks else ()
    if grants.is_public(acl) and switch(store_of(ctx), bucket, "BlockPublicAcls"):
        raise s3_error("AccessDenied")
    return replace(details, owner="" if owner == bucket.account else owner, acl=acl)


def acl_from(
    ctx: Context, request: Members, owner: str, bucket: Bucket | None, *, of_bucket: bool
) -> tuple[Grant, ...]:
    """The grants that a request asks for, by canned name or headers; the thing is ``owner``'s (an account)."""
    store = store_of(ctx)
    given = grants.from_headers(request, known_ids(ctx))
    if given and request.get("ACL"):
        raise invalid_request("Specifying both Canned ACLs and Header Grants is not allowed")
    if given:
        return given
    holder = bucket.account if bucket is not None else owner
    name = request.get("ACL") or "private"
    return grants.canned(name, canonical_id(store, owner), canonical_id(store, holder), of_bucket=of_bucket)


class known_ids:  # noqa: N801 - used as a function
    """Whether a canonical id is an account's here (``grants.Known``)."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def __call__(self, canonical: str) -> bool:
        return bool(account_of_id(self._ctx, canonical))

    @property
    def by_email(self) -> bool:
        return cast(Parts, self._ctx.parts).settings.s3_before_2023


def _is_owners_alone(ctx: Context, request: Members, bucket: Bucket) -> bool:
    """Is it the one ACL that a bucket without them takes, in either of its forms?"""
    if request.get("ACL"):
        if request["ACL"] not in grants.OBJECT_CANNED:
            grants.canned(request["ACL"], "", "", of_bucket=False)
        return bool(request["ACL"] == "bucket-owner-full-control")
    return gives_owner_all(ctx, request, bucket)


def gives_owner_all(ctx: Context, request: Members, bucket: Bucket) -> bool:
    """Does an upload grant full control to the bucket's owner, and nothing else to anybody?"""
    if request.get("ACL") == "bucket-owner-full-control":
        return True
    try:
        given = grants.from_headers(request, known_ids(ctx))
    except AwsError:
        return False
    return given == (("FULL_CONTROL", "id", canonical_id(store_of(ctx), bucket.account)),)


def new_access(ctx: Context, request: Members) -> dict[str, Any]:
    """What a new bucket begins with: Object Ownership, a public-access block, an ACL. Nothing is kept that is the
    default. Raises InvalidBucketAclWithObjectOwnership, InvalidBucketAclWithBlockPublicAccessError and
    InvalidArgument."""
    parts = cast(Parts, ctx.parts)
    begun: dict[str, Any] = dict(BEFORE_2023) if parts.settings.s3_before_2023 else {}
    if ownership := request.get("ObjectOwnership"):
        if ownership not in OWNERSHIPS:
            # Words: localstack/localstack, tests/aws/services/s3/test_s3_api.snapshot.json, recorded of S3
            words = f"Invalid x-amz-object-ownership header: {ownership}"
            raise s3_error("InvalidArgument", words, ArgumentName="x-amz-object-ownership")
        begun["OwnershipControls"] = {"Rules": [{"ObjectOwnership": ownership}]}
    if not grants.asks_for_acl(request):
        return begun
    acl = acl_from(ctx, request, ctx.account, None, of_bucket=True)
    alone = (("FULL_CONTROL", "id", canonical_id(parts.objects, ctx.account)),)
    if acl == alone:
        return begun
    enforced = begun.get("OwnershipControls", ENFORCED)["Rules"][0]["ObjectOwnership"] == "BucketOwnerEnforced"
    if enforced:
        raise s3_error("InvalidBucketAclWithObjectOwnership")
    blocked = begun.get("PublicAccessBlock", NEW_BUCKET) or parts.objects.accounts.setting(
        ctx.account, PUBLIC_ACCESS_BLOCK
    )
    if grants.is_public(acl) and (blocked or {}).get("BlockPublicAcls"):
        raise s3_error("InvalidBucketAclWithBlockPublicAccessError")
    begun["Acl"] = [list(grant) for grant in acl]
    return begun
