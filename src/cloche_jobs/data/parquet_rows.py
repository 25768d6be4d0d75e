"""Parquet to a table: the first column is the label, every column a number.

AWS hands pandas' array to the engine, which refuses text without saying where; here the column is named. Several
objects that came through one pipe lie there one after the other, each between its own two marks.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.sources import Source
from cloche_jobs.data.table import Array, Table, numpy

_MARK: Final = b"PAR1"


def read_parquet(sources: list[Source]) -> Table:
    """All sources in order. Raises ``UserError``."""
    tables: list[Array] = []
    for source in chain.from_iterable(map(_parts, sources)):
        table = _numbers(source)
        if tables and table.shape[1] != tables[0].shape[1]:
            raise UserError(
                f"{source.name} has {table.shape[1]} columns where {sources[0].name} has {tables[0].shape[1]}."
            )
        tables.append(table)
    whole = tables[0] if len(tables) == 1 else numpy.concatenate(tables)
    if whole.shape[1] < 2:
        raise UserError(f"{sources[0].name} has no feature columns: only {whole.shape[1]} column(s) in all.")
    if not len(whole):
        raise UserError(f"{sources[0].name} holds no rows.")
    if not numpy.isfinite(whole[:, 0]).all():
        row = int(numpy.flatnonzero(~numpy.isfinite(whole[:, 0]))[0])
        raise UserError(f"Row {row + 1} of the parquet data: the label is missing or infinite.")
    return Table(numpy.ascontiguousarray(whole[:, 1:]), whole[:, 0].copy())


def _parts(source: Source) -> list[Source]:
    """The files of which a pipe's content consists."""
    if source.path is not None:
        return [source]
    pieces = source.content.split(_MARK + _MARK)
    last = len(pieces) - 1
    return [
        Source(source.name, content=(_MARK if number else b"") + piece + (_MARK if number < last else b""))
        for number, piece in enumerate(pieces)
    ]


def _numbers(source: Source) -> Array:
    import pyarrow
    from pyarrow import parquet

    try:
        with source.open() as stream:
            table = parquet.read_table(stream)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"Failed to load parquet data with exception:\n{source.name}: {error}") from error
    whole = numpy.empty((table.num_rows, table.num_columns), dtype=numpy.float32)
    for number, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        whole[:, number] = _column(source, name, column)
    return whole


def _column(source: Source, name: str, column: Any) -> Array:
    import pyarrow

    kind, types = column.type, pyarrow.types
    if not (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
        or types.is_null(kind)
    ):
        raise UserError(
            f"Failed to load parquet data with exception:\n{source.name}: column {name!r} holds {kind}, not numbers"
        )
    if types.is_boolean(kind):
        column = column.cast(pyarrow.int8())
    return column.cast(pyarrow.float64()).to_numpy()
