"""Public-access blocks and Object Ownership of a bucket."""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.services.s3.access.owners import OWNERSHIPS, canonical_id
from cloche.services.s3.access.public_access import NEW_BUCKET, SWITCHES
from cloche.services.s3.errors import s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of


@s3_operation("PutPublicAccessBlock")
def put_public_access_block(ctx: Context, request: Members) -> Members:
    given = request["PublicAccessBlockConfiguration"]
    switches = {switch: bool(given.get(switch)) for switch in SWITCHES}
    store_of(ctx).buckets.configure(request["Bucket"], "PublicAccessBlock", switches)
    return {}


@s3_operation("GetPublicAccessBlock", reads=True)
def get_public_access_block(ctx: Context, request: Members) -> Members:
    """As set. A new bucket has all four on; deleting the setting leaves none."""
    kept = bucket_of(ctx, request).configuration.get("PublicAccessBlock", NEW_BUCKET)
    if not kept:
        raise s3_error("NoSuchPublicAccessBlockConfiguration")
    return {"PublicAccessBlockConfiguration": kept}


@s3_operation("DeletePublicAccessBlock")
def delete_public_access_block(ctx: Context, request: Members) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], "PublicAccessBlock", {})
    return {}


@s3_operation("PutBucketOwnershipControls")
def put_bucket_ownership_controls(ctx: Context, request: Members) -> Members:
    """Raises InvalidBucketAclWithObjectOwnership where ACLs are to go while the bucket's still grants something to
    others (docs.aws.amazon.com/AmazonS3/latest/userguide/object-ownership-migrating-acls-prerequisites.html)."""
    rules = request["OwnershipControls"].get("Rules") or []
    if len(rules) != 1 or rules[0].get("ObjectOwnership") not in OWNERSHIPS:
        raise s3_error("MalformedXML")
    bucket = bucket_of(ctx, request)
    alone = ["FULL_CONTROL", "id", canonical_id(store_of(ctx), bucket.account)]
    if rules[0]["ObjectOwnership"] == "BucketOwnerEnforced" and bucket.configuration.get("Acl", [alone]) != [alone]:
        raise s3_error("InvalidBucketAclWithObjectOwnership")
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
