"""What SQLite knows of logs: names, times, retention. No event is in it.

A stream's times are written when it is closed or asked for, not with every append. ``active`` marks the streams
that were open for writing: after a crash those, and only those, are opened, repaired and their times read anew.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from cloche.storage.logs.stream import Held

MIGRATIONS: list[tuple[str, str]] = [
    (
        "logs-1",
        """
        CREATE TABLE log_groups (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            retention_days INTEGER,
            UNIQUE (account, region, name)
        ) STRICT;
        CREATE TABLE log_streams (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            group_id INTEGER NOT NULL REFERENCES log_groups (id),
            name TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            first_ms INTEGER,
            last_ms INTEGER NOT NULL DEFAULT 0,
            ingested_ms INTEGER,
            active INTEGER NOT NULL DEFAULT 0,
            UNIQUE (group_id, name)
        ) STRICT;
        CREATE INDEX log_streams_by_time ON log_streams (group_id, last_ms, name);
        CREATE INDEX log_streams_active ON log_streams (id) WHERE active = 1;
        """,
    ),
    (
        "logs-2",
        """
        ALTER TABLE log_groups ADD COLUMN class TEXT NOT NULL DEFAULT 'STANDARD';
        ALTER TABLE log_groups ADD COLUMN kms_key TEXT;
        ALTER TABLE log_groups ADD COLUMN protected INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE log_streams ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0;
        UPDATE log_streams SET active = 1;
        """,
    ),
]


@dataclass(frozen=True, slots=True)
class LogGroup:
    id: int
    account: str
    region: str
    name: str
    created_ms: int
    retention_days: int | None
    log_class: str = "STANDARD"
    kms_key: str | None = None
    """As it was given; nothing is encrypted with it yet."""
    protected: bool = False
    """Against deletion. The store itself does not look at it."""


@dataclass(frozen=True, slots=True)
class LogStream:
    """``first_ms`` and ``last_ms`` are of event times, ``ingested_ms`` of the last append. While the stream is
    empty, ``last_ms`` is 0 and the others are none."""

    id: int
    group_id: int
    name: str
    created_ms: int
    first_ms: int | None
    last_ms: int
    ingested_ms: int | None
    stored_bytes: int = 0


_GROUP = "id, account, region, name, created_ms, retention_days, class, kms_key, protected"
_STREAM = "id, group_id, name, created_ms, first_ms, last_ms, ingested_ms, stored_bytes"


def find_group(connection: sqlite3.Connection, account: str, region: str, name: str) -> LogGroup | None:
    row = connection.execute(
        f"SELECT {_GROUP} FROM log_groups WHERE account = ? AND region = ? AND name = ?",  # noqa: S608
        (account, region, name),
    ).fetchone()
    return None if row is None else group_from_row(row)


def read_group(connection: sqlite3.Connection, group_id: int) -> LogGroup | None:
    row = connection.execute(f"SELECT {_GROUP} FROM log_groups WHERE id = ?", (group_id,)).fetchone()  # noqa: S608
    return None if row is None else group_from_row(row)


def find_stream(connection: sqlite3.Connection, group_id: int, name: str) -> LogStream | None:
    row = connection.execute(
        f"SELECT {_STREAM} FROM log_streams WHERE group_id = ? AND name = ?",  # noqa: S608
        (group_id, name),
    ).fetchone()
    return None if row is None else LogStream(*row)


def read_stream(connection: sqlite3.Connection, stream_id: int) -> LogStream | None:
    row = connection.execute(f"SELECT {_STREAM} FROM log_streams WHERE id = ?", (stream_id,)).fetchone()  # noqa: S608
    return None if row is None else LogStream(*row)


def group_from_row(row: sqlite3.Row) -> LogGroup:
    members = {name: row[name] for name in _GROUP.split(", ")}
    return LogGroup(log_class=members.pop("class"), protected=bool(members.pop("protected")), **members)


def stream_from_row(row: sqlite3.Row) -> LogStream:
    return LogStream(*(row[name] for name in _STREAM.split(", ")))


def insert_group(
    tx: sqlite3.Connection,
    account: str,
    region: str,
    name: str,
    created_ms: int,
    *,
    log_class: str = "STANDARD",
    kms_key: str | None = None,
    protected: bool = False,
) -> None:
    """Raises ``sqlite3.IntegrityError`` if it is there."""
    tx.execute(
        "INSERT INTO log_groups (account, region, name, created_ms, class, kms_key, protected)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (account, region, name, created_ms, log_class, kms_key, int(protected)),
    )


def insert_stream(tx: sqlite3.Connection, group_id: int, name: str, created_ms: int) -> None:
    """Raises ``sqlite3.IntegrityError`` if it is there."""
    tx.execute("INSERT INTO log_streams (group_id, name, created_ms) VALUES (?, ?, ?)", (group_id, name, created_ms))


def set_times(tx: sqlite3.Connection, stream_id: int, held: Held, *, active: bool) -> None:
    tx.execute(
        "UPDATE log_streams SET first_ms = ?, last_ms = ?, ingested_ms = ?, stored_bytes = ?, active = ? WHERE id = ?",
        (held.first_ms, held.last_ms, held.ingested_ms, held.stored_bytes, int(active), stream_id),
    )
