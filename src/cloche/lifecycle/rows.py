"""The rows of long-running things. Every function that takes ``tx`` runs inside ``Database.write``."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from cloche.lifecycle.machine import Item

MIGRATIONS = [
    (
        "lifecycle-1",
        """
        CREATE TABLE lifecycles (
            id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, data TEXT NOT NULL, message TEXT NOT NULL,
            version INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
            created_at REAL NOT NULL, entered_at REAL NOT NULL, ended_at REAL,
            wake_at REAL, lease TEXT, leased_until REAL
        ) STRICT;
        CREATE INDEX lifecycles_due ON lifecycles (wake_at) WHERE wake_at IS NOT NULL;
        CREATE INDEX lifecycles_kind ON lifecycles (kind, state);
        CREATE TABLE transitions (
            id TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL,
            PRIMARY KEY (id, seq)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
    (
        "lifecycle-2",
        "CREATE INDEX lifecycles_active ON lifecycles (kind, created_at, id, state, ended_at) WHERE ended_at IS NULL",
    ),
    (
        "lifecycle-3",
        """
        ALTER TABLE lifecycles ADD COLUMN until REAL;
        CREATE INDEX lifecycles_until ON lifecycles (until) WHERE until IS NOT NULL;
        """,
    ),
]
"""``wake_at`` and ``leased_until`` are moments of the machine's clock, ``until`` of Cloche's, like all others."""


@dataclass(frozen=True, slots=True)
class Transition:
    at: float
    state: str
    message: str


def insert(
    tx: sqlite3.Connection,
    kind: str,
    id: str,
    state: str,
    data: Mapping[str, Any],
    message: str,
    now: float,
    wake_at: float,
) -> Item:
    made = tx.execute(
        "INSERT INTO lifecycles (id, kind, state, data, message, version, created_at, entered_at, wake_at)"
        " VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?) RETURNING *",
        (id, kind, state, _dump(data), message, now, now, wake_at),
    ).fetchone()
    note(tx, id, state, message, now)
    return _item(made)


def note(tx: sqlite3.Connection, id: str, state: str, message: str, now: float) -> None:
    """Keep a transition; a message for the state already entered is a transition of its own, as AWS has it."""
    tx.execute(
        "INSERT INTO transitions SELECT ?, coalesce(max(seq), 0) + 1, ?, ?, ? FROM transitions WHERE id = ?",
        (id, now, state, message, id),
    )


def read(connection: sqlite3.Connection, id: str) -> Item | None:
    row = connection.execute("SELECT * FROM lifecycles WHERE id = ?", (id,)).fetchone()
    return None if row is None else _item(row)


def of_kind(connection: sqlite3.Connection, kind: str, *, active_only: bool = False) -> list[Item]:
    which = "AND ended_at IS NULL " if active_only else ""
    rows = connection.execute(f"SELECT * FROM lifecycles WHERE kind = ? {which}ORDER BY created_at, id", (kind,))  # noqa: S608
    return [_item(row) for row in rows]


def active(connection: sqlite3.Connection, *kinds: str) -> list[tuple[str, str, str]]:
    """(id, kind, state) of those that have not ended, oldest first; answered by an index, however many have ended."""
    marks = ", ".join("?" for _ in kinds)
    rows = connection.execute(
        f"SELECT id, kind, state FROM lifecycles WHERE kind IN ({marks}) AND ended_at IS NULL"  # noqa: S608
        " ORDER BY created_at, id",
        kinds,
    )
    return [(id, kind, state) for id, kind, state in rows]


def transitions(connection: sqlite3.Connection, id: str) -> list[Transition]:
    rows = connection.execute("SELECT at, state, message FROM transitions WHERE id = ? ORDER BY seq", (id,))
    return [Transition(*row) for row in rows]


def forget(tx: sqlite3.Connection, id: str) -> None:
    tx.execute("DELETE FROM lifecycles WHERE id = ?", (id,))
    tx.execute("DELETE FROM transitions WHERE id = ?", (id,))


def due(connection: sqlite3.Connection, real: float, now: float, limit: int) -> list[str]:
    """Ids whose time has come, by either clock, and that nobody holds."""
    free = "(lease IS NULL OR leased_until < ?)"
    rows = connection.execute(
        f"SELECT id FROM lifecycles WHERE wake_at <= ? AND {free} ORDER BY wake_at LIMIT ?",  # noqa: S608
        (real, real, limit),
    ).fetchall()
    rows += connection.execute(
        f"SELECT id FROM lifecycles WHERE until <= ? AND {free} ORDER BY until LIMIT ?",  # noqa: S608
        (now, real, limit),
    )
    return [row[0] for row in rows]


def next_wake(connection: sqlite3.Connection, busy: Collection[str] = (), real: float = 0.0) -> float | None:
    """When somebody is due whom nobody holds. Those in ``busy`` are about to be held if their time has come by
    ``real``, or have just been put down until later."""
    return _first(connection, "wake_at", busy, real)


