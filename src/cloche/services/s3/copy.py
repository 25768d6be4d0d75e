"""CopyObject and UploadPartCopy. Data files never change, so a copy of an object is a further name for its file."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from cloche.aws.operation import Context, Members
from cloche.foundation.limits import OBJECT_PUT_BYTES_MAX
from cloche.services.s3.checksums import as_members, check_algorithm
from cloche.services.s3.conditions import check_copy_source, write_condition
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
from cloche.services.s3.handling import bucket_of, check_key, s3_operation, store_of
from cloche.services.s3.ranges import check_part_number, copy_span
from cloche.services.s3.refusals import refuse_unsupported
from cloche.services.s3.tags import tags_from_header
from cloche.storage.objects import Bucket, Details, ObjectInfo

_CHANGES: Final = ("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")


@s3_operation("CopyObject")
def copy_object(ctx: Context, request: Members) -> Members:
    source = _source(ctx, request)
    check_copy_source(source, request)
    replaces = _directive(request, "MetadataDirective", "x-amz-metadata-directive")
    _check_itself(source, request, replaces)
    if source.size > OBJECT_PUT_BYTES_MAX:
        raise invalid_request(
            "The specified copy source is larger than the maximum allowable size for a copy source: "
            f"{OBJECT_PUT_BYTES_MAX}"
        )
    algorithms = _algorithms(source, request)
    details = _details(source, request, bucket_of(ctx, request), replaces)
    condition = write_condition(request)
    written = store_of(ctx).duplicate(source, algorithms)
    if not algorithms and source.details.checksum_type != "COMPOSITE":
        details = replace(details, checksums=source.details.checksums, checksum_type=source.details.checksum_type)
    elif algorithms:
        details = replace(details, checksums=written.checksums, checksum_type="FULL_OBJECT")
    info = store_of(ctx).commit(request["Bucket"], request["Key"], written, details, condition=condition)
    result = {
        "ETag": quoted(info.etag),
        "LastModified": whole_seconds(info.last_modified),
        **checksum_view(info.details),
    }
    return {"CopyObjectResult": result, **encryption_view(details)}


@s3_operation("UploadPartCopy")
def upload_part_copy(ctx: Context, request: Members) -> Members:
    store = store_of(ctx)
    check_part_number(request["PartNumber"])
    upload = store.uploads.get(request["Bucket"], request["Key"], request["UploadId"])
    source = _source(ctx, request)
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
    algorithms = (upload.checksum_algorithm,) if upload.checksum_algorithm else ()
    with store.writer(algorithms) as writer, store.path(source).open("rb") as stream:
        stream.seek(offset)
        writer.write_from(stream, length)
        written = writer.finish()
    part = store.uploads.put_part(upload, request["PartNumber"], written)
    result = {
        "ETag": quoted(part.etag),
        "LastModified": whole_seconds(part.last_modified),
        **as_members(part.checksums),
    }
    return {"CopyPartResult": result, **encryption_view(upload.details)}


def _source(ctx: Context, request: Members) -> ObjectInfo:
    """The object that ``x-amz-copy-source`` names: ``bucket/key``, URL-encoded, perhaps with ``?versionId=``."""
    text = request["CopySource"]
    if text.startswith("arn:"):
        raise invalid_argument("x-amz-copy-source", text, "Cloche has no access points to copy from")
    path, _, version = text.partition("?versionId=")
    bucket, slash, key = unquote(path.removeprefix("/"), errors="surrogateescape").partition("/")
    if not (bucket and slash and key):
        raise invalid_argument(
            "x-amz-copy-source", text, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        )
    if version:
        refuse_unsupported({"VersionId": version})
    check_key(key)
    named = {"Bucket": bucket, "ExpectedSourceBucketOwner": request.get("ExpectedSourceBucketOwner")}
    bucket_of(ctx, named, owner="ExpectedSourceBucketOwner")
    return store_of(ctx).head(bucket, key)


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
