"""CopyObject and UploadPartCopy. Data files never change, so a copy of a large object is a further name for its
file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from cloche.aws.operation import Context, Members
from cloche.foundation.limits import OBJECT_PUT_BYTES_MAX
from cloche.services.s3.access.made import owned
from cloche.services.s3.causes import cause_of
from cloche.services.s3.checksums import as_members, check_algorithm
from cloche.services.s3.conditions import check_copy_source, write_condition
from cloche.services.s3.customer_keys import check_customer_key, check_part_key
from cloche.services.s3.describing import (
    checksum_view,
    details_from,
    encryption_from,
    encryption_view,
    quoted,
    storage_class_from,
    whole_seconds,
)
from cloche.services.s3.errors import invalid_argument, invalid_request
from cloche.services.s3.handling import bucket_of, check_key, made_view, s3_operation, store_of, version_in
from cloche.services.s3.lifecycle import expiration_view
from cloche.services.s3.object_lock import locked
from cloche.services.s3.ranges import check_part_number, copy_span
from cloche.services.s3.tags import tags_from_header
from cloche.storage.objects import Bucket, Details, ObjectInfo
from cloche.storage.objects.checksums import DEFAULT
from cloche.storage.objects.writer import opened

_CHANGES: Final = (
    "StorageClass",
    "WebsiteRedirectLocation",
    "ServerSideEncryption",
    "SSEKMSKeyId",
    "BucketKeyEnabled",
    "SSECustomerKey",
    "CopySourceSSECustomerKey",
)


@s3_operation("CopyObject")
def copy_object(ctx: Context, request: Members) -> Members:
    source, content, named = _source(ctx, request)
    bucket = bucket_of(ctx, request)
    check_customer_key(source.details.encryption, request, source=True)
    check_copy_source(source, request)
    replaces = _directive(request, "MetadataDirective", "x-amz-metadata-directive")
    if not named:
        _check_itself(source, request, replaces)
    if source.size > OBJECT_PUT_BYTES_MAX:
        raise invalid_request(
            "The specified copy source is larger than the maximum allowable size for a copy source: "
            f"{OBJECT_PUT_BYTES_MAX}"
        )
    algorithms = _algorithms(source, request)
    details = owned(ctx, request, bucket, _details(source, request, bucket, replaces))
    details = locked(details, request, bucket, ctx.now)
    condition = write_condition(request)
    written = store_of(ctx).duplicate(source, content, algorithms)
    if not algorithms and source.details.checksum_type != "COMPOSITE":
        details = replace(details, checksums=source.details.checksums, checksum_type=source.details.checksum_type)
    elif algorithms:
        details = replace(details, checksums=written.checksums, checksum_type="FULL_OBJECT")
    cause = cause_of(ctx, "ObjectCreated:Copy", "CopyObject")
    info = store_of(ctx).commit(request["Bucket"], request["Key"], written, details, condition=condition, cause=cause)
    result = {
        "ETag": quoted(info.etag),
        "LastModified": whole_seconds(info.last_modified),
        **checksum_view(info.details),
    }
    return {
        "CopyObjectResult": result,
        **_source_view(ctx, source),
        **made_view(bucket, info),
        **expiration_view(bucket, info),
        **encryption_view(details),
    }


def _source_view(ctx: Context, source: ObjectInfo) -> Members:
    versioned = store_of(ctx).buckets.get(source.bucket).versioning
    return {"CopySourceVersionId": source.version} if versioned else {}


@s3_operation("UploadPartCopy")
def upload_part_copy(ctx: Context, request: Members) -> Members:
    store = store_of(ctx)
    check_part_number(request["PartNumber"])
    upload = store.uploads.get(request["Bucket"], request["Key"], request["UploadId"])
    check_part_key(upload.details.encryption, request)
    source, content, _ = _source(ctx, request)
    check_customer_key(source.details.encryption, request, source=True)
    check_copy_source(source, request)
    offset, length = 0, source.size
    if header := request.get("CopySourceRange"):
        span = copy_span(header, source.size)
        offset, length = span.offset, span.length
    if length > OBJECT_PUT_BYTES_MAX:
        raise invalid_request(
            "The specified copy source is larger than the maximum allowable size for a copy source: "
            f"{OBJECT_PUT_BYTES_MAX}"
        )
    declared = upload.checksum_algorithm
    with store.writer((declared or DEFAULT,)) as writer, opened(content) as stream:
        stream.seek(offset)
        writer.write_from(stream, length)
        written = writer.finish()
    part = store.uploads.put_part(upload, request["PartNumber"], written)
    result = {
        "ETag": quoted(part.etag),
        "LastModified": whole_seconds(part.last_modified),
        **as_members(part.checksums, [declared]),
    }
    return {"CopyPartResult": result, **_source_view(ctx, source), **encryption_view(upload.details)}


def _source(ctx: Context, request: Members) -> tuple[ObjectInfo, bytes | Path, bool]:
    """The object that ``x-amz-copy-source`` names: ``bucket/key``, URL-encoded, perhaps with ``?versionId=``; its
    content; and whether it does name a version."""
    text = request["CopySource"]
    if text.startswith("arn:"):
        raise invalid_argument("x-amz-copy-source", text, "Cloche has no access points to copy from")
    path, _, version = text.partition("?versionId=")
    bucket, slash, key = unquote(path.removeprefix("/"), errors="surrogateescape").partition("/")
    if not (bucket and slash and key):
        # Words: localstack/localstack, tests/aws/services/s3/test_s3.snapshot.json, recorded of S3
        raise invalid_argument("x-amz-copy-source", "x-amz-copy-source", "Invalid copy source object key")
    wanted = version_in({"VersionId": version or None})
    check_key(key)
    named = {"Bucket": bucket, "ExpectedSourceBucketOwner": request.get("ExpectedSourceBucketOwner")}
    bucket_of(ctx, named, owner="ExpectedSourceBucketOwner")
    info, content = store_of(ctx).open(bucket, key, wanted)
    if info.is_delete_marker:
        # Words: localstack/localstack, services/s3/provider.py, recorded of S3
        raise invalid_request(
            "The source of a copy request may not specifically refer to a delete marker by version id."
        )
    return info, content, bool(wanted)


def _directive(request: Members, member: str, header: str) -> bool:
    """Whether it says REPLACE."""
    value = request.get(member) or "COPY"
    if value not in ("COPY", "REPLACE"):
        raise invalid_argument(header, value, f"Unknown {'metadata' if 'meta' in header else 'tagging'} directive.")
    return bool(value == "REPLACE")


def _check_itself(source: ObjectInfo, request: Members, replaces: bool) -> None:
    same = (source.bucket, source.key) == (request["Bucket"], request["Key"])
    if same and not replaces and not any(request.get(member) for member in _CHANGES):
        raise invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )


def _algorithms(source: ObjectInfo, request: Members) -> tuple[str, ...]:
    """What to compute afresh: what is asked for, and for a source of parts the checksum of the whole that the
    copy becomes."""
    wanted = request.get("ChecksumAlgorithm")
    if wanted:
        algorithm = check_algorithm(wanted)
        known = algorithm in source.checksums and source.details.checksum_type != "COMPOSITE"
        return () if known else (algorithm,)
    if not source.checksums:
        return (DEFAULT,)
    return tuple(source.checksums) if source.details.checksum_type == "COMPOSITE" else ()


def _details(source: ObjectInfo, request: Members, bucket: Bucket, replaces: bool) -> Details:
    """The copy's details. Storage class, redirect and encryption are never taken from the source."""
    given = details_from({name: value for name, value in request.items() if name != "Tagging"}, bucket)
    if replaces:
        details = given
    else:
        headers = {k: v for k, v in source.details.headers.items() if k != "WebsiteRedirectLocation"}
        if redirect := request.get("WebsiteRedirectLocation"):
            headers["WebsiteRedirectLocation"] = redirect
        details = Details(
            content_type=source.content_type,
            headers=headers,
            metadata=source.metadata,
            encryption=encryption_from(request, bucket),
            storage_class=storage_class_from(request),
        )
    if _directive(request, "TaggingDirective", "x-amz-tagging-directive"):
        return replace(details, tags=tags_from_header(request.get("Tagging")))
    return replace(details, tags=source.details.tags)
