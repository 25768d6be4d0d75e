"""The rows of a key: how a new version takes its place, and how one goes.

Every function here runs inside a transaction and keeps two promises: a key that has rows has exactly one of them
``latest``, the one of the greatest ``sequence``; and a content that loses its row is noted for removal.

A version id is 32 characters: a letter after ``null``, the sequence counted down in digits that sort as they count,
and chance. So the rows of a key lie in the table as ``null`` first (of any age) and then the newest before the older,
and whatever asks for the latest, or for the next of age, reads two rows of a key however many it has.
"""

from __future__ import annotations

import base64
import secrets
import sqlite3
from typing import Any, Final

from cloche.foundation.clock import from_epoch
from cloche.storage.objects import blobs
from cloche.storage.objects.errors import (
    BucketNotFound,
    ConditionNotMet,
    KeyNotFound,
    ObjectLocked,
    VersionNotFound,
)
from cloche.storage.objects.records import (
    NULL_VERSION,
    OBJECT_COLUMNS,
    Deletion,
    Details,
    ObjectInfo,
    WriteCondition,
    object_from,
)
from cloche.storage.objects.removal import Removal
from cloche.storage.objects.writer import Written

ENABLED: Final = "Enabled"
SUSPENDED: Final = "Suspended"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_PLACES: Final = 11
_FIRST: Final = "s"  # sorts after the n of null


def version_id(sequence: int) -> str:
    """A new id for the version of that sequence (microseconds since 1970, or a little more)."""
    left = 32**_PLACES - 1 - sequence
    digits = ""
    for _ in range(_PLACES):
        left, digit = divmod(left, 32)
        digits = _DIGITS[digit] + digits
    return _FIRST + digits + base64.b32hexencode(secrets.token_bytes(13)).decode()[:20]


def sequence_of(version: str) -> int | None:
    """The sequence in an id, also of a version that is gone; ``None`` where ``version_id`` did not make it."""
    if len(version) != 1 + _PLACES + 20 or not version.startswith(_FIRST) or not version.isalnum():
        return None
    digits = version[1 : 1 + _PLACES]
    if not set(digits).issubset(_DIGITS):
        return None
    return int(32**_PLACES) - 1 - int(digits, 32)


def versioning_of(tx: sqlite3.Connection, bucket: str) -> str:
    """Raises ``BucketNotFound``."""
    row = tx.execute("SELECT versioning FROM buckets WHERE name = ?", (bucket,)).fetchone()
    if row is None:
        raise BucketNotFound(bucket)
    return str(row[0])


def latest_of(connection: sqlite3.Connection, bucket: str, key: str) -> ObjectInfo | None:
    """The latest version, which may be a delete marker."""
    row = connection.execute(
        f"SELECT {OBJECT_COLUMNS} FROM objects"  # noqa: S608 - a constant
        " WHERE bucket = ? AND key = ? AND latest = 1 ORDER BY version LIMIT 1",
        (bucket, key),
    ).fetchone()
    return None if row is None else object_from(row)


def glance(connection: sqlite3.Connection, bucket: str, key: str) -> tuple[Any, ...] | None:
    """The latest version as a bare row of ``OBJECT_COLUMNS``, and behind them its content where that is a blob."""
    row = connection.execute(
        f"SELECT {OBJECT_COLUMNS}, data FROM objects LEFT JOIN blobs ON {blobs.JOINS}"  # noqa: S608 - constants
        " WHERE bucket = ? AND key = ? AND latest = 1 ORDER BY version LIMIT 1",
        (bucket, key),
    ).fetchone()
    return None if row is None else tuple(row)


def version_of(connection: sqlite3.Connection, bucket: str, key: str, version: str) -> ObjectInfo | None:
    row = connection.execute(
        f"SELECT {OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND version = ?",  # noqa: S608 - a constant
        (bucket, key, version),
    ).fetchone()
    return None if row is None else object_from(row)


def place(
    tx: sqlite3.Connection,
    removal: Removal,
    at: float,
    bucket: str,
    key: str,
    written: Written,
    details: Details,
    *,
    etag: str = "",
    condition: WriteCondition | None = None,
) -> ObjectInfo:
    """Make ``written`` the latest version of the key. Raises ``BucketNotFound``, and as ``check_condition`` does."""
    versioning = versioning_of(tx, bucket)
    latest = latest_of(tx, bucket, key)
    check_condition(condition, bucket, key, latest)
    info = _next(bucket, key, at, latest, versioning, written.size, etag or written.md5, details, written.kept(tx))
    _supersede(tx, removal, versioning, latest, info)
    return info


