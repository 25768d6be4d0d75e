"""Small contents, kept inside the metadata database instead of in files of their own.

A data file costs three waits for the disk (its bytes, its folder, its row) and a small one is hardly more than that.
A blob is written in the very transaction that writes the row which names it, so it costs one wait, shared by all
that are committed together; and there is nothing to repair at a start, for neither is ever there without the other.

Its name, ``blob-N``, stands where a data file's would. Like those, blobs never change and no name is given twice:
whoever was told one finds that content or nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from cloche.foundation.limits import KIB

BLOB_BYTES_MAX: Final = 64 * KIB
"""Beyond it files are as fast: a blob is written twice, to the log of the database and then to its place. Measured
with one writer and with eight (docs/decisions/0010)."""
_PREFIX: Final = "blob-"
IS_BLOB: Final = f"file GLOB '{_PREFIX}*'"
"""The question put to a column ``file`` in SQL."""
_NUMBER: Final = f"CAST(substr(file, {len(_PREFIX) + 1}) AS INTEGER)"
JOINS: Final = f"{IS_BLOB} AND blobs.id = {_NUMBER}"
"""Joins ``blobs`` to a table that has a column ``file``."""


def is_blob(name: str) -> bool:
    return name.startswith(_PREFIX)


def keep(tx: sqlite3.Connection, data: bytes) -> str:
    """Store ``data`` within the transaction that stores a row of the name answered."""
    number = tx.execute("INSERT INTO blobs (data) VALUES (?)", (data,)).lastrowid
    return f"{_PREFIX}{number}"


def read(connection: sqlite3.Connection, name: str) -> bytes | None:
    """The content, or ``None`` where it has been dropped."""
    row = connection.execute("SELECT data FROM blobs WHERE id = ?", (int(name[len(_PREFIX) :]),)).fetchone()
    return None if row is None else row[0]


def drop(tx: sqlite3.Connection, names: Iterable[str]) -> None:
    """Within the transaction that drops the only row which names each."""
    tx.executemany("DELETE FROM blobs WHERE id = ?", [(int(name[len(_PREFIX) :]),) for name in names])


def drop_selected(tx: sqlite3.Connection, select: str, arguments: tuple[str, ...]) -> None:
    """The same for all that ``select`` finds in its one column, ``file``."""
    tx.execute(
        f"DELETE FROM blobs WHERE id IN (SELECT {_NUMBER} FROM ({select}) WHERE {IS_BLOB})",  # noqa: S608
        arguments,
    )
