"""What is set on a bucket: kept as the caller sent it and told again.

Public access is blocked whatever the block says, since nobody but the account has access; versioning is off.
"""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Context, Members
from cloche.services.s3.describing import DEFAULT_ENCRYPTION
from cloche.services.s3.errors import not_implemented, s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of
from cloche.services.s3.tags import BUCKET_TAGS_MAX, tag_set, tags_from_set

_SWITCHES: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_OWNERSHIPS: Final = ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")


@s3_operation("GetBucketVersioning", reads=True)
def get_bucket_versioning(ctx: Context, request: Members) -> Members:
    """Empty: versioning was never switched on (API_GetBucketVersioning.html)."""
    return {}


@s3_operation("PutBucketTagging")
def put_bucket_tagging(ctx: Context, request: Members) -> Members:
    tags = tags_from_set(request["Tagging"].get("TagSet") or [], BUCKET_TAGS_MAX)
    store_of(ctx).buckets.configure(request["Bucket"], "Tagging", tags or None)
    return {}


@s3_operation("GetBucketTagging", reads=True)
def get_bucket_tagging(ctx: Context, request: Members) -> Members:
    tags = bucket_of(ctx, request).configuration.get("Tagging")
    if not tags:
        raise s3_error("NoSuchTagSet")
    return {"TagSet": tag_set(tags)}


@s3_operation("DeleteBucketTagging")
def delete_bucket_tagging(ctx: Context, request: Members) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], "Tagging", None)
    return {}


@s3_operation("PutBucketEncryption")
def put_bucket_encryption(ctx: Context, request: Members) -> Members:
    rules = request["ServerSideEncryptionConfiguration"].get("Rules") or []
    if len(rules) != 1 or not (rules[0].get("ApplyServerSideEncryptionByDefault") or {}).get("SSEAlgorithm"):
        raise s3_error("MalformedXML")
    default = rules[0]["ApplyServerSideEncryptionByDefault"]
    if default["SSEAlgorithm"] not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise not_implemented("SSEAlgorithm", f"{default['SSEAlgorithm']} is not for general-purpose buckets")
    store_of(ctx).buckets.configure(request["Bucket"], "Encryption", {"Rules": rules})
    return {}


@s3_operation("GetBucketEncryption", reads=True)
def get_bucket_encryption(ctx: Context, request: Members) -> Members:
    """As set, else S3's default since January 2023 (default-encryption-faq.html)."""
    default = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": DEFAULT_ENCRYPTION["ServerSideEncryption"]},
        "BucketKeyEnabled": False,
    }
    configured = bucket_of(ctx, request).configuration.get("Encryption") or {"Rules": [default]}
    return {"ServerSideEncryptionConfiguration": configured}


@s3_operation("DeleteBucketEncryption")
def delete_bucket_encryption(ctx: Context, request: Members) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], "Encryption", None)
    return {}


@s3_operation("PutPublicAccessBlock")
def put_public_access_block(ctx: Context, request: Members) -> Members:
    given = request["PublicAccessBlockConfiguration"]
    switches = {switch: bool(given.get(switch)) for switch in _SWITCHES}
    store_of(ctx).buckets.configure(request["Bucket"], "PublicAccessBlock", switches)
    return {}


@s3_operation("GetPublicAccessBlock", reads=True)
def get_public_access_block(ctx: Context, request: Members) -> Members:
    """As set. A new bucket has all four on (docs.aws.amazon.com/AmazonS3/latest/userguide/
    access-control-block-public-access.html); deleting the setting leaves none."""
    kept = bucket_of(ctx, request).configuration.get("PublicAccessBlock", dict.fromkeys(_SWITCHES, True))
    if not kept:
        raise s3_error("NoSuchPublicAccessBlockConfiguration")
    return {"PublicAccessBlockConfiguration": kept}


@s3_operation("DeletePublicAccessBlock")
def delete_public_access_block(ctx: Context, request: Members) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], "PublicAccessBlock", {})
    return {}


@s3_operation("PutBucketOwnershipControls")
def put_bucket_ownership_controls(ctx: Context, request: Members) -> Members:
    rules = request["OwnershipControls"].get("Rules") or []
    if len(rules) != 1 or rules[0].get("ObjectOwnership") not in _OWNERSHIPS:
        raise s3_error("MalformedXML")
    store_of(ctx).buckets.configure(request["Bucket"], "OwnershipControls", {"Rules": rules})
    return {}


@s3_operation("GetBucketOwnershipControls", reads=True)
def get_bucket_ownership_controls(ctx: Context, request: Members) -> Members:
    default = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    kept = bucket_of(ctx, request).configuration.get("OwnershipControls", default)
    if not kept:
        raise s3_error("OwnershipControlsNotFoundError")
    return {"OwnershipControls": kept}


@s3_operation("DeleteBucketOwnershipControls")
def delete_bucket_ownership_controls(ctx: Context, request: Members) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], "OwnershipControls", {})
    return {}


@s3_operation("GetBucketRequestPayment", reads=True)
def get_bucket_request_payment(ctx: Context, request: Members) -> Members:
    """The owner pays; nothing else can be set."""
    return {"Payer": "BucketOwner"}
