"""What the object store tells about buckets, objects and uploads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

import orjson

from cloche.foundation.clock import from_epoch

NULL_VERSION = "null"
DEFAULT_CONTENT_TYPE = "binary/octet-stream"


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str
    account: str
    region: str
    created_at: datetime
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """Sub-resources that are kept as the caller sent them (tagging, encryption …), by their AWS name."""
    versioning: str = ""
    """``Enabled``, ``Suspended``, or empty where it was never switched on."""


@dataclass(frozen=True, slots=True)
class ObjectPart:
    """One part of an object that came by multipart upload, as it lies in the whole."""

    number: int
    size: int
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Details:
    """What a writer says about an object besides its bytes.

    ``headers`` are the system headers (``Cache-Control`` …) under their AWS member names, ``metadata`` the
    user's own. ``checksums`` are base64 by algorithm (``CRC32``); ``checksum_type`` tells whether they are of
    the whole (``FULL_OBJECT``) or of the parts' (``COMPOSITE``).
    """

    content_type: str = DEFAULT_CONTENT_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    encryption: Mapping[str, Any] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = ""
    parts: tuple[ObjectPart, ...] = ()
    upload: str = ""
    """The multipart upload that made the object."""
    retention_mode: str = ""
    """``GOVERNANCE`` or ``COMPLIANCE``: the version is not removed before ``retain_until`` (seconds since 1970)."""
    retain_until: float = 0.0
    legal_hold: str = ""
    """``ON`` or ``OFF``; empty where nobody ever said."""
    owner: str = ""
    """The account whose object it is; empty for the bucket owner's."""
    acl: Sequence[Sequence[str]] = ()
    """Grants as (permission, kind, grantee); empty where its owner alone has access."""

    def is_locked(self, now: float, *, bypass_governance: bool = False) -> bool:
        """Whether object lock forbids to remove the version that has these details."""
        if self.legal_hold == "ON":
            return True
        retained = bool(self.retention_mode) and self.retain_until > now
        return retained and not (bypass_governance and self.retention_mode == "GOVERNANCE")

    def to_json(self) -> str:
        """Only what differs from an empty one: most objects say little."""
        members = {name: value for name, empty in _EMPTY if (value := getattr(self, name)) != empty}
        return orjson.dumps(members).decode()

    @staticmethod
    def from_json(text: str) -> Details:
        members = orjson.loads(text)
        if "parts" in members:
            members["parts"] = tuple(ObjectPart(**part) for part in members["parts"])
        return Details(**members)


_EMPTY: Final = tuple((member.name, getattr(Details(), member.name)) for member in fields(Details))


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One version of an object, without its bytes. ``etag`` is unquoted; ``size`` in bytes. A delete marker has
    neither bytes nor ETag nor file."""

    bucket: str
    key: str
    size: int
    etag: str
    last_modified: datetime
    version: str = NULL_VERSION
    details: Details = field(default_factory=Details)
    file: str = ""
    """The name of its content: a data file's or a blob's."""
    is_latest: bool = True
    is_delete_marker: bool = False
    sequence: int = 0
    """Later versions of a key have greater ones."""

    @property
    def content_type(self) -> str:
        return self.details.content_type

    @property
    def metadata(self) -> Mapping[str, str]:
        return self.details.metadata

    @property
    def checksums(self) -> Mapping[str, str]:
        return self.details.checksums


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that is neither completed nor aborted."""

    bucket: str
    key: str
    id: str
    initiated_at: datetime
    details: Details
    checksum_algorithm: str = ""
    checksum_type: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """An uploaded part. ``etag`` is the hexadecimal MD5 of its bytes."""

    number: int
    size: int
    etag: str
    last_modified: datetime
    checksums: Mapping[str, str]
    file: str = ""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion did. ``version`` is the id of what it removed for good, or of the delete marker it made
    (``is_delete_marker`` tells of either); empty where a key of an unversioned bucket was removed. ``existed``:
    there was something to remove."""

    key: str
    version: str = ""
    is_delete_marker: bool = False
    existed: bool = True


@dataclass(frozen=True, slots=True)
class WriteCondition:
    """``if_absent``: only when no object has the key. ``if_match``: only over the object with that ETag. A key whose
    latest version is a delete marker has no object.

    A write that does not meet it raises ``Conflict``; ``if_match`` without an object raises ``NotFound``.
    """

    if_absent: bool = False
    if_match: str = ""


OBJECT_COLUMNS = "bucket, key, version, file, size, etag, modified_at, details, latest, delete_marker, sequence"


def bucket_from(row: sqlite3.Row) -> Bucket:
    return Bucket(
        row["name"],
        row["account"],
        row["region"],
        from_epoch(row["created_at"]),
        json.loads(row["configuration"]),
        row["versioning"],
    )


def object_from(row: Iterable[Any]) -> ObjectInfo:
    """``row`` holds ``OBJECT_COLUMNS`` in their order."""
    bucket, key, version, file, size, etag, modified_at, details, latest, delete_marker, sequence = row
    return ObjectInfo(
        bucket,
        key,
        size,
        etag,
        from_epoch(modified_at),
        version,
        Details.from_json(details),
        file or "",
        bool(latest),
        bool(delete_marker),
        sequence,
    )


def upload_from(row: sqlite3.Row) -> Upload:
    members = json.loads(row["details"])
    algorithm, kind = members.pop("algorithm", ""), members.get("checksum_type", "")
    return Upload(
        row["bucket"],
        row["key"],
        row["id"],
        from_epoch(row["initiated_at"]),
        Details.from_json(json.dumps(members)),
        algorithm,
        kind,
    )


def part_from(row: sqlite3.Row) -> Part:
    return Part(
        row["number"],
        row["size"],
        row["etag"],
        from_epoch(row["modified_at"]),
        json.loads(row["checksums"]),
        row["file"],
    )
