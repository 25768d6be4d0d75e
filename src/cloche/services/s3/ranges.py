"""Which bytes of an object a request asks for (RFC 9110, section 14; S3 serves one range)."""

from __future__ import annotations

import re
from typing import Final

from cloche.aws.ranges import Span, asked
from cloche.services.s3.errors import invalid_argument, invalid_request, s3_error
from cloche.storage.objects import ObjectInfo

_COPY_RANGE: Final = re.compile(r"bytes=(\d{1,19})-(\d{1,19})", re.ASCII)


def span_of(info: ObjectInfo, header: str | None, part_number: int | None) -> Span:
    """Raises InvalidRange (416), InvalidPartNumber (416), InvalidRequest."""
    if part_number is not None:
        if header:
            raise invalid_request("Cannot specify both Range header and partNumber query parameter")
        return _part(info, part_number)
    found = asked(header, info.size)
    if found is None:
        raise s3_error("InvalidRange", RangeRequested=header, ActualObjectSize=info.size)
    return found


def _part(info: ObjectInfo, number: int) -> Span:
    check_part_number(number)
    parts = info.details.parts
    if not parts:
        if number == 1:
            # An empty object has no range to tell of; S3 answers it whole.
            return Span(0, info.size, info.size, partial=info.size > 0)
        raise s3_error("InvalidPartNumber", PartNumberRequested=number, ActualPartCount=1)
    offset = 0
    for place, part in enumerate(parts, start=1):  # S3 numbers the parts of a finished object from 1 on
        if place == number:
            return Span(offset, part.size, info.size, partial=part.size > 0)
        offset += part.size
    raise s3_error("InvalidPartNumber", PartNumberRequested=number, ActualPartCount=len(parts))


def check_part_number(number: int) -> None:
    if not 1 <= number <= 10_000:
        raise invalid_argument("partNumber", number, "Part number must be an integer between 1 and 10000, inclusive")


def copy_span(header: str, size: int) -> Span:
    """``x-amz-copy-source-range``: both ends, within the source (API_UploadPartCopy.html)."""
    found = _COPY_RANGE.fullmatch(header)
    if found is None or int(found[2]) < int(found[1]):
        raise invalid_argument(
            "x-amz-copy-source-range",
            header,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
        )
    first, last = int(found[1]), int(found[2])
    # Words: localstack/localstack, tests/aws/services/s3/test_s3_api.snapshot.json, recorded of S3
    if first >= size:
        raise invalid_request("The specified copy range is invalid for the source object size")
    if last >= size:
        raise invalid_argument(
            "x-amz-copy-source-range", header, f"Range specified is not valid for source object of size: {size}"
        )
    return Span(first, last - first + 1, size)
