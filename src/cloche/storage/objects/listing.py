"""Listing by keyset: a page starts where the last one ended, and skips what a delimiter folds by seeking.

UTF-8 order is code-point order, so Python strings and SQLite's TEXT compare alike. All keys that start with a
string lie between it and its *successor* (the string with its last code point raised by one); hence a common
prefix, however many keys it stands for, costs one seek.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cloche.storage.metadata.database import Database
from cloche.storage.objects.records import OBJECT_COLUMNS, ObjectInfo, object_from

PAGE: Final = 1000
_LAST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Page:
    """``next_key`` is where the next page starts (give it as ``at_or_after``); empty when this was the last.
    ``last`` is the last entry of this page, a key or a common prefix: S3's ``NextMarker``."""

    objects: list[ObjectInfo]
    common_prefixes: list[str]
    next_key: str = ""
    last: str = ""

    @property
    def is_truncated(self) -> bool:
        return bool(self.next_key)


def successor(text: str) -> str | None:
    """The least string greater than all that start with ``text``; ``None`` when there is none."""
    text = text.rstrip(_LAST)
    if not text:
        return None
    following = ord(text[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:  # surrogates are no characters
        following = 0xE000
    return text[:-1] + chr(following)


def common_prefix(key: str, prefix: str, delimiter: str) -> str:
    """What ``key`` folds into, or an empty string."""
    if not delimiter:
        return ""
    at = key.find(delimiter, len(prefix))
    return key[: at + len(delimiter)] if at >= 0 else ""


def first_key(prefix: str, delimiter: str, after: str) -> str | None:
    """Where a listing that continues after ``after`` (a key or a common prefix) starts; ``None``: nowhere."""
    if not after or after < prefix:
        return prefix
    if after.startswith(prefix) and common_prefix(after, prefix, delimiter) == after:
        return successor(after)
    return after + "\0"  # the least string after it


def list_objects(
    reader: sqlite3.Connection,
    bucket: str,
    prefix: str,
    delimiter: str,
    *,
    after: str,
    at_or_after: str,
    limit: int,
) -> Page:
    start = first_key(prefix, delimiter, after)
    if start is not None and at_or_after:
        start = max(start, at_or_after)
    page = Page([], [])
    if limit == 0:
        return page
    last = ""
    while start is not None:
        seek = start
        start = None
        for info in _rows(reader, bucket, prefix, seek):
            folded = common_prefix(info.key, prefix, delimiter)
            if len(page.objects) + len(page.common_prefixes) == limit:
                return Page(page.objects, page.common_prefixes, folded or info.key, last)
            last = folded or info.key
            if folded:
                page.common_prefixes.append(folded)
                start = successor(folded)
                break
            page.objects.append(info)
    return Page(page.objects, page.common_prefixes, "", last)


def _rows(reader: sqlite3.Connection, bucket: str, prefix: str, start: str) -> Iterator[ObjectInfo]:
    """The bucket's objects from ``start`` on while they have ``prefix``; rows are read as they are taken."""
    end = successor(prefix)
    rows = reader.execute(
        f"SELECT {OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key >= ?"  # noqa: S608 - constants
        f"{'' if end is None else ' AND key < ?'} AND latest = 1 AND delete_marker = 0 ORDER BY key",
        (bucket, start) if end is None else (bucket, start, end),
    )
    return map(object_from, rows)


def iterate_objects(database: Database, bucket: str, prefix: str) -> Iterator[ObjectInfo]:
    """All objects under ``prefix``; a page at a time, so that no read stays open between them."""
    start = ""
    while True:
        page = list_objects(database.reader, bucket, prefix, "", after="", at_or_after=start, limit=PAGE)
        yield from page.objects
        if not page.next_key:
            return
        start = page.next_key
