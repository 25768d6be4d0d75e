"""The tables of events.

Buses and rules are records. ``event_targets`` holds a rule's targets in the service's own words. ``event_deliveries``
is the outbox: one row for each target of each rule that an event matched, written in the transaction that accepted the
event and removed in the one that delivered it, or that gave it up. ``event_schedules`` holds the next occurrence of
what has a schedule, ``archived_events`` what archives keep.
"""

from __future__ import annotations

from typing import Final

PIPE: Final = "pipes/Pipe"
PIPES: Final = "FROM records WHERE kind || '' = 'pipes/Pipe'"
ARCHIVES: Final = "FROM records WHERE kind || '' = 'events/Archive'"
REPLAYS: Final = "FROM records WHERE kind || '' = 'events/Replay'"
"""Those of all accounts, by indexes of their own: these are asked for again and again, whatever else is kept."""
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
    (
        "events-2",
        """
        CREATE TABLE event_schedules (
            arn TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            due_at REAL NOT NULL,
            occurs_at REAL NOT NULL,
            plan TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX event_schedules_by_time ON event_schedules (due_at, arn);
        CREATE TABLE archived_events (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            archive_arn TEXT NOT NULL,
            at REAL NOT NULL,
            kept_at REAL NOT NULL,
            event TEXT NOT NULL
        ) STRICT;
        CREATE INDEX archived_events_by_time ON archived_events (archive_arn, at, id);
        CREATE INDEX archived_events_by_age ON archived_events (archive_arn, kept_at);
        """,
    ),
    (
        "events-3",
        """
        CREATE INDEX records_of_pipes ON records (arn) WHERE kind = 'pipes/Pipe';
        CREATE INDEX records_of_archives ON records (arn) WHERE kind = 'events/Archive';
        CREATE INDEX records_of_replays ON records (status, version) WHERE kind = 'events/Replay';
        """,
    ),
    (
        "events-4",
        """
        CREATE TABLE event_bus_policies (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            bus TEXT NOT NULL,
            policy TEXT NOT NULL,
            PRIMARY KEY (account, region, bus)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
    (
        "events-5",
        # An index whose condition compares ``kind`` itself has SQLite compile every statement with ``kind = ?`` anew
        # when the value is bound: it asks whether the index may be used. That was a fifth of a description's time.
        """
        DROP INDEX records_of_pipes;
        DROP INDEX records_of_archives;
        DROP INDEX records_of_replays;
        CREATE INDEX records_of_pipes ON records (arn) WHERE kind || '' = 'pipes/Pipe';
        CREATE INDEX records_of_archives ON records (arn) WHERE kind || '' = 'events/Archive';
        CREATE INDEX records_of_replays ON records (status, version) WHERE kind || '' = 'events/Replay';
        """,
    ),
]
