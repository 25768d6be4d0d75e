"""Where a model's artefact is: the forms of address that requests use, as a bucket and a key."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

# docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html: path and virtual-host style, with the region
# after a dot or (older) a dash. Notebooks write both.
_HTTPS: Final = re.compile(
    r"https://(?:(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com/(?P<path>.+)"
)


def object_at(url: str) -> tuple[str, str] | None:
    """Bucket and key of ``s3://bucket/key`` or an S3 address over https; ``None`` where it names no object."""
    if url.startswith("s3://"):
        bucket, _, key = url.removeprefix("s3://").partition("/")
        return (bucket, key) if bucket and key else None
    match = _HTTPS.fullmatch(url)
    if match is None:
        return None
    path = unquote(match["path"])
    if match["bucket"]:
        return match["bucket"], path
    bucket, _, key = path.partition("/")
    return (bucket, key) if bucket and key else None
