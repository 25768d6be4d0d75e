"""Buckets: create, find, list, delete."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from cloche.aws.operation import Answer, Context, Members
from cloche.foundation.errors import AlreadyExists
from cloche.services.s3.access import grants
from cloche.services.s3.access.made import new_access
from cloche.services.s3.access.owners import owner_member
from cloche.services.s3.describing import whole_seconds
from cloche.services.s3.errors import invalid_argument, not_implemented, s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of
from cloche.services.s3.paging import decode_token, encode_token
from cloche.services.s3.tags import BUCKET_TAGS_MAX, tags_from_set
from cloche.storage.objects import Bucket, BucketNotEmpty, BucketNotFound

LEGACY_REGION: Final = "us-east-1"
BUCKETS_MAX: Final = 10_000  # docs.aws.amazon.com/AmazonS3/latest/userguide/BucketRestrictions.html

# docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def is_bucket_name(name: str) -> bool:
    """Whether a new general-purpose bucket may have that name."""
    if not _NAME.fullmatch(name) or ".." in name or name.startswith(("xn--", "sthree-")) or name.endswith(_SUFFIXES):
        return False
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return True
    return False


@s3_operation("CreateBucket", bucket=False)
def create_bucket(ctx: Context, request: Members) -> Members:
    name = request["Bucket"]
    if not is_bucket_name(name):
        raise s3_error("InvalidBucketName", BucketName=name)
    if request.get("BucketNamespace") not in (None, "global"):
        raise not_implemented("x-amz-bucket-namespace", "names are global")
    configuration = request.get("CreateBucketConfiguration") or {}
    for member in ("Location", "Bucket"):
        if configuration.get(member):
            raise not_implemented(f"CreateBucketConfiguration {member}", "Cloche has no directory buckets")
    region = _region(ctx, configuration.get("LocationConstraint"))
    tags = tags_from_set(configuration.get("Tags") or [], BUCKET_TAGS_MAX)
    _check_number(ctx, name)
    try:
        store_of(ctx).buckets.create(name, ctx.account, region, new_access(ctx, request))
    except AlreadyExists:
        return _again(ctx, request, store_of(ctx).buckets.get(name))
    if request.get("ObjectLockEnabledForBucket"):
        store_of(ctx).buckets.set_object_lock(name, {"ObjectLockEnabled": "Enabled"}, new=True)
    if tags:
        store_of(ctx).buckets.configure(name, "Tagging", tags)
    return _created(name)


def _region(ctx: Context, constraint: str | None) -> str:
    """Where the bucket is to be. The endpoint of us-east-1 makes buckets anywhere, the others at home only:
    docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html"""
    if constraint is None:
        if ctx.region == LEGACY_REGION:
            return LEGACY_REGION
        raise _illegal("unspecified")
    if constraint in ("", LEGACY_REGION):
        raise s3_error("InvalidLocationConstraint", LocationConstraint=constraint)
    region = "eu-west-1" if constraint == "EU" else constraint
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
        raise s3_error("InvalidLocationConstraint", LocationConstraint=constraint)
    if ctx.region not in (LEGACY_REGION, region):
        raise _illegal(constraint)
    return region


def _illegal(constraint: str) -> Exception:
    # Words: boto/boto, boto/s3/connection.py and its tests, which read the region out of them.
    return s3_error(
        "IllegalLocationConstraintException",
        f"The {constraint} location constraint is incompatible for the region specific endpoint this request was "
        "sent to.",
    )


def _check_number(ctx: Context, name: str) -> None:
    """An account has so many buckets at most; asking again for one that is there is no further one."""
    buckets = store_of(ctx).buckets
    if buckets.count(ctx.account) >= ctx.parts.quotas.bucket_limit(ctx.account) and not buckets.exists(name):
        raise s3_error("TooManyBuckets")


def _again(ctx: Context, request: Members, bucket: Bucket) -> Members:
    """The bucket is there. In us-east-1 its owner is told 200 once more, for old times' sake (LISTED)."""
    if bucket.account != ctx.account:
        raise s3_error("BucketAlreadyExists", BucketName=bucket.name)
    if ctx.region == LEGACY_REGION and bucket.region == LEGACY_REGION:
        if grants.asks_for_acl(request):
            # LISTED: "you get … 200 OK and Amazon S3 resets the bucket access control lists (ACLs)."
            access = new_access(ctx, request)
            store_of(ctx).buckets.configure(bucket.name, "Acl", access.get("Acl"))
        return _created(bucket.name)
    raise s3_error("BucketAlreadyOwnedByYou", BucketName=bucket.name)


def _created(name: str) -> Members:
    return {"Location": f"/{name}", "BucketArn": f"arn:aws:s3:::{name}"}


@s3_operation("HeadBucket", reads=True, bucket=False)
def head_bucket(ctx: Context, request: Members) -> Answer:
    try:
        bucket = bucket_of(ctx, request)
    except BucketNotFound:
        # A HEAD has no document; clients know "Not Found" by the status.
        raise s3_error("NoSuchBucket", "Not Found") from None
    return Answer({"BucketRegion": bucket.region, "AccessPointAlias": False})


@s3_operation("GetBucketLocation", reads=True)
def get_bucket_location(ctx: Context, request: Members) -> Members:
    region = bucket_of(ctx, request).region
    return {"LocationConstraint": None if region == LEGACY_REGION else region}


@s3_operation("DeleteBucket")
def delete_bucket(ctx: Context, request: Members) -> Members:
    try:
        store_of(ctx).buckets.delete(request["Bucket"])
    except BucketNotEmpty:
        # Words: localstack/localstack, tests/aws/services/s3/test_s3_api.snapshot.json, recorded of S3
        versions = " You must delete all versions in the bucket." if bucket_of(ctx, request).versioning else ""
        words = "The bucket you tried to delete is not empty"
        raise s3_error("BucketNotEmpty", f"{words}.{versions}" if versions else words) from None
    return {}


@s3_operation("ListBuckets", reads=True, bucket=False)
def list_buckets(ctx: Context, request: Members) -> Members:
    """Paged only when asked (``MaxBuckets``), as S3 does: API_ListBuckets.html"""
    limit = request.get("MaxBuckets")
    if limit is not None and not 1 <= limit <= BUCKETS_MAX:
        raise invalid_argument("max-buckets", limit, "MaxBuckets must be an integer between 1 and 10000")
    token = request.get("ContinuationToken")
    after = decode_token(token) if token is not None else ""
    prefix = request.get("Prefix") or ""
    found = store_of(ctx).buckets.list(
        ctx.account,
        prefix=prefix,
        after=after,
        region=request.get("BucketRegion") or "",
        limit=(limit or BUCKETS_MAX) + 1,
    )
    page = found[: limit or BUCKETS_MAX]
    paged = limit is not None or token is not None or "BucketRegion" in request
    answer: Members = {"Owner": owner_member(ctx, ctx.account), "Buckets": [_entry(bucket, paged) for bucket in page]}
    if request.get("Prefix") is not None:
        answer["Prefix"] = prefix
    if len(found) > len(page):
        answer["ContinuationToken"] = encode_token(page[-1].name)
    return answer


def _entry(bucket: Bucket, paged: bool) -> Members:
    entry: Members = {"Name": bucket.name, "CreationDate": whole_seconds(bucket.created_at)}
    if paged:
        entry["BucketRegion"] = bucket.region
    return entry
