"""Whether a bucket keeps versions (docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html)."""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.services.s3.errors import not_implemented, s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of
from cloche.storage.objects import VersioningFixed


@s3_operation("PutBucketVersioning")
def put_bucket_versioning(ctx: Context, request: Members) -> Members:
    given = request.get("VersioningConfiguration") or {}
    if given.get("MFADelete") == "Enabled":
        raise not_implemented("MfaDelete", "Cloche has no MFA delete")
    status = given.get("Status")
    if status not in ("Enabled", "Suspended"):
        if status is None and given.get("MFADelete") == "Disabled":
            return {}
        # Words: ErrorResponses.html, IllegalVersioningConfigurationException
        raise s3_error(
            "IllegalVersioningConfigurationException",
            "The Versioning element must be specified" if status is None else "The versioning status is not valid",
        )
    try:
        store_of(ctx).buckets.set_versioning(request["Bucket"], status)
    except VersioningFixed:
        # Words: localstack/localstack, tests/aws/services/s3/test_s3_api.snapshot.json, recorded of S3
        words = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        raise s3_error("InvalidBucketState", words) from None
    return {}


@s3_operation("GetBucketVersioning", reads=True)
def get_bucket_versioning(ctx: Context, request: Members) -> Members:
    """Empty where versioning was never switched on (API_GetBucketVersioning.html)."""
    status = bucket_of(ctx, request).versioning
    return {"Status": status} if status else {}
