"""Where the filters of log groups are filed: records, by ``group:filter``; neither part has a colon."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

KIND: Final = "logs:metric-filter"
_OF_GROUP: Final = "account = ? AND region = ? AND kind = ? AND name > ? AND name < ?"


def filed_name(group: str, name: str) -> str:
    return f"{group}:{name}"


def count(connection: sqlite3.Connection, account: str, region: str, group: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM records WHERE {_OF_GROUP}", _span(account, region, group))  # noqa: S608
    return int(found.fetchone()[0])


def remove_all(tx: sqlite3.Connection, account: str, region: str, group: str) -> None:
    """Those of a group that goes."""
    tx.execute(f"DELETE FROM records WHERE {_OF_GROUP}", _span(account, region, group))  # noqa: S608


def every(connection: sqlite3.Connection) -> Iterator[Record]:
    """Of all accounts."""
    return map(records.from_row, connection.execute("SELECT * FROM records WHERE kind = ?", (KIND,)))


def _span(account: str, region: str, group: str) -> tuple[str, ...]:
    return account, region, KIND, f"{group}:", f"{group};"  # the character after the colon
