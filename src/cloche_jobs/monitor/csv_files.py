"""Datasets of CSV files, read as Spark reads them for AWS.

Every cell is text; an empty one is missing, ``""`` is not. Rows that are too short are filled up, of those that are too
long the rest is dropped (Spark's ``PERMISSIVE`` mode): both come after the others. Source:
spark.apache.org/docs/latest/sql-data-sources-csv.html.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv

from cloche_jobs.contract.failure import UserError

BLOCK_BYTES = 8 << 20


def blocks(paths: Sequence[Path], *, header: bool) -> Iterator[Any]:
    """Arrow record batches of strings, one file after the other. Raises ``UserError``."""
    for path in paths:
        first = _first_row(path)
        if first is not None:
            names = safe_names(first) if header else [f"_c{number}" for number in range(len(first))]
            yield from _blocks_of(path, names, header)


def safe_names(header: Sequence[str]) -> list[str]:
    """Spark's names: an empty one becomes ``_c3``, one that occurs twice gets its number at the end, each time."""
    folded = [name.lower() for name in header]
    return [
        f"_c{number}" if not name else f"{name}{number}" if folded.count(name.lower()) > 1 else name
        for number, name in enumerate(header)
    ]


def _first_row(path: Path) -> list[str] | None:
    """``None`` where the file has no row."""
    with pa.input_stream(str(path), compression="detect") as stream:
        start = stream.read(1 << 20).decode("utf-8-sig", errors="replace")
    rows = csv.reader(start.splitlines())
    return next((row for row in itertools.islice(rows, 1_000) if row), None)


def _blocks_of(path: Path, names: list[str], header: bool) -> Iterator[Any]:
    uneven: list[list[str]] = []

    def set_aside(row: Any) -> str:
        cells = next(csv.reader([row.text]), [])
        uneven.append((cells + [""] * len(names))[: len(names)])
        return "skip"

    try:
        reader = arrow_csv.open_csv(
            pa.input_stream(str(path), compression="detect"),
            read_options=arrow_csv.ReadOptions(
                block_size=BLOCK_BYTES, column_names=names, skip_rows_after_names=1 if header else 0
            ),
            parse_options=arrow_csv.ParseOptions(invalid_row_handler=set_aside),
            convert_options=_as_text(names),
        )
        for block in reader:
            yield block
            if len(uneven) >= 10_000:
                yield _block_of(uneven, names)
                uneven.clear()
    except pa.ArrowInvalid as error:
        raise UserError(f"{path.name} is not CSV: {str(error).splitlines()[0]}") from error
    if uneven:
        yield _block_of(uneven, names)


def block_of_lines(lines: Sequence[str], width: int) -> Any:
    """A record batch of lines without quotes, ``width`` cells each; the columns are ``_c0``, ``_c1``, …"""
    names = [f"_c{number}" for number in range(width)]
    text = "\n".join(lines).encode("utf-8", "replace")
    table = arrow_csv.read_csv(
        pa.BufferReader(text),
        read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(text) + 1),
        parse_options=arrow_csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=_as_text(names),
    )
    return table.combine_chunks().to_batches()[0]


def _as_text(names: Sequence[str]) -> Any:
    return arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        strings_can_be_null=True,
        null_values=[""],
        quoted_strings_can_be_null=False,
    )


def _block_of(rows: Sequence[Sequence[str]], names: Sequence[str]) -> Any:
    columns = zip(*rows, strict=True)
    return pa.record_batch([pa.array([cell or None for cell in column], pa.string()) for column in columns], names)
