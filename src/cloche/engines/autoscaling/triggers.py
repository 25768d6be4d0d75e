"""What rings: the alarms in a state whose actions name a policy, and when each is to be looked at.

"For Auto Scaling actions, the alarm continues to invoke the action once per minute that the alarm remains in the new
state" (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions.html). One that could change nothing
until something else changes sleeps: time that is made to pass does not stop at every minute for it.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

from cloche.engines.autoscaling.activities import dimension_of
from cloche.engines.autoscaling.schema import TARGET
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

MINUTE: Final = 60.0
_COLUMNS: Final = "policy_arn, alarm_arn, target_arn, state, since"


class Trigger(NamedTuple):
    policy_arn: str
    alarm_arn: str
    target_arn: str
    state: str
    since: float
    """When the alarm went into the state."""

    def tick(self, after: float) -> float:
        """The next time that its action is taken."""
        return self.since + MINUTE * (math.floor((after - self.since) / MINUTE) + 1)


def put(tx: sqlite3.Connection, policy: Record, alarm_arn: str, target_arn: str, state: str, now: float) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO scaling_triggers VALUES (?, ?, ?, ?, ?, ?, ?)",
        (policy.arn, alarm_arn, target_arn, policy.account, state, now, now),
    )


def drop(tx: sqlite3.Connection, column: str, arn: str) -> None:
    """All of a policy, or of a target."""
    tx.execute(f"DELETE FROM scaling_triggers WHERE {column} = ?", (arn,))  # noqa: S608 - a constant


def end(tx: sqlite3.Connection, trigger: Trigger) -> None:
    tx.execute("DELETE FROM scaling_triggers WHERE policy_arn = ? AND alarm_arn = ?", trigger[:2])


def again(tx: sqlite3.Connection, trigger: Trigger, at: float) -> None:
    tx.execute("UPDATE scaling_triggers SET due_at = ? WHERE policy_arn = ? AND alarm_arn = ?", (at, *trigger[:2]))


def sleep(tx: sqlite3.Connection, those: Iterable[Trigger]) -> None:
    """Until ``wake``."""
    for trigger in those:
        tx.execute(
            "UPDATE scaling_triggers SET due_at = NULL WHERE policy_arn = ? AND alarm_arn = ?",
            trigger[:2],
        )


def postpone(tx: sqlite3.Connection, those: Iterable[Trigger], now: float) -> None:
    """To the next minute of each."""
    for trigger in those:
        again(tx, trigger, trigger.tick(now))


def wake(tx: sqlite3.Connection, target_arn: str, now: float) -> bool:
    """Those of a target that sleep: each is looked at when its minute comes. Whether there are any."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM scaling_triggers WHERE target_arn = ? AND due_at IS NULL",  # noqa: S608 - a constant
        (target_arn,),
    ).fetchall()
    for trigger in (Trigger(*row) for row in rows):
        again(tx, trigger, trigger.tick(now))
    return bool(rows)


def next_at(connection: sqlite3.Connection) -> float | None:
    row = connection.execute("SELECT min(due_at) FROM scaling_triggers").fetchone()
    return None if row[0] is None else float(row[0])


def due(connection: sqlite3.Connection, now: float) -> list[Trigger]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM scaling_triggers WHERE due_at <= ? ORDER BY due_at, policy_arn, alarm_arn",  # noqa: S608
        (now,),
    )
    return [Trigger(*row) for row in rows]


def targets(connection: sqlite3.Connection, account: str, region: str, dimension: str, resource: str) -> list[Record]:
    """Of that dimension, of an endpoint or a component of that name."""
    prefix = f"{dimension}|"
    rows = connection.execute(
        "SELECT * FROM records WHERE account = ? AND region = ? AND kind = ? AND name >= ? AND name < ? ORDER BY name",
        (account, region, TARGET, prefix, f"{dimension}}}"),  # the sign after the bar
    )
    found = [records.from_row(row) for row in rows]
    return [target for target in found if dimension_of(target).parts[0] == resource]
