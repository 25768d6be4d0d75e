"""The tables of metrics, and points as rows.

A series (account, region, namespace, name, dimensions) is named once; its points are rows of what ``Statistics``
holds, appended and never changed. ``period`` is the number of seconds a row stands for: 1 for high resolution,
60 for the rest, more once retention has rolled rows up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import orjson

from cloche.storage.metrics.statistics import Statistics

MIGRATIONS: list[tuple[str, str]] = [
    (
        "metrics-1",
        """
        CREATE TABLE metrics (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            dimensions TEXT NOT NULL,
            last_at REAL NOT NULL,
            UNIQUE (account, region, namespace, name, dimensions)
        ) STRICT;
        CREATE INDEX metrics_by_time ON metrics (last_at);
        CREATE TABLE metric_points (
            metric_id INTEGER NOT NULL REFERENCES metrics (id),
            at INTEGER NOT NULL,
            period INTEGER NOT NULL,
            unit TEXT NOT NULL,
            count REAL NOT NULL,
            total REAL NOT NULL,
            minimum REAL NOT NULL,
            maximum REAL NOT NULL,
            samples TEXT
        ) STRICT;
        CREATE INDEX metric_points_by_time ON metric_points (metric_id, at);
        CREATE INDEX metric_points_by_age ON metric_points (period, at);
        """,
    ),
    (
        "metrics-2",
        """
        CREATE TABLE metric_puts (
            token TEXT PRIMARY KEY,
            at REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
    ),
]

Dimensions = tuple[tuple[str, str], ...]


def take_note(tx: sqlite3.Connection, token: str, now: float) -> bool:
    """That the put of that token has been made; ``False`` where it is noted already."""
    return tx.execute("INSERT OR IGNORE INTO metric_puts VALUES (?, ?)", (token, now)).rowcount == 1


def dimensions_text(dimensions: Dimensions) -> str:
    """The same text for the same dimensions in whatever order they came."""
    return orjson.dumps(sorted(dimensions)).decode()


def dimensions_from_text(text: str) -> Dimensions:
    return tuple((name, value) for name, value in orjson.loads(text))


def find_series(
    connection: sqlite3.Connection, account: str, region: str, namespace: str, name: str, dimensions: Dimensions
) -> int | None:
    row = connection.execute(
        "SELECT id FROM metrics WHERE account = ? AND region = ? AND namespace = ? AND name = ? AND dimensions = ?",
        (account, region, namespace, name, dimensions_text(dimensions)),
    ).fetchone()
    return None if row is None else int(row[0])


def name_series(tx: sqlite3.Connection, key: tuple[str, str, str, str, str], at: float) -> int:
    """The id of the series (account, region, namespace, name, dimensions' text), which now has a point at ``at``."""
    row = tx.execute(
        "INSERT INTO metrics (account, region, namespace, name, dimensions, last_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET last_at = max(last_at, excluded.last_at) RETURNING id",
        (*key, at),
    ).fetchone()
    return int(row[0])


def insert_point(tx: sqlite3.Connection, series: int, at: int, period: int, unit: str, held: Statistics) -> None:
    tx.execute(
        "INSERT INTO metric_points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (series, at, period, unit, held.count, held.total, held.minimum, held.maximum, _samples_text(held)),
    )


def read_points(
    connection: sqlite3.Connection, series: int, start: float, end: float, unit: str | None
) -> Iterator[tuple[int, str, Statistics]]:
    """(at, unit, statistics) from ``start`` up to, not including, ``end``, in the order of time."""
    sql = (
        "SELECT at, unit, count, total, minimum, maximum, samples FROM metric_points"
        " WHERE metric_id = ? AND at >= ? AND at < ?"
    )
    arguments: tuple[Any, ...] = (series, start, end)
    if unit is not None:
        sql += " AND unit = ?"
        arguments = (*arguments, unit)
    for row in connection.execute(sql + " ORDER BY at, rowid", arguments):
        yield row["at"], row["unit"], from_row(row)


def from_row(row: sqlite3.Row) -> Statistics:
    text = row["samples"]
    minimum, count = row["minimum"], row["count"]
    if text is None:
        return Statistics.of_set(count, row["total"], minimum, row["maximum"])
    return Statistics(count, row["total"], minimum, row["maximum"], dict(orjson.loads(text)))


def _samples_text(held: Statistics) -> str | None:
    """Nothing where count and minimum already say it: a single value needs no list."""
    if held.values is None or held.minimum == held.maximum:
        return None
    return orjson.dumps(list(held.values.items())).decode()
