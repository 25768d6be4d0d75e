"""The rules of tag sets (docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from cloche.services.s3.errors import invalid_argument, s3_error

OBJECT_TAGS_MAX: Final = 10
BUCKET_TAGS_MAX: Final = 50  # docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html
_RESERVED: Final = {
    # Words: localstack/localstack, tests/aws/services/s3/test_s3_api.snapshot.json, recorded of S3
    OBJECT_TAGS_MAX: "Your TagKey cannot be prefixed with aws:",
    BUCKET_TAGS_MAX: "System tags cannot be added/updated by requester",
}
KEY_CHARACTERS_MAX: Final = 128
VALUE_CHARACTERS_MAX: Final = 256
_SPACES: Final = " \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # Unicode's separators: no control characters
_ALLOWED: Final = re.compile(rf"[\w{_SPACES}.:/=+\-@]*")


def tags_from_header(text: str | None) -> dict[str, str]:
    """``x-amz-tagging``: URL query encoding. Raises InvalidArgument or InvalidTag."""
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise invalid_argument(
            "x-amz-tagging",
            text,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
        ) from None
    return checked_tags(pairs, OBJECT_TAGS_MAX)


def tags_from_set(tag_set: Iterable[Mapping[str, str]], count_max: int) -> dict[str, str]:
    """``TagSet``: raises InvalidTag, BadRequest, MalformedXML."""
    pairs: list[tuple[str, str]] = []
    for tag in tag_set:
        if "Key" not in tag or "Value" not in tag:
            raise s3_error("MalformedXML")
        pairs.append((tag["Key"], tag["Value"]))
    return checked_tags(pairs, count_max)


def checked_tags(pairs: list[tuple[str, str]], count_max: int) -> dict[str, str]:
    if len(pairs) > count_max:
        what = "Object" if count_max == OBJECT_TAGS_MAX else "Bucket"
        raise s3_error("BadRequest", f"{what} tags cannot be greater than {count_max}")
    tags: dict[str, str] = {}
    for key, value in pairs:
        if key in tags:
            raise s3_error("InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key)
        if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not _ALLOWED.fullmatch(key):
            raise s3_error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if key.lower().startswith("aws:"):
            raise s3_error("InvalidTag", _RESERVED[count_max], TagKey=key)
        if len(value) > VALUE_CHARACTERS_MAX or not _ALLOWED.fullmatch(value):
            raise s3_error("InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=value)
        tags[key] = value
    return tags


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """By key, whatever order they came in (ceph/s3-tests, test_put_obj_with_tags, which S3 passes)."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
