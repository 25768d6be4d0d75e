"""Which objects an input stands for, in which order, and which of them are one host's.

A manifest is a JSON list: ``{"prefix": "s3://bucket/start/"}``, then the rest of each address. An augmented manifest
has a JSON object on each line; ``AttributeNames`` says which of its members make up a record: one whose name ends in
``-ref`` is an object's address and stands for its bytes, any other for its own text.

A line's order is drawn from ``ShuffleConfig``'s seed and the epoch, before the hosts' shares are dealt out: so a share
changes from epoch to epoch, as AWS says of shuffling together with ``ShardedByS3Key``.

Sources: docs.aws.amazon.com/sagemaker/latest/APIReference, pages API_S3DataSource, API_ShuffleConfig;
docs.aws.amazon.com/sagemaker/latest/dg/augmented-manifest.html and augmented-manifest-stream.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloche.foundation.errors import NotFound
from cloche.foundation.limits import MANIFEST_BYTES_MAX
from cloche.jobs.feed_pipes import in_order_of, share
from cloche.jobs.hosts import Share
from cloche.jobs.inputs import S3Input
from cloche.storage.objects import ObjectInfo, ObjectStore

REFERENCE: Final = "-ref"


class Unfit(Exception):
    """The job cannot run as asked; the text is its ``FailureReason``."""


@dataclass(frozen=True, slots=True)
class Source:
    """One object as an input has it. ``name`` is its path below the input's folder."""

    info: ObjectInfo
    name: str


def sources(input: S3Input, objects: ObjectStore) -> Iterator[Source]:
    """All objects of an input that is no augmented manifest, in S3's or the manifest's order. Raises ``Unfit``."""
    if input.data_type == "ManifestFile":
        yield from _listed(input, objects)
        return
    try:
        for info in objects.iter_prefix(input.bucket, input.prefix):
            name = relative_name(input.prefix, info.key)
            if name is not None:
                yield Source(info, name)
    except NotFound as error:
        raise failed(error.message) from None


def of_host(input: S3Input, all_sources: Iterator[Source], part: Share) -> Iterator[Source]:
    """The sources that one host gets in the first epoch, in that epoch's order."""
    found: Sequence[Source] | Iterator[Source] = all_sources
    if input.shuffle_seed is not None:
        found = in_order_of(list(all_sources), input.shuffle_seed, epoch=0)
    return iter(found) if input.distribution != "ShardedByS3Key" else share(found, part.number, part.count)


def relative_name(prefix: str, key: str) -> str | None:
    """What the object at ``key`` is called below its input; ``None`` for a folder's marker."""
    if key.endswith("/"):
        return None
    if key == prefix:
        return key.rpartition("/")[2]
    if prefix and not prefix.endswith("/") and key.startswith(prefix + "/"):
        return key[len(prefix) + 1 :]
    return key[len(prefix.rpartition("/")[0]) :].removeprefix("/") if "/" in prefix else key


def file_below(folder: Path, name: str, key: str) -> Path:
    """Where the object ``key``, called ``name``, lies below ``folder``; the folders on the way are made. Raises
    ``Unfit`` for a name that no file can have."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > 255 for part in parts):
        raise failed(f"the key {key!r} cannot be a file name")
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _listed(input: S3Input, objects: ObjectStore) -> Iterator[Source]:
    document = _parsed(input, _manifest(input, objects))
    head = document[0] if isinstance(document, list) and document else None
    start = head.get("prefix") if isinstance(head, dict) else None
    if not isinstance(start, str) or not start.startswith("s3://") or not start.removeprefix("s3://").strip("/"):
        raise _manifest_failed(input, 'it must be a list that begins with {"prefix": "s3://bucket/..."}')
    for number, rest in enumerate(document[1:], 1):
        if not isinstance(rest, str) or not rest:
            raise _manifest_failed(input, f"element {number} is no text that could end an address")
        yield Source(_object(objects, start + rest), rest.removeprefix("/"))


def augmented(input: S3Input, objects: ObjectStore) -> Iterator[list[ObjectInfo | str]]:
    """The records of an augmented manifest, each as its attributes in the order they were asked for: an object, or
    text. Raises ``Unfit``."""
    for number, line in enumerate(_manifest(input, objects).split(b"\n"), 1):
        if not line.strip():
            continue
        members = _parsed(input, line, f", line {number}")
        if not isinstance(members, dict):
            raise _manifest_failed(input, f"line {number} is no JSON object")
        record: list[ObjectInfo | str] = []
        for name in input.attribute_names:
            if name not in members:
                raise _manifest_failed(input, f"line {number} has no attribute {name}")
            value = members[name]
            if name.endswith(REFERENCE):
                if not isinstance(value, str):
                    raise _manifest_failed(input, f"line {number}: {name} is no address in S3")
                record.append(_object(objects, value))
            else:
                record.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        yield record


def _manifest(input: S3Input, objects: ObjectStore) -> bytes:
    try:
        return objects.read_bytes(input.bucket, input.prefix, size_max=MANIFEST_BYTES_MAX)
    except (NotFound, ValueError) as error:
        raise failed(str(error)) from None


def _parsed(input: S3Input, text: bytes, where: str = "") -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _manifest_failed(input, f"it is no JSON{where}: {error}") from None


def _object(objects: ObjectStore, address: str) -> ObjectInfo:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not address.startswith("s3://") or not bucket or not key:
        raise failed(f"{address[:200]!r} is no address of an object in S3")
    try:
        return objects.head(bucket, key)
    except NotFound:
        raise failed(f"{address[:1100]} is not there") from None


def failed(text: str) -> Unfit:
    return Unfit(f"ClientError: Data download failed: {text}")


def _manifest_failed(input: S3Input, text: str) -> Unfit:
    return failed(f"the manifest {input.uri} of {input.title}: {text}")
