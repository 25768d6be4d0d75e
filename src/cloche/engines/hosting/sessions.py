"""Stateful sessions: which instance holds which, until when.

A session's id and its end are the model's to say; what is kept here is only the way back to the instance that said
it. Kept durably, because model servers outlive this server and their sessions with them. A session ends with its
time, by the model's word, or with its process.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.engines.hosting.router import Key
from cloche.foundation.clock import Clock
from cloche.storage.metadata.database import Database

MIGRATIONS: Final = [
    (
        "hosting-2",
        """
    CREATE TABLE hosting_sessions (
        account TEXT NOT NULL, region TEXT NOT NULL, endpoint TEXT NOT NULL, id TEXT NOT NULL,
        process TEXT NOT NULL, ends_at REAL NOT NULL,
        PRIMARY KEY (account, region, endpoint, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX hosting_sessions_by_process ON hosting_sessions (process);
    """,
    )
]


class Sessions:
    """Every method may wait for the disk: call it from a thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def open(self, key: Key, id: str, process: str, ends_at: float) -> None:
        now = self._clock.time()

        def change(tx: sqlite3.Connection) -> None:
            tx.execute("DELETE FROM hosting_sessions WHERE ends_at <= ?", (now,))
            tx.execute(
                "INSERT OR REPLACE INTO hosting_sessions VALUES (?, ?, ?, ?, ?, ?)", (*key, id, process, ends_at)
            )

        self._database.write(change)

    def process(self, key: Key, id: str) -> str | None:
        """The process that holds the session, if it goes on."""
        row = self._database.reader.execute(
            "SELECT process FROM hosting_sessions"
            " WHERE account = ? AND region = ? AND endpoint = ? AND id = ? AND ends_at > ?",
            (*key, id, self._clock.time()),
        ).fetchone()
        return None if row is None else str(row["process"])

    def close(self, key: Key, id: str) -> None:
        statement = "DELETE FROM hosting_sessions WHERE account = ? AND region = ? AND endpoint = ? AND id = ?"
        self._database.write(lambda tx: tx.execute(statement, (*key, id)) and None)

    def forget(self, process: str) -> None:
        """The process has ended, and what it held with it."""
        if self._database.reader.execute("SELECT 1 FROM hosting_sessions WHERE process = ?", (process,)).fetchone():
            statement = "DELETE FROM hosting_sessions WHERE process = ?"
            self._database.write(lambda tx: tx.execute(statement, (process,)) and None)
