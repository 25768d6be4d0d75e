"""Rows of Python values, gathered into Arrow's blocks of text cells.

What comes from JSON or from a script is written as Spark writes it before its type is told: a whole number loses its
``.0`` (so it counts as Integral), ``true`` and ``false`` are booleans, ``null`` is missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from cloche_jobs.contract.failure import UserError

ROWS_MAX = 20_000
TEXT_MAX = 16 << 20
"""Characters of a block."""
WIDTH_MAX = 10_000
DEPTH_MAX = 100


class Gatherer:
    """``add`` rows; ``ready`` tells when a block should be taken."""

    def __init__(self) -> None:
        self._columns: dict[str, list[str | None]] = {}
        self._rows = 0
        self._characters = 0

    def add(self, row: Mapping[str, str | None]) -> None:
        for name, cell in row.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = []
            if len(column) < self._rows:
                column.extend([None] * (self._rows - len(column)))
            column.append(cell)
            self._characters += len(cell) if cell is not None else 1
        self._rows += 1

    @property
    def ready(self) -> bool:
        return self._rows >= ROWS_MAX or self._characters >= TEXT_MAX

    def take(self) -> Any:
        """What was added since the last time; ``None`` where that is nothing."""
        if not self._rows:
            return None
        for column in self._columns.values():
            column.extend([None] * (self._rows - len(column)))
        arrays = [pa.array(column, pa.string()) for column in self._columns.values()]
        block = pa.record_batch(arrays, list(self._columns)) if arrays else None
        self.__init__()  # type: ignore[misc]
        return block


def blocks_of(rows: Iterator[Mapping[str, str | None]]) -> Iterator[Any]:
    gatherer = Gatherer()
    for row in rows:
        gatherer.add(row)
        if gatherer.ready:
            yield gatherer.take()
    if (last := gatherer.take()) is not None:
        yield last


def cell_of(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isfinite(value):
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | Sequence):
        return json.dumps(value, default=str)
    return str(value)


def flat(document: Any, name: str = "") -> dict[str, str | None]:
    """One row of a JSON document: members of members get names with dots, items of lists numbers.

    Raises ``UserError`` beyond ``WIDTH_MAX`` cells or ``DEPTH_MAX`` levels.
    """
    row: dict[str, str | None] = {}
    _flatten(document, name, row, 0)
    return row


def _flatten(value: Any, name: str, row: dict[str, str | None], depth: int) -> None:
    if depth > DEPTH_MAX:
        raise UserError(f"a record is nested more than {DEPTH_MAX} deep")
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            _flatten(each, f"{name}.{key}" if name else str(key), row, depth + 1)
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            _flatten(each, f"{name}.{number}" if name else str(number), row, depth + 1)
    else:
        if len(row) == WIDTH_MAX:
            raise UserError(f"a record has more than {WIDTH_MAX} values")
        row[name or "value"] = cell_of(value) if value not in ({}, []) else None