def remove_current(
    tx: sqlite3.Connection,
    removal: Removal,
    at: float,
    bucket: str,
    key: str,
    *,
    condition: WriteCondition | None = None,
) -> Deletion:
    """What a DELETE of a key without a version does: it removes the one version of an unversioned bucket, and else
    puts a delete marker on top (as version ``null``, in that one's place, where versioning is suspended)."""
    versioning = versioning_of(tx, bucket)
    latest = latest_of(tx, bucket, key)
    check_condition(condition, bucket, key, latest)
    if not versioning:
        if latest is None:
            return Deletion(key, existed=False)
        _drop(tx, removal, latest)
        return Deletion(key)
    marker = _next(bucket, key, at, latest, versioning, 0, "", Details(), "", marker=True)
    _supersede(tx, removal, versioning, latest, marker)
    return Deletion(key, marker.version, is_delete_marker=True, existed=latest is not None)


def remove_version(
    tx: sqlite3.Connection,
    removal: Removal,
    at: float,
    bucket: str,
    key: str,
    version: str,
    *,
    bypass_governance: bool = False,
    condition: WriteCondition | None = None,
) -> Deletion:
    """Remove one version for good; the next of age becomes the latest. Raises ``BucketNotFound``, ``ObjectLocked``."""
    versioning_of(tx, bucket)
    if condition is not None:
        check_condition(condition, bucket, key, latest_of(tx, bucket, key))
    info = version_of(tx, bucket, key, version)
    if info is None:
        return Deletion(key, version, existed=False)
    if info.details.is_locked(at, bypass_governance=bypass_governance):
        raise ObjectLocked(key, version)
    _drop(tx, removal, info)
    return Deletion(key, version, is_delete_marker=info.is_delete_marker)


def check_condition(condition: WriteCondition | None, bucket: str, key: str, latest: ObjectInfo | None) -> None:
    """Sources: docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, …/conditional-deletes.html"""
    if condition is None:
        return
    there = latest is not None and not latest.is_delete_marker
    if condition.if_absent and there:
        raise ConditionNotMet("If-None-Match")
    if condition.if_match:
        if latest is None or not there:
            raise KeyNotFound(bucket, key, latest)
        if condition.if_match not in ("*", latest.etag):
            raise ConditionNotMet("If-Match")


def existing(connection: sqlite3.Connection, bucket: str, key: str, version: str) -> ObjectInfo:
    """The version, or the latest where none is named. Raises ``VersionNotFound``; ``KeyNotFound`` also where a delete
    marker is the latest, while a named delete marker is answered."""
    if version:
        info = version_of(connection, bucket, key, version)
        if info is None:
            raise VersionNotFound(key, version)
        return info
    info = latest_of(connection, bucket, key)
    if info is None or info.is_delete_marker:
        raise KeyNotFound(bucket, key, info)
    return info


def _next(
    bucket: str,
    key: str,
    at: float,
    latest: ObjectInfo | None,
    versioning: str,
    size: int,
    etag: str,
    details: Details,
    file: str,
    *,
    marker: bool = False,
) -> ObjectInfo:
    sequence = int(at * 1e6)
    if latest is not None and latest.sequence >= sequence:  # within a microsecond, or a clock set back
        sequence = latest.sequence + 1
    version = version_id(sequence) if versioning == ENABLED else NULL_VERSION
    return ObjectInfo(
        bucket, key, size, etag, from_epoch(at), version, details, file, is_delete_marker=marker, sequence=sequence
    )


def _supersede(
    tx: sqlite3.Connection, removal: Removal, versioning: str, latest: ObjectInfo | None, info: ObjectInfo
) -> None:
    """Put ``info`` on top of ``latest``, or in the place of the ``null`` version."""
    bucket, key = info.bucket, info.key
    if latest is not None and latest.version != info.version:
        tx.execute(
            "UPDATE objects SET latest = 0 WHERE bucket = ? AND key = ? AND version = ?", (bucket, key, latest.version)
        )
    if info.version == NULL_VERSION:
        replaced = latest
        if versioning and (latest is None or latest.version != NULL_VERSION):
            replaced = version_of(tx, bucket, key, NULL_VERSION)
        if replaced is not None and replaced.version == NULL_VERSION:
            removal.note(tx, [replaced.file])
    tx.execute(
        "INSERT OR REPLACE INTO objects"
        " (bucket, key, version, sequence, latest, delete_marker, file, size, etag, modified_at, details)"
        " VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)",
        (
            bucket,
            key,
            info.version,
            info.sequence,
            int(info.is_delete_marker),
            info.file or None,
            info.size,
            info.etag,
            info.last_modified.timestamp(),
            info.details.to_json(),
        ),
    )


def _drop(tx: sqlite3.Connection, removal: Removal, info: ObjectInfo) -> None:
    bucket, key = info.bucket, info.key
    tx.execute("DELETE FROM objects WHERE bucket = ? AND key = ? AND version = ?", (bucket, key, info.version))
    removal.note(tx, [info.file])
    if not info.is_latest:
        return
    heirs = tx.execute(
        "SELECT version, sequence FROM objects WHERE bucket = ? AND key = ? ORDER BY version LIMIT 2", (bucket, key)
    ).fetchall()
    if heirs:
        heir = max(heirs, key=lambda row: row["sequence"])
        tx.execute(
            "UPDATE objects SET latest = 1 WHERE bucket = ? AND key = ? AND version = ?",
            (bucket, key, heir["version"]),
        )
