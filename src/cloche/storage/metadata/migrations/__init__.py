"""Append-only schema changes. Each floor that owns tables brings its own list; what was applied is recorded.

A migration is ``(name, SQL script)``. Names are applied in the order given, once. A data directory that has
seen a migration this version does not know was written by a newer Cloche: it is refused, untouched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from cloche.foundation.errors import Conflict
from cloche.storage.metadata.database import Database

Migration = tuple[str, str]


def migrate(database: Database, migrations: Sequence[Migration], *, of: int = 0) -> None:
    """Bring the schema up to date. Raises ``Conflict`` for a store written by a newer version.

    ``of``: these are only some of so many that there are; the rest comes later.
    """
    database.write(lambda tx: _migrate(tx, migrations, of))


def _migrate(tx: sqlite3.Connection, migrations: Sequence[Migration], of: int) -> None:
    tx.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL) STRICT")
    applied = {row["name"] for row in tx.execute("SELECT name FROM migrations")}
    unknown = applied - {name for name, _ in migrations}
    if unknown if not of else len(applied) > of:
        more = f"{len(applied) - of} more migrations" if of else ", ".join(sorted(unknown))
        raise Conflict(
            "this data directory was written by a newer version of Cloche "
            f"(it knows of {more}); start that version, or choose another --data"
        )
    for name, script in migrations:
        if name in applied:
            continue
        for statement in script.split(";\n"):
            if statement.strip():
                tx.execute(statement)
        tx.execute("INSERT INTO migrations VALUES (?, strftime('%Y-%m-%dT%H:%M:%fZ'))", (name,))
