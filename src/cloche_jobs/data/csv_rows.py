"""CSV text to a table.

AWS hands the files to the engine's own text reader, which takes whatever is no number for a missing value, without
a word. Cloche reads them itself: the numbers are the same, and what is no number ends the job with the file, row
and column named. One thing is kept as AWS has it, because a recorded run depends on it: a header line becomes a row
with label 0 and every feature missing. The log warns of it.
"""

from __future__ import annotations

import csv
import logging

from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.sources import Source
from cloche_jobs.data.table import Array, Table, numpy, shown

log = logging.getLogger(__name__)


def read_csv(sources: list[Source], *, weights: bool = False) -> Table:
    """All sources in order. Label first, then (with ``weights``) the row's weight. Raises ``UserError``."""
    delimiters = [delimiter_of(source) for source in sources]
    tables: list[Array] = []
    for source in sources:
        table = _quick(source, delimiters[0])
        if table is None:
            table = _careful(source, delimiters[0])
        if tables and table.shape[1] != tables[0].shape[1]:
            raise UserError(
                f"{source.name} has {table.shape[1]} columns where {sources[0].name} has {tables[0].shape[1]}."
            )
        _check_finite(source, table)
        tables.append(table)
    whole = tables[0] if len(tables) == 1 else numpy.concatenate(tables)
    first = 2 if weights else 1
    if whole.shape[1] <= first:
        raise UserError(f"{sources[0].name} has no feature columns: only {whole.shape[1]} column(s) in all.")
    return Table(numpy.ascontiguousarray(whole[:, first:]), whole[:, 0].copy(), whole[:, 1].copy() if weights else None)


def delimiter_of(source: Source) -> str:
    """Sniffed from the first line. Raises ``UserError`` in AWS's words."""
    with source.text(encoding="utf-8-sig") as stream:
        line = stream.readline(65_536)
    try:
        delimiter = csv.Sniffer().sniff(line).delimiter
    except csv.Error as error:
        raise UserError(f"Could not determine delimiter on line {line[:50]}:\n{error}") from error
    if (delimiter.isalnum() or delimiter in ".+-") and "," in line:
        delimiter = ","
    log.info("Determined delimiter of CSV input is '%s'", delimiter)
    return delimiter


def _quick(source: Source, delimiter: str) -> Array | None:
    """The whole source by numpy's C reader; ``None`` when anything in it is no number or rows differ in length."""
    text = source.path or source.text(encoding="utf-8-sig")
    try:
        return numpy.loadtxt(
            text, delimiter=delimiter, dtype=numpy.float32, ndmin=2, comments=None, encoding="utf-8-sig"
        )
    except ValueError:
        return None


def _careful(source: Source, delimiter: str) -> Array:
    """Row by row, with empty cells as missing values and a header as AWS has it."""
    rows: list[list[float]] = []
    with source.text(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            cells = line.rstrip("\r\n").split(delimiter)
            if rows and len(cells) != len(rows[0]):
                raise UserError(
                    f"Malformed CSV: {source.name}, row {number} has {len(cells)} columns instead of {len(rows[0])}."
                )
            try:
                rows.append([float(cell) if cell else numpy.nan for cell in cells])
            except ValueError:
                rows.append(_header(source, line, cells) if number == 1 else _telling(source, number, cells))
            if rows[-1][0] != rows[-1][0]:
                raise UserError(f"Malformed CSV: {source.name}, row {number}, column 1: the label is missing.")
    if not rows:
        raise UserError(f"{source.name} holds no rows.")
    return numpy.array(rows, dtype=numpy.float32)


def _header(source: Source, line: str, cells: list[str]) -> list[float]:
    if any(_is_number(cell) for cell in cells if cell.strip()):
        return _telling(source, 1, cells)
    log.warning(
        "The first line of %s looks like a header: %s. As on AWS it is taken as data, a row with label 0 whose "
        "features are all missing. Remove it from the file.",
        source.name,
        line.strip()[:80],
    )
    return [0.0] + [numpy.nan] * (len(cells) - 1)


def _telling(source: Source, number: int, cells: list[str]) -> list[float]:
    """Values of a row with white space for empty cells; raises ``UserError`` for the first that is no number."""
    values = []
    for column, cell in enumerate(cells, 1):
        if not cell.strip():
            values.append(numpy.nan)
        elif _is_number(cell):
            values.append(float(cell))
        else:
            raise UserError(
                f"Malformed CSV: {source.name}, row {number}, column {column}: {shown(cell)} is not a number."
            )
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_finite(source: Source, table: Array) -> None:
    """The engine refuses infinities in data and NaN in labels without saying where."""
    if not numpy.isfinite(table[:, 0]).all():
        row = int(numpy.flatnonzero(~numpy.isfinite(table[:, 0]))[0])
        raise UserError(
            f"Malformed CSV: {source.name}, data row {row + 1}, column 1: the label is missing or infinite."
        )
    infinite = numpy.isinf(table)
    if infinite.any():
        row, column = (int(at[0]) for at in numpy.nonzero(infinite))
        raise UserError(
            f"Malformed CSV: {source.name}, data row {row + 1}, column {column + 1}: the value is infinite."
        )
