"""Request bodies to rows of numbers, with the standard library alone: for one row that is the quickest."""

from __future__ import annotations

import csv
import io
import math
from typing import Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.record import VALUES, Tensor, read_records

Rows = list[list[float]]
_CELLS_MAX: Final = 20_000_000
_FLOAT_MAX: Final = 3.4028234663852886e38


def parse_csv(body: bytes) -> Rows:
    """Empty cells are missing values. Raises ``ValueError`` (``UnicodeDecodeError`` is one)."""
    text = body.decode("utf-8").strip()
    if "\n" not in text and (row := _plain_row(text)) is not None:
        return [row]
    lines = text.split("\n")
    delimiter = "," if "," in lines[0] else _sniffed(lines[0])
    rows = [[float(cell or "nan") for cell in line.strip("\r").split(delimiter)] for line in lines]
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number} has {len(row)} columns instead of {len(rows[0])}")
        total = sum(row)
        if total - total != 0 and any(abs(value) > _FLOAT_MAX for value in row):
            raise ValueError("Input data contains `inf` or a value too large")
    return rows


def _plain_row(text: str) -> list[float] | None:
    """One line of finite numbers with commas between; ``None`` for anything else, which is to be read with care."""
    try:
        row = [*map(float, text.split(","))]
    except ValueError:
        return None
    total = sum(row)
    return row if total - total == 0 else None


def _sniffed(line: str) -> str:
    """A line without commas: one column, or one of the other delimiters that AWS's sniffer knows."""
    try:
        float(line)
    except ValueError:
        delimiter = csv.Sniffer().sniff(line[:512]).delimiter
        return "," if delimiter.isalnum() else delimiter
    return ","


def parse_libsvm(body: bytes) -> Rows:
    """What is not named is missing; indices are columns as written, as they are in training. Raises ``ValueError``."""
    named: list[dict[int, float]] = []
    for line in body.decode("utf-8").strip().split("\n"):
        pairs = (item.split(":") for item in line.split() if ":" in item)
        named.append({int(pair[0]): float(pair[1]) for pair in pairs})
    indices = [index for row in named for index in row]
    columns = max(indices, default=0) + 1
    if indices and (min(indices) < 0 or columns * len(named) > _CELLS_MAX):
        raise ValueError("an index is negative or far beyond any model's features")
    rows = [[math.nan] * columns for _ in named]
    for row, values in zip(rows, named, strict=True):
        for index, value in values.items():
            row[index] = value
    return rows


def parse_protobuf(body: bytes) -> Rows:
    """What a sparse record does not name is missing. Raises ``ValueError``."""
    rows: Rows = []
    cells = 0
    try:
        for record in read_records(io.BytesIO(body)):
            tensor = record.features.get(VALUES)
            if not isinstance(tensor, Tensor):
                raise ValueError(f"record {len(rows) + 1} has no feature called {VALUES!r} that is a tensor")
            cells += _columns(tensor)
            if cells > _CELLS_MAX:
                raise ValueError("the records are far wider than any model's features")
            rows.append(_dense(tensor))
    except UserError as error:
        raise ValueError(error.message) from error
    if not rows:
        raise ValueError("No records found in RecordIO-Protobuf data")
    columns = max(map(len, rows))
    if columns * len(rows) > _CELLS_MAX:
        raise ValueError("the records are far wider than any model's features")
    return [row + [math.nan] * (columns - len(row)) for row in rows]


def _columns(tensor: Tensor) -> int:
    if not tensor.is_sparse:
        return len(tensor.values)
    return math.prod(tensor.shape) if tensor.shape else max(tensor.keys) + 1


def _dense(tensor: Tensor) -> list[float]:
    if not tensor.is_sparse:
        return list(tensor.values)
    row = [math.nan] * _columns(tensor)
    for key, value in zip(tensor.keys, tensor.values, strict=True):
        row[key] = value
    return row
