"""Rows of schedules, executions and alerts. What an execution is at now stands in its lifecycle; these rows are what
lists are answered from, and stay when a schedule is deleted ("does not delete the job execution history",
API_DeleteMonitoringSchedule). Functions that take ``tx`` run inside ``Database.write``. Times: seconds since 1970.
"""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, dataclass
from typing import Any

from cloche.storage.metadata import records


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    id: str
    account: str
    region: str
    schedule: str
    """Its name."""
    endpoint: str | None
    definition: str | None
    type: str
    scheduled_at: float
    created_at: float
    modified_at: float
    status: str
    job: str | None = None
    """The ARN of the processing job that runs, or ran last."""
    reason: str | None = None
    output: str | None = None
    """The S3 folder of its results."""


def row_from(row: sqlite3.Row) -> ExecutionRow:
    return ExecutionRow(**dict(row))


def set_slot(tx: sqlite3.Connection, record: records.Record, slot: float | None) -> None:
    """The moment the schedule's next execution is for; ``None``: there is none."""
    tx.execute(
        "INSERT INTO monitoring_schedules VALUES (?, ?, ?, ?, ?) ON CONFLICT (arn) DO UPDATE SET slot = excluded.slot",
        (record.arn, record.account, record.region, record.name, slot),
    )


def due(connection: sqlite3.Connection, until: float) -> list[tuple[str, float]]:
    """(ARN, slot) of schedules whose slot is not later than ``until``, in order."""
    found = connection.execute(
        "SELECT arn, slot FROM monitoring_schedules WHERE slot <= ? ORDER BY slot, name", (until,)
    )
    return [(row[0], row[1]) for row in found]


def forget_schedule(tx: sqlite3.Connection, arn: str) -> None:
    """Its executions and the alerts' history stay."""
    tx.execute("DELETE FROM monitoring_schedules WHERE arn = ?", (arn,))
    tx.execute("DELETE FROM monitoring_alerts WHERE arn = ?", (arn,))


def add_execution(tx: sqlite3.Connection, row: ExecutionRow) -> None:
    values = astuple(row)
    tx.execute(f"INSERT INTO monitoring_executions VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608


def change_execution(
    tx: sqlite3.Connection, id: str, at: float, status: str, job: str | None, reason: str | None
) -> ExecutionRow | None:
    tx.execute(
        "UPDATE monitoring_executions SET modified_at = ?, status = ?, job = coalesce(?, job), reason = ? WHERE id = ?",
        (round(at, 3), status, job, reason, id),
    )
    row = tx.execute("SELECT * FROM monitoring_executions WHERE id = ?", (id,)).fetchone()
    return None if row is None else row_from(row)


def latest(connection: sqlite3.Connection, account: str, region: str, schedule: str, count: int) -> list[ExecutionRow]:
    """The newest first."""
    found = connection.execute(
        "SELECT * FROM monitoring_executions WHERE account = ? AND region = ? AND schedule = ?"
        " ORDER BY created_at DESC, id DESC LIMIT ?",
        (account, region, schedule, count),
    )
    return [row_from(row) for row in found]


def summary(row: ExecutionRow) -> dict[str, Any]:
    """As it is kept in the schedule's record."""
    return {
        "scheduled_at": row.scheduled_at,
        "created_at": row.created_at,
        "modified_at": row.modified_at,
        "status": row.status,
        "job": row.job,
        "endpoint": row.endpoint,
        "reason": row.reason,
        "definition": row.definition,
        "type": row.type,
    }
