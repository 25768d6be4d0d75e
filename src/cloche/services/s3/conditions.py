"""Conditional requests.

Sources: RFC 9110, section 13; docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

from datetime import datetime

from cloche.aws.errors import AwsError
from cloche.aws.operation import Members
from cloche.aws.protocols.scalars import http_date
from cloche.services.s3.describing import quoted, unquoted, whole_seconds
from cloche.services.s3.errors import not_implemented, s3_error
from cloche.storage.objects import ObjectInfo, WriteCondition


def check_read(info: ObjectInfo, request: Members) -> None:
    """Raises PreconditionFailed (412), or NotModified (304). An ETag condition outweighs a date one."""
    if failed := _failed(info, request.get("IfMatch"), request.get("IfUnmodifiedSince")):
        raise s3_error("PreconditionFailed", Condition=failed)
    if _unchanged(info, request.get("IfNoneMatch"), request.get("IfModifiedSince")):
        headers = (("ETag", quoted(info.etag)), ("Last-Modified", http_date(info.last_modified)))
        raise AwsError("NotModified", "Not Modified", 304, headers=headers)


def check_copy_source(info: ObjectInfo, request: Members) -> None:
    """Raises PreconditionFailed, also where a read would answer 304 (API_CopyObject.html)."""
    if failed := _failed(info, request.get("CopySourceIfMatch"), request.get("CopySourceIfUnmodifiedSince")):
        raise s3_error("PreconditionFailed", Condition=f"x-amz-copy-source-{failed}")
    if _unchanged(info, request.get("CopySourceIfNoneMatch"), request.get("CopySourceIfModifiedSince")):
        raise s3_error("PreconditionFailed", Condition="x-amz-copy-source-If-None-Match")


def _failed(info: ObjectInfo, etags: str | None, unmodified_since: datetime | None) -> str:
    if etags is not None:
        return "" if matches(info.etag, etags) else "If-Match"
    if unmodified_since is not None and whole_seconds(info.last_modified) > unmodified_since:
        return "If-Unmodified-Since"
    return ""


def _unchanged(info: ObjectInfo, etags: str | None, modified_since: datetime | None) -> bool:
    if etags is not None:
        return matches(info.etag, etags)
    return modified_since is not None and whole_seconds(info.last_modified) <= modified_since


def matches(etag: str, wanted: str) -> bool:
    return any(item.strip() == "*" or unquoted(item.strip().removeprefix("W/")) == etag for item in wanted.split(","))


def write_condition(request: Members) -> WriteCondition | None:
    """``If-None-Match: *`` and ``If-Match`` of a write. Raises NotImplemented for other forms, as S3 does
    (docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html)."""
    absent, match = request.get("IfNoneMatch"), request.get("IfMatch")
    if absent is None and match is None:
        return None
    if absent is not None and absent.strip() != "*":
        raise not_implemented("If-None-Match", "a write takes the value * only")
    if absent is not None and match is not None:
        raise not_implemented("If-Match", "a write takes one of If-Match and If-None-Match")
    return WriteCondition(if_absent=absent is not None, if_match=unquoted(match) if match is not None else "")
