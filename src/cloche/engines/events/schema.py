"""The tables of events.

Buses and rules are records. ``event_targets`` holds a rule's targets in the service's own words. ``event_deliveries``
is the outbox: one row for each target of each rule that an event matched, written in the transaction that accepted the
event and removed in the one that delivered it, or that gave it up.
"""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "events-1",
        """
        CREATE TABLE event_targets (
            rule_arn TEXT NOT NULL,
            id TEXT NOT NULL,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            arn TEXT NOT NULL,
            target TEXT NOT NULL,
            PRIMARY KEY (rule_arn, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX event_targets_by_arn ON event_targets (account, region, arn, rule_arn);
        CREATE TABLE event_deliveries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            rule_arn TEXT NOT NULL,
            target TEXT NOT NULL,
            event TEXT NOT NULL,
            accepted_at REAL NOT NULL,
            due_at REAL NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE INDEX event_deliveries_by_time ON event_deliveries (due_at, id);
        """,
    ),
]
