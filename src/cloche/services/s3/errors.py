"""S3's errors, and how the store's become them.

Codes, words and statuses are those of docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (also in
botocore's model, shape ``Error``, member ``Code``) unless a fact names another source.
"""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.errors import AwsError, ErrorCodes
from cloche.storage import objects

LISTED: Final = "docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList"

ERRORS: Final = ErrorCodes(
    not_found=("NoSuchKey", 404),
    already_exists=("BucketAlreadyExists", 409),
    conflict=("OperationAborted", 409),
    invalid=("InvalidArgument", 400),
    limit_reached=("SlowDown", 503),
    denied=("AccessDenied", 403),
    not_supported=("NotImplemented", 501),
    broken=("InternalError", 500),
    unknown_operation=("NotImplemented", 501),
)

_MESSAGES: Final[dict[str, tuple[int, str]]] = {  # LISTED
    "AccessDenied": (403, "Access Denied"),
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
    "BucketAlreadyExists": (
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
        "Please select a different name and try again.",
    ),
    "BucketAlreadyOwnedByYou": (
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
    "IncompleteBody": (
        400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    ),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
    "InvalidPart": (
        400,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag.",
    ),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidStorageClass": (400, "The storage class you specified is not valid"),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedXML": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
        "or completed.",
    ),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "InvalidBucketState": (409, "The request is not valid with the current state of the bucket."),
    "ServerSideEncryptionConfigurationNotFoundError": (
        404,
        "The server side encryption configuration was not found",
    ),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist"),
    # docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html, …/API_GetObjectRetention.html
    "ObjectLockConfigurationNotFoundError": (404, "Object Lock configuration does not exist for this bucket"),
    "NoSuchObjectLockConfiguration": (404, "The specified object does not have a ObjectLock configuration"),
    "NotImplemented": (501, "A header you provided implies functionality that is not implemented"),
    "TooManyBuckets": (400, "You have attempted to create more buckets than allowed"),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    # docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html, …/API_GetBucketTagging.html,
    # …/API_GetBucketEncryption.html, "Errors"
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist"),
    "NoSuchWebsiteConfiguration": (404, "The specified bucket does not have a website configuration"),
    "NoSuchConfiguration": (404, "The specified configuration does not exist."),
    "ReplicationConfigurationNotFoundError": (404, "The replication configuration was not found"),
    "MalformedACLError": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MissingSecurityHeader": (400, "Your request was missing a required header"),
    # Words: localstack/localstack, tests/aws/services/s3/test_s3.snapshot.json, recorded of S3
    "UnexpectedContent": (400, "This request does not support content"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    # docs.aws.amazon.com/AmazonS3/latest/userguide/object-ownership-error-responses.html
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs"),
    "InvalidBucketAclWithObjectOwnership": (
        400,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    "InvalidBucketAclWithBlockPublicAccessError": (
        400,
        "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
    ),
    "UnresolvableGrantByEmailAddress": (400, "The email address you provided does not match any account on record."),
    "NoSuchTagSet": (404, "The TagSet does not exist"),
    "NoSuchPublicAccessBlockConfiguration": (404, "The public access block configuration was not found"),
    "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found"),
    # docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html, "Errors"
    "InvalidTag": (
        400,
        "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation.",
    ),
}


def s3_error(code: str, message: str = "", **fields: Any) -> AwsError:
    """The error of that code in S3's words (or ``message``); ``fields`` become elements of its document."""
    status, words = _MESSAGES.get(code, (400, ""))
    return AwsError(code, message or words, status, fields=fields)


def invalid_argument(name: str, value: object, message: str) -> AwsError:
    return s3_error("InvalidArgument", message, ArgumentName=name, ArgumentValue=str(value))


def invalid_request(message: str) -> AwsError:
    return s3_error("InvalidRequest", message)


def not_implemented(header: str, why: str) -> AwsError:
    """The refusal of a header (or parameter) that asks for what Cloche does not do: by its name."""
    _, words = _MESSAGES["NotImplemented"]
    return s3_error("NotImplemented", f"{words}: {header} ({why})", Header=header)


_JUMPSTART: Final = ("jumpstart-cache-prod-", "jumpstart-private-cache-prod-")
"""``region_config.json`` of ``sagemaker.core.jumpstart`` (PyPI ``sagemaker-core`` 2.27.0)."""
_SAMPLES: Final = ("sagemaker-sample-files", "sagemaker-example-files-prod-", "sagemaker-sample-data-")
"""What the notebooks of aws/amazon-sagemaker-examples read."""


def _of_aws(bucket: str) -> str:
    """More than S3's words for a bucket that is there on AWS, and that clients read unasked; "" for any other."""
    _, words = _MESSAGES["NoSuchBucket"]
    if bucket.startswith(_JUMPSTART):
        return f"{words} ({bucket} is AWS's own, of JumpStart and its models, which Cloche does not have yet)"
    if bucket.startswith(_SAMPLES):
        return f"{words} ({bucket} is AWS's own: make one of that name in Cloche, and put there what you read)"
    return ""


def from_store(error: objects.StoreError) -> AwsError:
    """The store's error in S3's words."""
    match error:
        case objects.BucketNotFound():
            return s3_error("NoSuchBucket", _of_aws(error.bucket), BucketName=error.bucket)
        case objects.KeyNotFound():
            return _no_such_key(error)
        case objects.VersionNotFound():
            return s3_error("NoSuchVersion", Key=error.key, VersionId=error.version)
        case objects.ObjectLocked():
            # Words: localstack/localstack, services/s3/provider.py, which compares itself with S3
            return s3_error("AccessDenied", "Access Denied because object protected by object lock.")
        case objects.VersioningFixed():
            return s3_error("InvalidBucketState")
        case objects.UploadNotFound():
            return s3_error("NoSuchUpload", UploadId=error.upload)
        case objects.BucketNotEmpty():
            return s3_error("BucketNotEmpty", BucketName=error.bucket)
        case objects.ConditionNotMet():
            return s3_error("PreconditionFailed", Condition=error.condition)
        case _:
            return _from_parts(error)


def _from_parts(error: objects.StoreError) -> AwsError:
    """What completing a multipart upload finds."""
    match error:
        case objects.PartInvalid():
            return s3_error("InvalidPart", PartNumber=error.number, ETag=error.etag)
        case objects.ChecksumMismatch():
            return _checksum_mismatch(error)
        case objects.SizeMismatch():
            # API_CompleteMultipartUpload.html, x-amz-mp-object-size: "it will result in an HTTP 400 InvalidRequest"
            return invalid_request(
                f"The provided 'x-amz-mp-object-size' header value {error.told} does not match what was computed: "
                f"{error.computed}"
            )
        case objects.PartTooSmall():
            return s3_error(
                "EntityTooSmall",
                ProposedSize=error.size,
                MinSizeAllowed=error.size_min,
                PartNumber=error.number,
                ETag=error.etag,
            )
        case _:
            return s3_error("InternalError", "We encountered an internal error. Please try again.")


def _no_such_key(error: objects.KeyNotFound) -> AwsError:
    refusal = s3_error("NoSuchKey", Key=error.key)
    if error.marker is not None:  # …/userguide/DeleteMarker.html: 404 with x-amz-delete-marker: true
        refusal.headers = (("x-amz-delete-marker", "true"), ("x-amz-version-id", error.marker.version))
    return refusal


def _checksum_mismatch(error: objects.ChecksumMismatch) -> AwsError:
    if error.kept != error.algorithm:
        # Words: API_PutObject.html, "Errors", InvalidRequest.
        return invalid_request(
            f"Checksum Type mismatch occurred, expected checksum Type: {error.kept.lower() or 'null'}, actual checksum "
            f"Type: {error.algorithm.lower()}"
        )
    return s3_error("BadDigest", f"The {error.algorithm} you specified did not match the calculated checksum.")
