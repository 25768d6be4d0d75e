"""What is kept of alarms beside their records: history, links between them, timers of suppressions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from cloche.engines.alarms.schema import KIND
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

HISTORY_SECONDS: Final = 30 * 86_400
"""docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html: 30 days."""
EXPIRED_AT_ONCE: Final = 1_000
CONFIGURATION: Final = "ConfigurationUpdate"
STATE: Final = "StateUpdate"
ACTION: Final = "Action"


class Item(NamedTuple):
    id: int
    name: str
    type: str
    item: str
    at: float
    summary: str
    data: str


def arn_of(account: str, region: str, name: str) -> str:
    return f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"


def arn_meant(account: str, region: str, reference: str) -> str:
    """By a rule or as a suppressor: a name, or an ARN of the same account and region. Any other ARN is taken for a
    name, which no alarm has."""
    own = arn_of(account, region, "")
    return reference if reference.startswith(own) else own + reference


def _account(arn: str) -> str:
    return arn.split(":", 5)[4]


def type_of(request: Mapping[str, Any]) -> str:
    return "CompositeAlarm" if "AlarmRule" in request else "MetricAlarm"


def write_item(
    tx: sqlite3.Connection, record: Record, item: str, at: float, summary: str, data: Mapping[str, Any]
) -> None:
    tx.execute(
        "INSERT INTO alarm_history (account, region, name, type, item, at, summary, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            record.account,
            record.region,
            record.name,
            type_of(record.request),
            item,
            at,
            summary,
            orjson.dumps(data).decode(),
        ),
    )


def read_history(
    connection: sqlite3.Connection,
    account: str,
    region: str,
    *,
    name: str | None,
    types: Iterable[str],
    item: str | None,
    start: float | None,
    end: float | None,
    ascending: bool,
    after: tuple[float, int] | None,
    limit: int,
) -> list[Item]:
    """Up to ``limit`` beyond ``after`` (moment, id), by time."""
    kinds = list(types)
    conditions = ["account = ?", "region = ?", f"type IN ({', '.join('?' * len(kinds))})"]
    arguments: list[Any] = [account, region, *kinds]
    for condition, value in (("name = ?", name), ("item = ?", item), ("at >= ?", start), ("at < ?", end)):
        if value is not None:
            conditions.append(condition)
            arguments.append(value)
    if after is not None:
        conditions.append(f"(at, id) {'>' if ascending else '<'} (?, ?)")
        arguments.extend(after)
    direction = "ASC" if ascending else "DESC"
    found = connection.execute(
        "SELECT id, name, type, item, at, summary, data FROM alarm_history"  # noqa: S608 - conditions are our own
        f" WHERE {' AND '.join(conditions)} ORDER BY at {direction}, id {direction} LIMIT ?",
        (*arguments, limit),
    )
    return [Item(*row) for row in found]


def expire(tx: sqlite3.Connection, now: float) -> int:
    return tx.execute(
        "DELETE FROM alarm_history WHERE id IN (SELECT id FROM alarm_history WHERE at < ? LIMIT ?)",
        (now - HISTORY_SECONDS, EXPIRED_AT_ONCE),
    ).rowcount


# -- links -----------------------------------------------------------------------------------------------


def link(tx: sqlite3.Connection, parent: str, by_rule: Iterable[str], suppressor: str | None) -> None:
    """In place of what ``parent`` was linked to."""
    unlink(tx, parent)
    account = _account(parent)
    wanted = [(parent, child, "rule", account) for child in dict.fromkeys(by_rule)]
    if suppressor is not None:
        wanted.append((parent, suppressor, "suppressor", account))
    tx.executemany("INSERT INTO alarm_links VALUES (?, ?, ?, ?)", wanted)


def unlink(tx: sqlite3.Connection, parent: str) -> None:
    tx.execute("DELETE FROM alarm_links WHERE parent_arn = ?", (parent,))


def parents(connection: sqlite3.Connection, child: str, role: str = "rule") -> list[str]:
    rows = connection.execute(
        "SELECT parent_arn FROM alarm_links WHERE child_arn = ? AND role = ? ORDER BY parent_arn", (child, role)
    )
    return [row[0] for row in rows]


def children(connection: sqlite3.Connection, parent: str) -> list[str]:
    rows = connection.execute(
        "SELECT child_arn FROM alarm_links WHERE parent_arn = ? AND role = 'rule' ORDER BY child_arn", (parent,)
    )
    return [row[0] for row in rows]


# -- timers ----------------------------------------------------------------------------------------------


def set_timer(tx: sqlite3.Connection, arn: str, due_at: float | None) -> None:
    if due_at is None:
        tx.execute("DELETE FROM alarm_timers WHERE arn = ?", (arn,))
    else:
        tx.execute("INSERT OR REPLACE INTO alarm_timers VALUES (?, ?, ?)", (arn, _account(arn), due_at))


def next_timer(connection: sqlite3.Connection) -> float | None:
    found: float | None = connection.execute("SELECT min(due_at) FROM alarm_timers").fetchone()[0]
    return found


def timers_due(connection: sqlite3.Connection, now: float) -> list[str]:
    return [row[0] for row in connection.execute("SELECT arn FROM alarm_timers WHERE due_at <= ?", (now,))]


# -- records ---------------------------------------------------------------------------------------------


def find(connection: sqlite3.Connection, arn: str) -> Record | None:
    found = records.find_arn(connection, arn)
    return found if found is not None and found.kind == KIND else None


def every(connection: sqlite3.Connection) -> list[Record]:
    """Of all accounts."""
    rows = connection.execute("SELECT * FROM records WHERE kind = ?", (KIND,)).fetchall()
    return [records.from_row(row) for row in rows]
