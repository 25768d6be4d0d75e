"""The tables of alarms.

Alarms are records of the kind ``KIND``: the request beside the state. ``alarm_links`` says which composite alarms look
at an alarm, by their rule or as their suppressor; ``alarm_timers`` when a suppression ends by itself.
"""

from __future__ import annotations

from typing import Final

KIND: Final = "cloudwatch:alarm"

ALARMS_MAX: Final = 5_000
"""docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html: of metric alarms, per Region; the
same number for composite ones."""

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "alarms-1",
        """
        CREATE TABLE alarm_history (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            type TEXT NOT NULL,
            item TEXT NOT NULL,
            at REAL NOT NULL,
            summary TEXT NOT NULL,
            data TEXT NOT NULL
        ) STRICT;
        CREATE INDEX alarm_history_by_name ON alarm_history (account, region, name, at, id);
        CREATE INDEX alarm_history_by_time ON alarm_history (account, region, at, id);
        CREATE INDEX alarm_history_by_age ON alarm_history (at);
        CREATE TABLE alarm_links (
            parent_arn TEXT NOT NULL,
            child_arn TEXT NOT NULL,
            role TEXT NOT NULL,
            account TEXT NOT NULL,
            PRIMARY KEY (child_arn, role, parent_arn)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX alarm_links_by_parent ON alarm_links (parent_arn);
        CREATE TABLE alarm_timers (
            arn TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            due_at REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX alarm_timers_by_time ON alarm_timers (due_at);
        """,
    ),
]
