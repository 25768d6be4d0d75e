"""GetObject and HeadObject. A body is a slice of the object's file, no byte of which passes through Python's heap
before the server sends it; or the bytes themselves of a small object."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.http import FileSlice
from cloche.aws.operation import Answer, Context, Members
from cloche.aws.ranges import Span
from cloche.services.s3.conditions import check_read
from cloche.services.s3.customer_keys import check_customer_key
from cloche.services.s3.describing import checksum_view, object_view
from cloche.services.s3.errors import from_store, invalid_argument
from cloche.services.s3.handling import bucket_of, existing_content, existing_object, s3_operation, version_view
from cloche.services.s3.lifecycle import expiration_view
from cloche.services.s3.object_lock import lock_view
from cloche.services.s3.ranges import span_of
from cloche.storage.objects import ObjectInfo, StoreError

NOSNIFF: Final = ("x-content-type-options", "nosniff")
"""Not S3's: an object must not become a page of its own making on the origin that the console shares."""
_SANDBOX: Final = ("content-security-policy", "sandbox")
"""Nor this. Only browsers say ``Sec-Fetch-Dest``; to them an object is a document without scripts, forms and the
origin's cookies, whatever it holds."""

_OVERRIDES: Final = {  # docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Overriding response header values"
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}
_NO_HEADER: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
"""What a header cannot hold: control characters (a line's end would begin another header), and what ISO-8859-1 does not
have. S3's words for the latter: guardian/grid#1716, and localstack's test_s3.snapshot.json, recorded of S3."""


@s3_operation("GetObject", reads=True)
def get_object(ctx: Context, request: Members) -> Answer:
    _check_headers(ctx)
    return content_answer(ctx, request, *existing_content(ctx, request))


def content_answer(ctx: Context, request: Members, info: ObjectInfo, content: bytes | Path) -> Answer:
    """GetObject's answer about that object."""
    span, members = _read(ctx, info, request)
    if isinstance(content, bytes):
        members["Body"] = content[span.offset : span.offset + span.length]
    else:
        members["Body"] = FileSlice(content, span.offset, span.length)
    return Answer(members, 206 if span.partial else 200, _guards(ctx))


@s3_operation("HeadObject", reads=True)
def head_object(ctx: Context, request: Members) -> Answer:
    _check_headers(ctx)
    try:
        info = existing_object(ctx, request)
    except StoreError as error:
        # A HEAD has no document: clients read the status alone and call it "Not Found".
        refusal = from_store(error)
        raise AwsError(refusal.code, "Not Found", refusal.status, headers=refusal.headers) from None
    return head_answer(ctx, request, info)


def head_answer(ctx: Context, request: Members, info: ObjectInfo) -> Answer:
    """HeadObject's answer about that object."""
    span, members = _read(ctx, info, request)
    return Answer(members, 206 if span.partial else 200, _guards(ctx))


def _guards(ctx: Context) -> tuple[tuple[str, str], ...]:
    return (NOSNIFF, _SANDBOX) if "sec-fetch-dest" in ctx.http.headers else (NOSNIFF,)


def _check_headers(ctx: Context) -> None:
    """An object is encrypted when it is written; a read that says how is refused (UsingKMSEncryption.html:
    "Encryption request headers should not be sent for GET requests and HEAD requests")."""
    header = "x-amz-server-side-encryption"
    if header in ctx.http.headers:
        value = ctx.http.headers.get(header)
        raise invalid_argument(header, value, f"{header} header is not supported for this operation.")


def _read(ctx: Context, info: ObjectInfo, request: Members) -> tuple[Span, Members]:
    check_customer_key(info.details.encryption, request)
    check_read(info, request)
    part_number = request.get("PartNumber")
    span = span_of(info, request.get("Range"), part_number)
    bucket = bucket_of(ctx, request)
    members = object_view(info)
    members.update(lock_view(info.details), **version_view(bucket, info), **expiration_view(bucket, info))
    members["ContentLength"] = span.length
    if span.partial:
        members["ContentRange"] = span.content_range
    if part_number is not None and info.details.parts:
        members["PartsCount"] = len(info.details.parts)
    if request.get("ChecksumMode") == "ENABLED":
        members.update(_checksums(info, span, part_number))
    members.update(_overrides(request))
    return span, members


def _checksums(info: ObjectInfo, span: Span, part_number: int | None) -> dict[str, Any]:
    """The object's checksums where they are of the bytes that are sent: of the whole, or of the one part."""
    if part_number is not None and info.details.parts:
        checksums = info.details.parts[part_number - 1].checksums
        view: dict[str, Any] = {f"Checksum{algorithm}": value for algorithm, value in checksums.items()}
        if view:
            view["ChecksumType"] = info.details.checksum_type or "FULL_OBJECT"
        return view
    whole = span.length == info.size
    return dict(checksum_view(info.details)) if whole else {}


def _overrides(request: Members) -> dict[str, str]:
    found: dict[str, str] = {}
    for member, header in _OVERRIDES.items():
        value = request.get(member)
        if value is None:
            continue
        if isinstance(value, str) and _NO_HEADER.search(value):
            name = "response-" + re.sub(r"(?<!^)([A-Z])", r"-\1", header).lower()
            raise invalid_argument(name, value, "Header value cannot be represented using ISO-8859-1.")
        found[header] = value
    return found
