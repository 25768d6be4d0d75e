"""Listing versions: by key, and within a key from the newest to the oldest.

The table holds a key's rows as ``null`` first and then the newest before the older (see ``versions``), so one walk
gives the order but for ``null``, which is held back until its turn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from cloche.storage.objects.listing import common_prefix, first_key, successor
from cloche.storage.objects.records import NULL_VERSION, OBJECT_COLUMNS, ObjectInfo, object_from
from cloche.storage.objects.versions import sequence_of, version_of


@dataclass(frozen=True, slots=True)
class VersionsPage:
    """``last`` is the last entry: (key, version id), or (common prefix, "")."""

    versions: list[ObjectInfo]
    common_prefixes: list[str]
    is_truncated: bool = False
    last: tuple[str, str] = ("", "")


def list_versions(
    reader: sqlite3.Connection,
    bucket: str,
    prefix: str,
    delimiter: str,
    *,
    after: tuple[str, str],
    limit: int,
) -> VersionsPage:
    page = VersionsPage([], [])
    if limit == 0:
        return page
    key, version = after
    found = page.versions
    last = ("", "")
    if version and key.startswith(prefix) and not common_prefix(key, prefix, delimiter):
        for info in _older(reader, bucket, key, version):
            if len(found) == limit:
                return VersionsPage(found, [], True, last)
            found.append(info)
            last = (key, info.version)
    start = first_key(prefix, delimiter, key)
    while start is not None:
        seek, start = start, None
        for info in walk(reader, bucket, prefix, seek):
            if len(found) + len(page.common_prefixes) == limit:
                return VersionsPage(found, page.common_prefixes, True, last)
            if folded := common_prefix(info.key, prefix, delimiter):
                page.common_prefixes.append(folded)
                last = (folded, "")
                start = successor(folded)
                break
            found.append(info)
            last = (info.key, info.version)
    return VersionsPage(found, page.common_prefixes, False, last)


def walk(reader: sqlite3.Connection, bucket: str, prefix: str, start: str) -> Iterator[ObjectInfo]:
    """All versions from key ``start`` on while keys have ``prefix``; rows are read as they are taken."""
    end = successor(prefix)
    rows = reader.execute(
        f"SELECT {OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key >= ?"  # noqa: S608 - constants
        f"{'' if end is None else ' AND key < ?'} ORDER BY key, version",
        (bucket, start) if end is None else (bucket, start, end),
    )
    return _in_order(map(object_from, rows))


def _older(reader: sqlite3.Connection, bucket: str, key: str, version: str) -> Iterator[ObjectInfo]:
    """The versions of ``key`` after ``version``, which may be gone by now."""
    null = version_of(reader, bucket, key, NULL_VERSION)
    if version != NULL_VERSION:
        rows = reader.execute(
            f"SELECT {OBJECT_COLUMNS} FROM objects"  # noqa: S608 - a constant
            " WHERE bucket = ? AND key = ? AND version > ? ORDER BY version",
            (bucket, key, version),
        )
        sequence = sequence_of(version)
        waits = null is not None and sequence is not None and null.sequence < sequence
        return _in_order(_chain(null if waits else None, map(object_from, rows)))
    if null is None:
        return iter(())
    rows = reader.execute(
        f"SELECT {OBJECT_COLUMNS} FROM objects"  # noqa: S608 - a constant
        " WHERE bucket = ? AND key = ? AND version > 'null' AND sequence < ? ORDER BY version",
        (bucket, key, null.sequence),
    )
    return map(object_from, rows)


def _chain(first: ObjectInfo | None, rest: Iterator[ObjectInfo]) -> Iterator[ObjectInfo]:
    if first is not None:
        yield first
    yield from rest


def _in_order(rows: Iterator[ObjectInfo]) -> Iterator[ObjectInfo]:
    """Rows as they lie in the table, with each ``null`` put where its age says."""
    held: ObjectInfo | None = None
    for info in rows:
        if held is not None and (held.key != info.key or held.sequence > info.sequence):
            yield held
            held = None
        if info.version == NULL_VERSION:
            held = info
        else:
            yield info
    if held is not None:
        yield held
