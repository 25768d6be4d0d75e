"""Tags of anything that has an ARN. Rules about them (how many, which keys) are the services' matter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable


def read(connection: sqlite3.Connection, arn: str) -> list[tuple[str, str]]:
    """(key, value) pairs in the order of their keys."""
    rows = connection.execute("SELECT key, value FROM tags WHERE arn = ? ORDER BY key", (arn,))
    return [(row[0], row[1]) for row in rows]


def put(tx: sqlite3.Connection, arn: str, tags: Iterable[tuple[str, str]]) -> None:
    """Add tags; a key that is there gets the new value."""
    tx.executemany(
        "INSERT INTO tags VALUES (?, ?, ?) ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
        [(arn, key, value) for key, value in tags],
    )


def remove(tx: sqlite3.Connection, arn: str, keys: Iterable[str]) -> None:
    """Take tags away; keys that are not there are passed over."""
    tx.executemany("DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in keys])
