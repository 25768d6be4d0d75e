"""A queue as its engine knows it, and the row it is kept in."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import orjson

NAMED_AGAIN_AFTER_SECONDS: Final = 60
"""AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html: "you must wait at least 60 seconds before creating a
queue with the same name"."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a queue treats its messages. Defaults are AWS's (API_SetQueueAttributes.html)."""

    fifo: bool = False
    delay_seconds: int = 0
    visibility_seconds: int = 30
    wait_seconds: int = 0
    retention_seconds: int = 345_600
    content_deduplicates: bool = False
    deduplicates_in_groups: bool = False
    """Are two messages of one deduplication id, but of two groups, two messages?"""
    dead_letter_arn: str = ""
    receives_max: int = 0
    """After so many receives a message goes to the queue ``dead_letter_arn``."""


@dataclass(frozen=True, slots=True)
class Queue:
    id: int
    account: str
    region: str
    name: str
    created_at: float
    modified_at: float
    purged_at: float
    attributes: Mapping[str, str]
    """What the service keeps of it in its own words."""
    settings: Settings

    @property
    def arn(self) -> str:
        return queue_arn(self.account, self.region, self.name)


def queue_arn(account: str, region: str, name: str) -> str:
    return f"arn:aws:sqs:{region}:{account}:{name}"


def find(connection: sqlite3.Connection, account: str, region: str, name: str) -> Queue | None:
    row = connection.execute(
        "SELECT * FROM queues WHERE account = ? AND region = ? AND name = ?", (account, region, name)
    ).fetchone()
    return None if row is None else from_row(row)


def find_arn(connection: sqlite3.Connection, arn: str) -> Queue | None:
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "sqs":
        return None
    return find(connection, parts[4], parts[3], parts[5])


def find_id(connection: sqlite3.Connection, id: int) -> Queue | None:
    row = connection.execute("SELECT * FROM queues WHERE id = ?", (id,)).fetchone()
    return None if row is None else from_row(row)


def from_row(row: sqlite3.Row) -> Queue:
    columns: dict[str, Any] = dict(row)
    columns["attributes"] = orjson.loads(columns["attributes"])
    columns["settings"] = Settings(**orjson.loads(columns["settings"]))
    return Queue(**columns)


def settings_text(settings: Settings) -> str:
    """Only what differs from the defaults: a later default is every queue's that never chose."""
    changed = {f.name: value for f in fields(settings) if (value := asdict(settings)[f.name]) != f.default}
    return orjson.dumps(changed).decode()
