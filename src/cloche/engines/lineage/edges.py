"""Associations: directed edges between records of the lineage, at most one from one to another.

The types of both ends are kept with an edge, because they never change and lists are filtered by them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cloche.foundation.errors import AlreadyExists

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "lineage-1",
        """
        CREATE TABLE lineage_edges (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            source TEXT NOT NULL,
            destination TEXT NOT NULL,
            kind TEXT NOT NULL,
            source_type TEXT NOT NULL,
            destination_type TEXT NOT NULL,
            at REAL NOT NULL,
            UNIQUE (source, destination)
        ) STRICT;
        CREATE INDEX lineage_edges_by_destination ON lineage_edges (destination, source);
        CREATE INDEX lineage_edges_by_time ON lineage_edges (account, region, at, id);
        """,
    ),
]
AT_ONCE: Final = 500
"""Ends looked up in one statement."""


@dataclass(frozen=True, slots=True)
class Edge:
    source: str
    destination: str
    kind: str
    """The association's type; empty where none was given."""


@dataclass(frozen=True, slots=True)
class End:
    """An edge's end as lists filter by it."""

    arn: str
    type: str


def add(tx: sqlite3.Connection, account: str, region: str, source: End, destination: End, kind: str, at: float) -> None:
    """Raises ``AlreadyExists``."""
    if not put(tx, account, region, source, destination, kind, at):
        raise AlreadyExists(f"an association of {source.arn} with {destination.arn} already exists")


def put(tx: sqlite3.Connection, account: str, region: str, source: End, destination: End, kind: str, at: float) -> bool:
    """The same, whether it is there or not; whether it was new."""
    cursor = tx.execute(
        "INSERT OR IGNORE INTO lineage_edges (account, region, source, destination, kind, source_type,"
        " destination_type, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (account, region, source.arn, destination.arn, kind, source.type, destination.type, at),
    )
    return cursor.rowcount > 0


def remove(tx: sqlite3.Connection, source: str, destination: str) -> bool:
    cursor = tx.execute("DELETE FROM lineage_edges WHERE source = ? AND destination = ?", (source, destination))
    return cursor.rowcount > 0


def has_any(connection: sqlite3.Connection, arn: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM lineage_edges WHERE source = ? UNION ALL SELECT 1 FROM lineage_edges WHERE destination = ?",
        (arn, arn),
    )
    return found.fetchone() is not None


def remove_all(tx: sqlite3.Connection, arn: str) -> None:
    tx.execute("DELETE FROM lineage_edges WHERE source = ?", (arn,))
    tx.execute("DELETE FROM lineage_edges WHERE destination = ?", (arn,))


def at_ends(connection: sqlite3.Connection, arns: Sequence[str], *, upwards: bool) -> Iterable[Edge]:
    """Edges that lead to ``arns`` (``upwards``) or away from them."""
    end = "destination" if upwards else "source"
    for start in range(0, len(arns), AT_ONCE):
        some = arns[start : start + AT_ONCE]
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"SELECT source, destination, kind FROM lineage_edges WHERE {end} IN ({marks})",  # noqa: S608 - marks only
            some,
        )
        for row in rows:
            yield Edge(*row)
