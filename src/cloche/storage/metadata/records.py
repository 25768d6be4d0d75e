"""Every noun that has a name, an ARN and a Describe is a row here: the request as the caller sent it, beside
what the engine that works on it has published.

Two hands write a record. The service keeps the validated ``request``; an engine calls ``set_status`` inside its
own transaction, so status, times and the published ``state`` never disagree with the engine's tables. Each
write moves ``version``: whatever is computed from a record may be remembered under (id, version).

Functions that take ``tx`` run inside ``database.write``; those that take ``connection`` only read, and accept
a reader or the writer's connection alike. Times are seconds since 1970, to the millisecond, as AWS's clients
see them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloche.foundation.errors import AlreadyExists, NotFound
from cloche.storage.metadata import tags
from cloche.storage.metadata.documents import from_text, to_text

MIGRATIONS: list[tuple[str, str]] = [
    (
        "records-1",
        """
        CREATE TABLE records (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            arn TEXT NOT NULL UNIQUE,
            status TEXT NOT NULL,
            created_at REAL NOT NULL,
            modified_at REAL NOT NULL,
            version INTEGER NOT NULL,
            token TEXT,
            request TEXT NOT NULL,
            state TEXT NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX records_by_name ON records (account, region, kind, name);
        CREATE INDEX records_by_creation ON records (account, region, kind, created_at, name);
        CREATE INDEX records_by_change ON records (account, region, kind, modified_at, name);
        CREATE INDEX records_by_status ON records (account, region, kind, status, created_at, name);
        CREATE UNIQUE INDEX records_by_token ON records (account, region, kind, token) WHERE token IS NOT NULL;
        CREATE TABLE tags (
            arn TEXT NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (arn, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE store_secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
        INSERT INTO store_secrets VALUES ('page-token', randomblob(32));
        """,
    ),
    *tags.MIGRATIONS,
    # A plain list is the commonest question after a description: with the version in it the index alone answers.
    (
        "records-2",
        """
        DROP INDEX records_by_creation;
        CREATE INDEX records_by_creation ON records (account, region, kind, created_at, name, version);
        """,
    ),
]


@dataclass(frozen=True, slots=True)
class Record:
    """One row. ``request`` and ``state`` are documents of their own; change neither in place."""

    id: int
    account: str
    region: str
    kind: str
    name: str
    arn: str
    status: str
    """Empty for nouns that have none."""
    created_at: float
    modified_at: float
    version: int
    token: str | None
    """The idempotency token it was created with."""
    request: dict[str, Any]
    """Members of the create request, with what updates have replaced since."""
    state: dict[str, Any]
    """What the engine has published about it (``set_status``); empty until it does."""


def insert(
    tx: sqlite3.Connection,
    *,
    account: str,
    region: str,
    kind: str,
    name: str,
    arn: str,
    at: float,
    request: dict[str, Any],
    token: str | None = None,
) -> Record:
    """Add a record, without status. Raises ``AlreadyExists`` for a name, ARN or token that is taken."""
    at = round(at, 3)
    try:
        cursor = tx.execute(
            "INSERT INTO records (account, region, kind, name, arn, status, created_at, modified_at, version,"
            " token, request, state) VALUES (?, ?, ?, ?, ?, '', ?, ?, 1, ?, ?, '{}')",
            (account, region, kind, name, arn, at, at, token, to_text(request)),
        )
    except sqlite3.IntegrityError:
        raise AlreadyExists(f"{kind} {name} already exists") from None
    assert cursor.lastrowid is not None
    return Record(cursor.lastrowid, account, region, kind, name, arn, "", at, at, 1, token, request, {})


def set_status(
    tx: sqlite3.Connection,
    arn: str,
    status: str | None = None,
    modified_at: float | None = None,
    *,
    state: Mapping[str, Any] | None = None,
) -> None:
    """Publish an engine's view: what is ``None`` stays as it is. Raises ``NotFound``.

    The version moves in any case, so that everything remembered of the record is computed anew.
    """
    cursor = tx.execute(
        "UPDATE records SET status = coalesce(?, status), modified_at = coalesce(?, modified_at),"
        " state = coalesce(?, state), version = version + 1 WHERE arn = ?",
        (
            status,
            None if modified_at is None else round(modified_at, 3),
            None if state is None else to_text(dict(state)),
            arn,
        ),
    )
    if cursor.rowcount == 0:
        raise NotFound(f"there is no {arn}")


def replace_request(tx: sqlite3.Connection, arn: str, request: dict[str, Any], modified_at: float) -> None:
    """Keep ``request`` in place of the one before. Raises ``NotFound``."""
    cursor = tx.execute(
        "UPDATE records SET request = ?, modified_at = ?, version = version + 1 WHERE arn = ?",
        (to_text(request), round(modified_at, 3), arn),
    )
    if cursor.rowcount == 0:
        raise NotFound(f"there is no {arn}")


def remove(tx: sqlite3.Connection, arn: str) -> None:
    """Delete the record and its tags; nothing happens if it is not there."""
    tags.remove_all(tx, arn)
    tx.execute("DELETE FROM records WHERE arn = ?", (arn,))


def find(connection: sqlite3.Connection, account: str, region: str, kind: str, name: str) -> Record | None:
    row = connection.execute(
        "SELECT * FROM records WHERE account = ? AND region = ? AND kind = ? AND name = ?",
        (account, region, kind, name),
    ).fetchone()
    return None if row is None else from_row(row)


def find_arn(connection: sqlite3.Connection, arn: str) -> Record | None:
    row = connection.execute("SELECT * FROM records WHERE arn = ?", (arn,)).fetchone()
    return None if row is None else from_row(row)


def find_held(connection: sqlite3.Connection, arn: str, kind: str, account: str, region: str) -> Record | None:
    """The record of ``arn`` if it is of that kind and lies there: an ARN that a stranger names finds nothing."""
    found = find_arn(connection, arn)
    is_held = found is not None and (found.kind, found.account, found.region) == (kind, account, region)
    return found if is_held else None


def find_token(connection: sqlite3.Connection, account: str, region: str, kind: str, token: str) -> Record | None:
    row = connection.execute(
        "SELECT * FROM records WHERE account = ? AND region = ? AND kind = ? AND token = ?",
        (account, region, kind, token),
    ).fetchone()
    return None if row is None else from_row(row)


def read_by_id(connection: sqlite3.Connection, record_id: int) -> Record | None:
    row = connection.execute("SELECT * FROM records WHERE id = ?", (record_id,)).fetchone()
    return None if row is None else from_row(row)


def find_version(
    connection: sqlite3.Connection, account: str, region: str, kind: str, name: str
) -> tuple[int, int] | None:
    """(id, version), the cheapest question that can be asked of a record."""
    row = connection.execute(
        "SELECT id, version FROM records WHERE account = ? AND region = ? AND kind = ? AND name = ?",
        (account, region, kind, name),
    ).fetchone()
    return None if row is None else (row[0], row[1])


def from_row(row: sqlite3.Row) -> Record:
    """The record in a row of all columns."""
    columns: dict[str, Any] = dict(row)
    columns["request"] = from_text(columns["request"])
    columns["state"] = from_text(columns["state"])
    return Record(**columns)


def page_secret(connection: sqlite3.Connection) -> bytes:
    """The store's own key under which page tokens are signed."""
    row = connection.execute("SELECT value FROM store_secrets WHERE name = 'page-token'").fetchone()
    return bytes(row[0])
