"""Which trials a trial component is part of: pairs of ARNs. A component may be part of many trials, and of none."""

from __future__ import annotations

import sqlite3
from typing import Final

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "experiments-1",
        """
        CREATE TABLE trial_members (
            component TEXT NOT NULL,
            trial TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (component, trial)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX trial_members_by_trial ON trial_members (trial, component);
        """,
    ),
]


def put(tx: sqlite3.Connection, component: str, trial: str, at: float) -> None:
    """Once or again: a component that is part of the trial stays so."""
    tx.execute("INSERT OR IGNORE INTO trial_members VALUES (?, ?, ?)", (component, trial, at))


def remove(tx: sqlite3.Connection, component: str, trial: str) -> bool:
    """False where the component is not part of the trial."""
    cursor = tx.execute("DELETE FROM trial_members WHERE component = ? AND trial = ?", (component, trial))
    return cursor.rowcount > 0


def trials_of(connection: sqlite3.Connection, component: str) -> list[str]:
    rows = connection.execute("SELECT trial FROM trial_members WHERE component = ? ORDER BY at, trial", (component,))
    return [row[0] for row in rows]


def components_of(connection: sqlite3.Connection, trial: str, limit: int) -> list[str]:
    """The first that became part of it."""
    rows = connection.execute(
        "SELECT component FROM trial_members WHERE trial = ? ORDER BY at, component LIMIT ?", (trial, limit)
    )
    return [row[0] for row in rows]


def has_members(connection: sqlite3.Connection, trial: str) -> bool:
    return connection.execute("SELECT 1 FROM trial_members WHERE trial = ?", (trial,)).fetchone() is not None
