"""Walking a table page by page without counting rows.

A page begins after the *last key* of the one before it, found through an index; so page a thousand costs what
page one does, and a row written or removed meanwhile neither repeats nor hides its neighbours. The key must be
unique, which is why every order here ends in a column that is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows of ``table`` that meet ``conditions`` (all joined by AND), in the order of ``key``."""

    table: str
    key: tuple[str, ...]
    """Columns of the order; together unique among the rows the conditions leave."""
    descending: bool = False
    conditions: tuple[str, ...] = ()
    arguments: tuple[Any, ...] = field(default=())
    columns: str = "*"


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[sqlite3.Row]
    last: Key | None
    """The key to go on from; ``None`` when nothing follows."""


def read_page(connection: sqlite3.Connection, walk: Walk, *, after: Sequence[Any] | None, size: int) -> Page:
    """The first ``size`` rows beyond ``after``. One further row is looked at, to know whether any follows."""
    arguments = walk.arguments
    if after is not None:
        if len(after) != len(walk.key):
            raise ValueError(f"a key of {len(walk.key)} parts is needed, not {len(after)}")
        arguments = (*arguments, *after)
    sql = _statement(walk.table, walk.key, walk.descending, walk.conditions, walk.columns, after is not None)
    rows = connection.execute(sql, (*arguments, size + 1)).fetchall()
    if len(rows) <= size:
        return Page(rows, None)
    rows = rows[:size]
    return Page(rows, tuple(rows[-1][column] for column in walk.key) if rows else None)


@lru_cache(maxsize=1_024)
def _statement(
    table: str, key: tuple[str, ...], descending: bool, conditions: tuple[str, ...], columns: str, goes_on: bool
) -> str:
    if goes_on:
        conditions = (*conditions, f"({', '.join(key)}) {'<' if descending else '>'} ({', '.join('?' * len(key))})")
    direction = "DESC" if descending else "ASC"
    order = ", ".join(f"{column} {direction}" for column in key)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # Names of tables and columns are the caller's own constants; values travel as arguments only.
    return f"SELECT {columns} FROM {table}{where} ORDER BY {order} LIMIT ?"  # noqa: S608
