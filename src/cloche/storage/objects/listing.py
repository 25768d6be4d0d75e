"""Listing by keyset: a page starts where the last one ended, and skips what a delimiter folds by seeking.

UTF-8 order is code-point order, so Python strings and SQLite's TEXT compare alike. All keys that start with a
string lie between it and its *successor* (the string with its last code point raised by one); hence a common
prefix, however many keys it stands for, costs one seek.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cloche.storage.metadata.database import Database
from cloche.storage.objects.records import OBJECT_COLUMNS, Details, ObjectInfo, object_from

PAGE: Final = 1000
_LAST: Final = "\U0010ffff"


class Listed(NamedTuple):
    """What a listing shows of an object, as its row has it: a page has a thousand, so nothing is made of them here."""

    key: str
    size: int
    etag: str
    modified_at: float
    details: str
    """Those of ``said``, as JSON."""

    @property
    def said(self) -> Details:
        return Details.from_json(self.details)


_LISTED_COLUMNS: Final = ", ".join(Listed._fields)


@dataclass(frozen=True, slots=True)
class Page:
    """``next_key`` is where the next page starts (give it as ``at_or_after``); empty when this was the last.
    ``last`` is the last entry of this page, a key or a common prefix: S3's ``NextMarker``."""

    objects: list[Listed]
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
    if limit == 0 or start is None:
        return Page([], [])
    if not delimiter:
        return _plain_page(_rows(reader, _LISTED_COLUMNS, bucket, prefix, start, limit + 1), limit)
    found: list[Listed] = []
    folders: list[str] = []
    last = ""
    while start is not None:
        seek, start = start, None
        for each in map(Listed._make, _rows(reader, _LISTED_COLUMNS, bucket, prefix, seek, limit + 1)):
            folded = common_prefix(each.key, prefix, delimiter)
            if len(found) + len(folders) == limit:
                return Page(found, folders, folded or each.key, last)
            last = folded or each.key
            if folded:
                folders.append(folded)
                start = successor(folded)
                break
            found.append(each)
    return Page(found, folders, "", last)


def _plain_page(rows: sqlite3.Cursor, limit: int) -> Page:
    """Where nothing folds, as fast as rows can be had: one more than a page has tells where the next one starts."""
    found = list(map(Listed._make, rows))
    following = found.pop().key if len(found) > limit else ""
    return Page(found, [], following, found[-1].key if found else "")


def _rows(reader: sqlite3.Connection, columns: str, bucket: str, prefix: str, start: str, limit: int) -> sqlite3.Cursor:
    """The bucket's objects from ``start`` on while they have ``prefix``, as plain tuples; read as they are taken."""
    end = successor(prefix)
    cursor = reader.cursor()
    cursor.row_factory = None
    arguments: list[Any] = [bucket, start, limit] if end is None else [bucket, start, end, limit]
    return cursor.execute(
        f"SELECT {columns} FROM objects WHERE bucket = ? AND key >= ?"  # noqa: S608 - constants
        f"{'' if end is None else ' AND key < ?'} AND latest = 1 AND delete_marker = 0 ORDER BY key LIMIT ?",
        arguments,
    )


def iterate_objects(database: Database, bucket: str, prefix: str) -> Iterator[ObjectInfo]:
    """All objects under ``prefix``; a page at a time, so that no read stays open between them."""
    start = prefix
    while True:
        page = list(map(object_from, _rows(database.reader, OBJECT_COLUMNS, bucket, prefix, start, PAGE)))
        yield from page
        if len(page) < PAGE:
            return
        start = page[-1].key + "\0"
