"""Request bodies to rows of numbers, with the standard library alone: for one row that is the quickest."""

from __future__ import annotations

import csv
import math
from typing import Final

Rows = list[list[float]]
_CELLS_MAX: Final = 20_000_000
_FLOAT_MAX: Final = 3.4028234663852886e38


def parse_csv(body: bytes) -> Rows:
    """Empty cells are missing values. Raises ``ValueError`` (``UnicodeDecodeError`` is one)."""
    lines = body.decode("utf-8").strip().split("\n")
    delimiter = "," if "," in lines[0] else _sniffed(lines[0])
    rows = [[float(cell or "nan") for cell in line.strip("\r").split(delimiter)] for line in lines]
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number} has {len(row)} columns instead of {len(rows[0])}")
        total = sum(row)
        if total - total != 0 and any(abs(value) > _FLOAT_MAX for value in row):
            raise ValueError("Input data contains `inf` or a value too large")
    return rows


def _sniffed(line: str) -> str:
    """A line without commas: one column, or one of the other delimiters that AWS's sniffer knows."""
    try:
        float(line)
    except ValueError:
        delimiter = csv.Sniffer().sniff(line[:512]).delimiter
        return "," if delimiter.isalnum() else delimiter
    return ","


def parse_libsvm(body: bytes) -> Rows:
    """What is not named is missing; indices that start at 1 are shifted, as AWS shifts them. Raises ``ValueError``."""
    named: list[dict[int, float]] = []
    for line in body.decode("utf-8").strip().split("\n"):
        pairs = (item.split(":") for item in line.split() if ":" in item)
        named.append({int(pair[0]): float(pair[1]) for pair in pairs})
    indices = [index for row in named for index in row]
    shift = 1 if indices and min(indices) >= 1 else 0
    columns = max(indices, default=0) - shift + 1
    if indices and (min(indices) < 0 or columns * len(named) > _CELLS_MAX):
        raise ValueError("an index is negative or far beyond any model's features")
    rows = [[math.nan] * columns for _ in named]
    for row, values in zip(rows, named, strict=True):
        for index, value in values.items():
            row[index - shift] = value
    return rows
