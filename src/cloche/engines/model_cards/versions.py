"""Every version of each model card, by the card's ARN and a number that counts from 1."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from cloche.storage.metadata.documents import from_text, to_text

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "model-cards-1",
        """
        CREATE TABLE model_card_versions (
            account TEXT NOT NULL,
            arn TEXT NOT NULL,
            version INTEGER NOT NULL,
            status TEXT NOT NULL,
            content TEXT NOT NULL,
            created_at REAL NOT NULL,
            modified_at REAL NOT NULL,
            modified_by TEXT NOT NULL,
            PRIMARY KEY (arn, version)
        ) STRICT, WITHOUT ROWID;
        """,
    )
]


@dataclass(frozen=True, slots=True)
class CardVersion:
    account: str
    arn: str
    version: int
    status: str
    content: str
    created_at: float
    modified_at: float
    modified_by: dict[str, Any]
    """Who wrote it, or last changed its approval, in the words of the caller."""


def add(
    tx: sqlite3.Connection, account: str, arn: str, status: str, content: str, by: dict[str, Any], at: float
) -> int:
    """The number of the new version."""
    (last,) = tx.execute("SELECT coalesce(max(version), 0) FROM model_card_versions WHERE arn = ?", (arn,)).fetchone()
    at = round(at, 3)
    row = (account, arn, last + 1, status, content, at, at, to_text(by))
    tx.execute("INSERT INTO model_card_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return int(last) + 1


def set_status(tx: sqlite3.Connection, arn: str, version: int, status: str, by: dict[str, Any], at: float) -> None:
    tx.execute(
        "UPDATE model_card_versions SET status = ?, modified_by = ?, modified_at = ? WHERE arn = ? AND version = ?",
        (status, to_text(by), round(at, 3), arn, version),
    )


def find(connection: sqlite3.Connection, arn: str, version: int | None = None) -> CardVersion | None:
    """The newest where no number is given."""
    row = connection.execute(
        "SELECT * FROM model_card_versions WHERE arn = ?1 AND (?2 IS NULL OR version = ?2)"
        " ORDER BY version DESC LIMIT 1",
        (arn, version),
    ).fetchone()
    return None if row is None else from_row(row)


def remove(tx: sqlite3.Connection, arn: str) -> None:
    tx.execute("DELETE FROM model_card_versions WHERE arn = ?", (arn,))


def from_row(row: sqlite3.Row) -> CardVersion:
    columns: dict[str, Any] = dict(row)
    columns["modified_by"] = from_text(columns["modified_by"])
    return CardVersion(**columns)