def next_until(connection: sqlite3.Connection, busy: Collection[str] = (), now: float = 0.0) -> float | None:
    """The earliest moment of Cloche's time that somebody waits for."""
    return _first(connection, "until", busy, now)


def _first(connection: sqlite3.Connection, column: str, busy: Collection[str], now: float) -> float | None:
    found = connection.execute(
        f"SELECT id, {column} FROM lifecycles WHERE {column} IS NOT NULL AND lease IS NULL"  # noqa: S608 - one of two
        f" ORDER BY {column} LIMIT ?",
        (len(busy) + 1,),
    )
    return next((moment for id, moment in found if moment > now or id not in busy), None)


def at_work(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """(kind, state) of those that are held, or wait for something else than a moment of Cloche's time."""
    rows = connection.execute(
        "SELECT DISTINCT kind, state FROM lifecycles WHERE ended_at IS NULL"
        " AND (lease IS NOT NULL OR (wake_at IS NOT NULL AND until IS NULL))"
    )
    return ((kind, state) for kind, state in rows)


def claim(tx: sqlite3.Connection, id: str, lease: str, now: float, until: float) -> Item | None:
    """Take the row under ``lease``, unless it has ended or somebody else holds it."""
    taken = tx.execute(
        "UPDATE lifecycles SET lease = ?, leased_until = ?"
        " WHERE id = ? AND ended_at IS NULL AND (lease IS NULL OR leased_until < ?)",
        (lease, until, id, now),
    )
    return read(tx, id) if taken.rowcount else None


def extend(tx: sqlite3.Connection, leases: Mapping[str, str], until: float) -> None:
    tx.executemany(
        "UPDATE lifecycles SET leased_until = ? WHERE id = ? AND lease = ?",
        [(until, id, lease) for id, lease in leases.items()],
    )


def held(connection: sqlite3.Connection, id: str, lease: str) -> Item | None:
    """The row as it is now, if it is still held under ``lease``."""
    row = connection.execute("SELECT * FROM lifecycles WHERE id = ? AND lease = ?", (id, lease)).fetchone()
    return None if row is None else _item(row)


def release_all(tx: sqlite3.Connection, real: float) -> None:
    """At start, while we alone hold the data directory: whoever held a lease is gone. Look at everything."""
    tx.execute("UPDATE lifecycles SET lease = NULL, leased_until = NULL, wake_at = ? WHERE ended_at IS NULL", (real,))


def rest(
    tx: sqlite3.Connection,
    id: str,
    wake_at: float | None,
    changes: Mapping[str, Any],
    attempts: int,
    until: float | None = None,
) -> None:
    """Put the row down in the state it is in, to be looked at again at ``wake_at`` or ``until``."""
    tx.execute(
        "UPDATE lifecycles SET lease = NULL, leased_until = NULL, wake_at = ?, until = ?, attempts = ?,"
        " data = json_patch(data, ?), version = version + ? WHERE id = ? AND ended_at IS NULL",
        (wake_at, until, attempts, _dump(changes), 1 if changes else 0, id),
    )


def change(tx: sqlite3.Connection, id: str, changes: Mapping[str, Any]) -> None:
    """Keep ``changes`` in the document (a key set to ``None`` is removed)."""
    tx.execute(
        "UPDATE lifecycles SET data = json_patch(data, ?), version = version + 1 WHERE id = ?",
        (_dump(changes), id),
    )


def enter(
    tx: sqlite3.Connection,
    id: str,
    state: str,
    changes: Mapping[str, Any],
    message: str,
    now: float,
    *,
    ends: bool,
    wake_at: float | None = None,
    until: float | None = None,
    lets_go: bool = False,
) -> Item:
    """The row enters ``state``, and is worked on at ``wake_at`` or ``until``. An end is an end: it is never looked at
    again. Whoever holds it may let it go with that."""
    free = "lease = NULL, leased_until = NULL, " if lets_go else ""
    entered = tx.execute(
        f"UPDATE lifecycles SET {free}state = ?, data = json_patch(data, ?), message = ?, version = version + 1,"  # noqa: S608 - one of two
        " attempts = 0, entered_at = ?, ended_at = ?, wake_at = ?, until = ? WHERE id = ? RETURNING *",
        (state, _dump(changes), message, now, now if ends else None, wake_at, until, id),
    ).fetchone()
    note(tx, id, state, message, now)
    return _item(entered)


def let_go(tx: sqlite3.Connection, id: str) -> None:
    tx.execute("UPDATE lifecycles SET lease = NULL, leased_until = NULL WHERE id = ?", (id,))


def _dump(data: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(data)).decode()


def _item(row: sqlite3.Row) -> Item:
    return Item(
        id=row["id"],
        kind=row["kind"],
        state=row["state"],
        data=orjson.loads(row["data"]),
        message=row["message"],
        version=row["version"],
        created_at=row["created_at"],
        entered_at=row["entered_at"],
        ended_at=row["ended_at"],
        attempts=row["attempts"],
    )
