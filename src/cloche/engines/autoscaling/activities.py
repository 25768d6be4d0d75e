"""The history of scaling: rows that are written with what they tell, and kept for six weeks."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any, Final

import orjson

from cloche.engines.autoscaling.dimensions import Dimension
from cloche.engines.autoscaling.machine import FAILED, IN_PROGRESS, PENDING, SUCCESSFUL
from cloche.engines.autoscaling.schema import HISTORY_SECONDS
from cloche.storage.metadata.records import Record

EXPIRED_AT_ONCE: Final = 1_000


def begin(tx: sqlite3.Connection, target: Record, description: str, cause: str, now: float) -> str:
    """Its id."""
    return _write(tx, target, now, None, PENDING, description, cause, "", None)


def note(tx: sqlite3.Connection, target: Record, description: str, cause: str, message: str, now: float) -> None:
    """What was done at once. It has no end, as AWS's examples of scheduled actions have none."""
    status = SUCCESSFUL if message.startswith("Successfully") else FAILED
    _write(tx, target, now, None, status, description, cause, message, None)


def note_not_scaled(
    tx: sqlite3.Connection, target: Record, description: str, cause: str, reason: Mapping[str, Any], now: float
) -> None:
    """What was not done, once for as long as it is for the same reason."""
    last = tx.execute(
        "SELECT cause, not_scaled FROM scaling_activities WHERE account = ? AND region = ? AND dimension = ?"
        " AND resource_id = ? ORDER BY sequence DESC LIMIT 1",
        _place(target),
    ).fetchone()
    told = orjson.dumps(reason).decode()
    if last is None or (last["cause"], last["not_scaled"]) != (cause, told):
        _write(tx, target, now, None, FAILED, description, cause, "", told)


def tell(tx: sqlite3.Connection, id: str, status: str, message: str, ended_at: float | None) -> None:
    tx.execute(
        "UPDATE scaling_activities SET status = ?, message = ?, ended_at = ? WHERE id = ?",
        (status, message, ended_at, id),
    )


def under_way(tx: sqlite3.Connection, target: Record, *states: str) -> list[str]:
    """Ids of its activities that have not ended, or that are in one of ``states``."""
    rows = tx.execute(
        "SELECT id, status FROM scaling_activities WHERE account = ? AND region = ? AND dimension = ?"
        " AND resource_id = ? AND ended_at IS NULL AND status IN (?, ?)",
        (*_place(target), PENDING, IN_PROGRESS),
    )
    return [row["id"] for row in rows if not states or row["status"] in states]


def expire(tx: sqlite3.Connection, now: float) -> bool:
    """Whether there may be more that is too old."""
    cursor = tx.execute(
        "DELETE FROM scaling_activities WHERE sequence IN"
        " (SELECT sequence FROM scaling_activities WHERE at < ? LIMIT ?)",
        (now - HISTORY_SECONDS, EXPIRED_AT_ONCE),
    )
    return cursor.rowcount == EXPIRED_AT_ONCE


def dimension_of(target: Record) -> Dimension:
    return Dimension(target.request["ScalableDimension"], target.request["ResourceId"])


def _place(target: Record) -> tuple[str, str, str, str]:
    dimension = dimension_of(target)
    return target.account, target.region, dimension.name, dimension.resource_id


def _write(
    tx: sqlite3.Connection,
    target: Record,
    at: float,
    ended_at: float | None,
    status: str,
    description: str,
    cause: str,
    message: str,
    not_scaled: str | None,
) -> str:
    id = str(uuid.uuid4())
    tx.execute(
        "INSERT INTO scaling_activities (id, account, region, dimension, resource_id, at, ended_at, status,"
        " description, cause, message, not_scaled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (id, *_place(target), at, ended_at, status, description, cause, message, not_scaled),
    )
    return id
