"""How far each subscription has come in each stream; the filters themselves are records.

A stream without a row was made after the subscription, and is read from its beginning.
"""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "log-subscriptions-1",
        """
        CREATE TABLE log_subscription_places (
            subscription TEXT NOT NULL,
            stream_id INTEGER NOT NULL,
            account TEXT NOT NULL,
            ordinal INTEGER NOT NULL,
            PRIMARY KEY (subscription, stream_id)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
]
