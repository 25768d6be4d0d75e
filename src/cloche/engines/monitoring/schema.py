"""The tables, and the one question that is asked of them all the time: when is the next execution?"""

from __future__ import annotations

import sqlite3
from typing import Final

DELAY_SECONDS: Final = 60.0
"""AWS begins executions 0 to 20 minutes after the hour (API_ScheduleConfig), and did so 51 seconds after it in case
mm-mq-02. Here it is always a minute: what was captured before the hour is in its files by then."""
SCHEDULE: Final = "sagemaker/MonitoringSchedule"
"""The kind of a schedule's record."""
MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "monitoring-1",
        """
        CREATE TABLE monitoring_schedules (
            arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, slot REAL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX monitoring_schedules_due ON monitoring_schedules (slot) WHERE slot IS NOT NULL;
        CREATE TABLE monitoring_executions (
            id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, schedule TEXT NOT NULL,
            endpoint TEXT, definition TEXT, type TEXT NOT NULL, scheduled_at REAL NOT NULL, created_at REAL NOT NULL,
            modified_at REAL NOT NULL, status TEXT NOT NULL, job TEXT, reason TEXT, output TEXT
        ) STRICT;
        CREATE INDEX monitoring_executions_by_creation
            ON monitoring_executions (account, region, created_at, id);
        CREATE INDEX monitoring_executions_by_schedule
            ON monitoring_executions (account, region, schedule, created_at, id);
        CREATE TABLE monitoring_alerts (
            arn TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, created_at REAL NOT NULL,
            modified_at REAL NOT NULL, status TEXT NOT NULL, datapoints INTEGER NOT NULL, period INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE monitoring_alert_history (
            number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL,
            schedule TEXT NOT NULL, name TEXT NOT NULL, created_at REAL NOT NULL, status TEXT NOT NULL
        ) STRICT;
        CREATE INDEX monitoring_alert_history_by_creation
            ON monitoring_alert_history (account, region, created_at, number);
        """,
    )
]


def next_slot(connection: sqlite3.Connection) -> float | None:
    found: float | None = connection.execute(
        "SELECT min(slot) FROM monitoring_schedules WHERE slot IS NOT NULL"
    ).fetchone()[0]
    return found
