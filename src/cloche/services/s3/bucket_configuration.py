"""A bucket's tags and its default encryption: kept as the caller sent them and told again."""

from __future__ import annotations

from typing import cast

from cloche.aws.http import is_header_value
from cloche.aws.operation import Context, Members
from cloche.services.parts import Parts
from cloche.services.s3.describing import DEFAULT_ENCRYPTION
from cloche.services.s3.errors import not_implemented, s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of
from cloche.services.s3.tags import BUCKET_TAGS_MAX, tag_set, tags_from_set


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
    if default["SSEAlgorithm"] == "AES256" and default.get("KMSMasterKeyID") is not None:
        # Words: localstack/localstack, tests/aws/services/s3/test_s3_api.snapshot.json, recorded of S3
        words = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
        raise s3_error("InvalidArgument", words, ArgumentName="ApplyServerSideEncryptionByDefault")
    if not is_header_value(default.get("KMSMasterKeyID") or ""):  # every write tells it in a header
        raise s3_error("MalformedXML")
    store_of(ctx).buckets.configure(request["Bucket"], "Encryption", {"Rules": rules})
    return {}


@s3_operation("GetBucketEncryption", reads=True)
def get_bucket_encryption(ctx: Context, request: Members) -> Members:
    """As set, else S3's default since January 2023 (docs.aws.amazon.com/AmazonS3/latest/userguide/
    default-encryption-faq.html). Raises ServerSideEncryptionConfigurationNotFoundError, as S3 did until then, where
    Cloche is asked to be as S3 was before 2023."""
    default = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": DEFAULT_ENCRYPTION["ServerSideEncryption"]},
        "BucketKeyEnabled": False,
    }
    configured = bucket_of(ctx, request).configuration.get("Encryption")
    if not configured and cast(Parts, ctx.parts).settings.s3_before_2023:
        raise s3_error("ServerSideEncryptionConfigurationNotFoundError")
    return {"ServerSideEncryptionConfiguration": configured or {"Rules": [default]}}


@s3_operation("DeleteBucketEncryption")
def delete_bucket_encryption(ctx: Context, request: Members) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], "Encryption", None)
    return {}
