"""Alerts of schedules: M of the last N executions failed.

"After every monitoring execution, the number of failures are counted within the Evaluation period … If the number of
failures meets or exceeds the Datapoints to alert value, the monitor raises an alert and remains in alert status until
the number of failures within the Evaluation period becomes less", also while there have been fewer executions than the
period has (docs.aws.amazon.com/sagemaker/latest/dg/model-dashboard-alerts.html). A failure is an execution that found
violations or that failed itself: in neither case is it known that all is well.

AWS does not document the names and the first numbers of its alerts; here each schedule has one, ``Violations``, which
rings at the first failure.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from cloche.engines.monitoring.machine import COMPLETED, FAILED, VIOLATED
from cloche.storage.metadata.records import Record

NAME: Final = "Violations"
OK, IN_ALERT = "OK", "InAlert"
_COUNTED: Final = (COMPLETED, VIOLATED, FAILED)


@dataclass(frozen=True, slots=True)
class Alert:
    arn: str
    """The schedule's."""
    account: str
    name: str
    created_at: float
    modified_at: float
    status: str
    datapoints: int
    period: int


def create(tx: sqlite3.Connection, arn: str, account: str, now: float) -> None:
    tx.execute(
        "INSERT OR IGNORE INTO monitoring_alerts VALUES (?, ?, ?, ?, ?, ?, 1, 1)", (arn, account, NAME, now, now, OK)
    )


def read(connection: sqlite3.Connection, arn: str) -> Alert | None:
    row = connection.execute("SELECT * FROM monitoring_alerts WHERE arn = ?", (arn,)).fetchone()
    return None if row is None else Alert(**dict(row))


def update(tx: sqlite3.Connection, schedule: Record, datapoints: int, period: int, now: float) -> None:
    """Other numbers, which count at once."""
    tx.execute(
        "UPDATE monitoring_alerts SET datapoints = ?, period = ?, modified_at = ? WHERE arn = ?",
        (datapoints, period, now, schedule.arn),
    )
    evaluate(tx, schedule, now)


def evaluate(tx: sqlite3.Connection, schedule: Record, now: float) -> None:
    """After an execution has ended. A change of status is history."""
    alert = read(tx, schedule.arn)
    if alert is None:
        return
    marks = ", ".join("?" * len(_COUNTED))
    failures = tx.execute(
        f"SELECT count(*) FROM (SELECT status FROM monitoring_executions WHERE account = ? AND region = ?"  # noqa: S608
        f" AND schedule = ? AND created_at >= ? AND status IN ({marks}) ORDER BY created_at DESC, id DESC LIMIT ?)"
        " WHERE status != ?",
        (
            schedule.account,
            schedule.region,
            schedule.name,
            schedule.created_at,
            *_COUNTED,
            alert.period,
            COMPLETED,
        ),
    ).fetchone()[0]
    status = IN_ALERT if failures >= alert.datapoints else OK
    if status != alert.status:
        tx.execute("UPDATE monitoring_alerts SET status = ?, modified_at = ? WHERE arn = ?", (status, now, alert.arn))
        tx.execute(
            "INSERT INTO monitoring_alert_history (account, region, schedule, name, created_at, status)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (schedule.account, schedule.region, schedule.name, alert.name, round(now, 3), status),
        )
