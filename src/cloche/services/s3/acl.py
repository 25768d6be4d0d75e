"""GetBucketAcl, PutBucketAcl, GetObjectAcl, PutObjectAcl.

BucketOwnerEnforced, the setting of every new bucket, switches ACLs off: they then read as the owner's full control
and cannot be set (docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from cloche.aws.operation import Answer, Context, Members
from cloche.services.parts import Parts
from cloche.services.s3.access import grants
from cloche.services.s3.access.grants import Grant
from cloche.services.s3.access.made import acl_from, known_ids
from cloche.services.s3.access.owners import acls_count, canonical_id, grantee_member, object_owner, owner_member
from cloche.services.s3.access.public_access import switch
from cloche.services.s3.causes import cause_of
from cloche.services.s3.errors import s3_error
from cloche.services.s3.handling import bucket_of, existing_object, s3_operation, store_of
from cloche.storage.objects import Bucket


@s3_operation("GetBucketAcl", reads=True)
def get_bucket_acl(ctx: Context, request: Members) -> Members:
    bucket = bucket_of(ctx, request)
    owner = owner_member(ctx, bucket.account)
    kept = bucket.configuration.get("Acl", ()) if acls_count(bucket) else ()
    return {"Owner": owner, "Grants": _view(ctx, kept, owner)}


@s3_operation("PutBucketAcl")
def put_bucket_acl(ctx: Context, request: Members) -> Members:
    bucket = bucket_of(ctx, request)
    acl = _asked(ctx, request, bucket, bucket.account, of_bucket=True)
    if acl is not None:
        store_of(ctx).buckets.configure(bucket.name, "Acl", [list(grant) for grant in acl])
    return {}


@s3_operation("GetObjectAcl", reads=True)
def get_object_acl(ctx: Context, request: Members) -> Answer:
    bucket = bucket_of(ctx, request)
    info = existing_object(ctx, request)
    owner = owner_member(ctx, object_owner(bucket, info.details.owner))
    kept = info.details.acl if acls_count(bucket) else ()
    return Answer({"Owner": owner, "Grants": _view(ctx, kept, owner)}, headers=_version(bucket, info.version))


@s3_operation("PutObjectAcl")
def put_object_acl(ctx: Context, request: Members) -> Answer:
    bucket = bucket_of(ctx, request)
    info = existing_object(ctx, request)
    acl = _asked(ctx, request, bucket, object_owner(bucket, info.details.owner), of_bucket=False)
    if acl is not None:
        cause = cause_of(ctx, "ObjectAcl:Put", "PutObjectAcl")
        store_of(ctx).update_details(info, lambda details: replace(details, acl=acl), cause=cause)
    return Answer({}, headers=_version(bucket, info.version))


def _view(ctx: Context, kept: Sequence[Sequence[str]], owner: Members) -> list[Members]:
    """A list has no order of its own; S3 of old told groups first."""
    shown = grants.view(kept, owner["ID"], partial(grantee_member, ctx))
    if cast(Parts, ctx.parts).settings.s3_before_2023:
        shown.sort(key=lambda grant: bool(grant["Grantee"]["Type"] != "Group"))
    return shown


def _version(bucket: Bucket, version: str) -> tuple[tuple[str, str], ...]:
    return (("x-amz-version-id", version),) if bucket.versioning else ()


def _asked(ctx: Context, request: Members, bucket: Bucket, owner: str, *, of_bucket: bool) -> tuple[Grant, ...] | None:
    """The list to set; ``None`` for the owner's full control on a bucket without ACLs, which changes nothing. Raises
    what is wrong with it."""
    document = request.get("AccessControlPolicy")
    asks_by_header = grants.asks_for_acl({k: v for k, v in request.items() if k != "AccessControlPolicy"})
    if document is None and not asks_by_header:
        raise s3_error("MissingSecurityHeader", MissingHeaderName="x-amz-acl")
    if document is not None and asks_by_header:
        raise s3_error("UnexpectedContent")
    if document is not None:
        owner_id = canonical_id(store_of(ctx), owner)
        said = (document.get("Owner") or {}).get("ID")
        if not said or "Grants" not in document:
            raise s3_error("MalformedACLError")
        if said != owner_id:
            raise s3_error("AccessDenied")  # an ACL cannot give a thing to another owner (acl-overview.html)
        acl = grants.from_document(document, known_ids(ctx)) or (("FULL_CONTROL", "none", owner_id),)
    else:
        acl = acl_from(ctx, request, owner, bucket, of_bucket=of_bucket)
    if not acls_count(bucket):
        alone = (("FULL_CONTROL", "id", canonical_id(store_of(ctx), bucket.account)),)
        if acl == alone and (document is not None or request.get("ACL") == "bucket-owner-full-control"):
            return None
        raise s3_error("AccessControlListNotSupported")
    if grants.is_public(acl) and switch(store_of(ctx), bucket, "BlockPublicAcls"):
        raise s3_error("AccessDenied")
    return acl
