"""Where the filters of log groups are filed: records, by ``group:filter``; neither part has a colon."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

METRIC: Final = "logs:metric-filter"
SUBSCRIPTION: Final = "logs:subscription-filter"
_OF_GROUP: Final = "account = ? AND region = ? AND kind = ? AND name > ? AND name < ?"


def filed_name(group: str, name: str) -> str:
    return f"{group}:{name}"


def count(connection: sqlite3.Connection, kind: str, account: str, region: str, group: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM records WHERE {_OF_GROUP}", _span(kind, account, region, group))  # noqa: S608
    return int(found.fetchone()[0])


def of_group(connection: sqlite3.Connection, kind: str, account: str, region: str, group: str) -> list[Record]:
    rows = connection.execute(f"SELECT * FROM records WHERE {_OF_GROUP}", _span(kind, account, region, group))  # noqa: S608
    return [records.from_row(row) for row in rows]


def remove_all(tx: sqlite3.Connection, account: str, region: str, group: str) -> None:
    """Those of a group that goes, of every kind."""
    for kind in (METRIC, SUBSCRIPTION):
        tx.execute(f"DELETE FROM records WHERE {_OF_GROUP}", _span(kind, account, region, group))  # noqa: S608


def every(connection: sqlite3.Connection, kind: str) -> Iterator[Record]:
    """Of all accounts."""
    return map(records.from_row, connection.execute("SELECT * FROM records WHERE kind = ?", (kind,)))


def _span(kind: str, account: str, region: str, group: str) -> tuple[str, ...]:
    return account, region, kind, f"{group}:", f"{group};"  # the character after the colon
