"""Between an object's stored details and the members that carry them on the wire."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cloche.aws.operation import Members
from cloche.foundation.limits import USER_METADATA_BYTES_MAX
from cloche.services.s3.customer_keys import PRIVATE, customer_key, encryption_under
from cloche.services.s3.errors import invalid_argument, not_implemented, s3_error
from cloche.services.s3.tags import tags_from_header
from cloche.storage.objects import Bucket, Details, ObjectInfo
from cloche.storage.objects.records import DEFAULT_CONTENT_TYPE

HEADERS: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "Expires",
    "WebsiteRedirectLocation",
)
STORAGE_CLASSES: Final = (  # those whose objects are read at once; the others are for S3's own archives
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
)
_ARCHIVES: Final = ("GLACIER", "DEEP_ARCHIVE")
DEFAULT_ENCRYPTION: Final[Mapping[str, Any]] = {"ServerSideEncryption": "AES256"}
"""S3 says so of every object since January 2023
(docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html)."""


def details_from(request: Members, bucket: Bucket) -> Details:
    """What a writing request says of its object. Raises MetadataTooLarge, InvalidArgument, InvalidStorageClass."""
    return Details(
        content_type=request.get("ContentType") or DEFAULT_CONTENT_TYPE,
        headers=_headers(request),
        metadata=_metadata(request.get("Metadata") or {}),
        tags=tags_from_header(request.get("Tagging")),
        encryption=encryption_from(request, bucket),
        storage_class=storage_class_from(request),
    )


def _headers(request: Members) -> dict[str, str]:
    headers = {name: request[name] for name in HEADERS if request.get(name)}
    if "aws-chunked" in headers.get("ContentEncoding", "").lower():
        # It is of the transfer, not of the object: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
        codings = [coding.strip() for coding in headers.pop("ContentEncoding").split(",")]
        if kept := ", ".join(coding for coding in codings if coding.lower() != "aws-chunked"):
            headers["ContentEncoding"] = kept
    if isinstance(expires := headers.get("Expires"), datetime):
        headers["Expires"] = expires.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return headers


def _metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    # docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html: the sum of the bytes of keys and values
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > USER_METADATA_BYTES_MAX:
        raise s3_error("MetadataTooLarge", Size=size, MaxSizeAllowed=USER_METADATA_BYTES_MAX)
    return dict(metadata)


def storage_class_from(request: Members) -> str:
    wanted = request.get("StorageClass") or "STANDARD"
    if wanted in _ARCHIVES:
        raise not_implemented("x-amz-storage-class", f"{wanted}: Cloche has no archive to restore from")
    if wanted not in STORAGE_CLASSES:
        raise s3_error("InvalidStorageClass", StorageClassRequested=wanted)
    return str(wanted)


def encryption_from(request: Members, bucket: Bucket) -> dict[str, Any]:
    """The encryption asked for, else the bucket's default, else S3's. It is kept and told, no more: bytes at rest are
    not encrypted yet. Raises InvalidArgument, AccessDenied where the bucket blocks customers' keys."""
    algorithm = request.get("ServerSideEncryption")
    key = request.get("SSEKMSKeyId")
    own_key = customer_key(request)
    if own_key is not None:
        if algorithm is not None:
            raise invalid_argument(
                "x-amz-server-side-encryption",
                algorithm,
                "Server Side Encryption with Customer provided key is incompatible with the encryption method "
                "specified",
            )
        if _blocks_customer_keys(bucket):
            raise s3_error("AccessDenied")
        return encryption_under(own_key)
    if algorithm is None:
        if key is not None:
            raise invalid_argument(
                "x-amz-server-side-encryption",
                "",
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption "
                ": aws:kms",
            )
        return bucket_encryption(bucket)
    if algorithm not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise invalid_argument(
            "x-amz-server-side-encryption", algorithm, "The encryption method specified is not supported"
        )
    found: dict[str, Any] = {"ServerSideEncryption": algorithm}
    if algorithm == "AES256" and key is not None:
        raise invalid_argument(
            "x-amz-server-side-encryption-aws-kms-key-id",
            key,
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : "
            "aws:kms",
        )
    if key is not None:
        found["SSEKMSKeyId"] = key
    if context := request.get("SSEKMSEncryptionContext"):
        found["SSEKMSEncryptionContext"] = context
    if request.get("BucketKeyEnabled"):
        found["BucketKeyEnabled"] = True
    return found


def _blocks_customer_keys(bucket: Bucket) -> bool:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/blocking-unblocking-s3-c-encryption-gpb.html"""
    rules = bucket.configuration.get("Encryption", {}).get("Rules", [])
    return any("SSE-C" in ((rule.get("BlockedEncryptionTypes") or {}).get("EncryptionType") or ()) for rule in rules)


def bucket_encryption(bucket: Bucket) -> dict[str, Any]:
    for rule in bucket.configuration.get("Encryption", {}).get("Rules", []):
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        if algorithm := default.get("SSEAlgorithm"):
            found: dict[str, Any] = {"ServerSideEncryption": algorithm}
            if key := default.get("KMSMasterKeyID"):
                found["SSEKMSKeyId"] = key
            if rule.get("BucketKeyEnabled"):
                found["BucketKeyEnabled"] = True
            return found
    return dict(DEFAULT_ENCRYPTION)


def encryption_view(details: Details) -> dict[str, Any]:
    """The headers that tell how an object is encrypted; nothing that is kept of a customer's key but its MD5."""
    encryption = details.encryption or DEFAULT_ENCRYPTION
    return {name: value for name, value in encryption.items() if name not in PRIVATE}


def checksum_view(details: Details) -> dict[str, str]:
    """``ChecksumCRC32`` and the like, and their type; empty where there is none."""
    view = {f"Checksum{algorithm}": value for algorithm, value in details.checksums.items()}
    if view:
        view["ChecksumType"] = details.checksum_type or "FULL_OBJECT"
    return view


def object_view(info: ObjectInfo) -> Members:
    """The headers of a GET or HEAD that tell of the object itself."""
    details = info.details
    view: Members = {
        "AcceptRanges": "bytes",
        "LastModified": whole_seconds(info.last_modified),
        "ETag": quoted(info.etag),
        "ContentType": details.content_type,
        "Metadata": {name: _spelled(value) for name, value in details.metadata.items()},
        **details.headers,
        **encryption_view(details),
    }
    view.pop("SSEKMSEncryptionContext", None)  # told by writes alone
    if details.storage_class != "STANDARD":  # S3 leaves the header out for STANDARD: API_HeadObject.html
        view["StorageClass"] = details.storage_class
    if details.tags:
        view["TagCount"] = len(details.tags)
    return view


def _spelled(value: str) -> str:
    """User metadata as a header can carry it: what is not US-ASCII as RFC 2047 spells it, as S3 does
    (docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html)."""
    if value.isascii():
        return value
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def quoted(etag: str) -> str:
    return f'"{etag}"'


def unquoted(etag: str) -> str:
    return etag.strip().strip('"')


def whole_seconds(at: datetime) -> datetime:
    """S3 tells when an object was written to the second."""
    return at.replace(microsecond=0)
