"""CSV and libsvm text to arrays.

AWS hands the files to the engine's own text reader, which takes whatever is no number for a missing value, without
a word. Cloche reads them itself: the numbers are the same, and what is no number ends the job with the file, row
and column named. One thing is kept as AWS has it, because a recorded run depends on it: a header line becomes a row
with label 0 and every feature missing. The log warns of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloche_jobs.algorithms.xgboost.engine import Array, numpy
from cloche_jobs.contract.failure import UserError

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Table:
    """``features`` is a dense float32 array or a sparse matrix; ``weights`` and ``groups`` are there or ``None``."""

    features: Any
    labels: Array
    weights: Array | None = None
    groups: Array | None = None


def read_csv(paths: list[Path], delimiter: str, *, weights: bool) -> Table:
    """All files in order. Label first, then (with ``weights``) the row's weight. Raises ``UserError``."""
    tables: list[Array] = []
    for path in paths:
        table = _quick(path, delimiter)
        if table is None:
            table = _careful(path, delimiter)
        if tables and table.shape[1] != tables[0].shape[1]:
            raise UserError(f"{path.name} has {table.shape[1]} columns where {paths[0].name} has {tables[0].shape[1]}.")
        _check_finite(path, table)
        tables.append(table)
    whole = tables[0] if len(tables) == 1 else numpy.concatenate(tables)
    first = 2 if weights else 1
    if whole.shape[1] <= first:
        raise UserError(f"{paths[0].name} has no feature columns: only {whole.shape[1]} column(s) in all.")
    return Table(numpy.ascontiguousarray(whole[:, first:]), whole[:, 0].copy(), whole[:, 1].copy() if weights else None)


def _quick(path: Path, delimiter: str) -> Array | None:
    """The whole file by numpy's C reader; ``None`` when anything in it is no number or rows differ in length."""
    try:
        return numpy.loadtxt(
            path, delimiter=delimiter, dtype=numpy.float32, ndmin=2, comments=None, encoding="utf-8-sig"
        )
    except ValueError:
        return None


def _careful(path: Path, delimiter: str) -> Array:
    """Row by row, with empty cells as missing values and a header as AWS has it."""
    rows: list[list[float]] = []
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            cells = line.rstrip("\r\n").split(delimiter)
            if rows and len(cells) != len(rows[0]):
                raise UserError(
                    f"Malformed CSV: {path.name}, row {number} has {len(cells)} columns instead of {len(rows[0])}."
                )
            try:
                rows.append([float(cell) if cell else numpy.nan for cell in cells])
            except ValueError:
                rows.append(_header(path, line, cells) if number == 1 else _telling(path, number, cells))
            if rows[-1][0] != rows[-1][0]:
                raise UserError(f"Malformed CSV: {path.name}, row {number}, column 1: the label is missing.")
    if not rows:
        raise UserError(f"{path.name} holds no rows.")
    return numpy.array(rows, dtype=numpy.float32)


def _header(path: Path, line: str, cells: list[str]) -> list[float]:
    if any(_is_number(cell) for cell in cells if cell.strip()):
        return _telling(path, 1, cells)
    log.warning(
        "The first line of %s looks like a header: %s. As on AWS it is taken as data, a row with label 0 whose "
        "features are all missing. Remove it from the file.",
        path.name,
        line.strip()[:80],
    )
    return [0.0] + [numpy.nan] * (len(cells) - 1)


def _telling(path: Path, number: int, cells: list[str]) -> list[float]:
    """Values of a row with white space for empty cells; raises ``UserError`` for the first that is no number."""
    values = []
    for column, cell in enumerate(cells, 1):
        if not cell.strip():
            values.append(numpy.nan)
        elif _is_number(cell):
            values.append(float(cell))
        else:
            raise UserError(
                f"Malformed CSV: {path.name}, row {number}, column {column}: {_shown(cell)} is not a number."
            )
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_finite(path: Path, table: Array) -> None:
    """The engine refuses infinities in data and NaN in labels without saying where."""
    if not numpy.isfinite(table[:, 0]).all():
        row = int(numpy.flatnonzero(~numpy.isfinite(table[:, 0]))[0])
        raise UserError(f"Malformed CSV: {path.name}, data row {row + 1}, column 1: the label is missing or infinite.")
    infinite = numpy.isinf(table)
    if infinite.any():
        row, column = (int(at[0]) for at in numpy.nonzero(infinite))
        raise UserError(f"Malformed CSV: {path.name}, data row {row + 1}, column {column + 1}: the value is infinite.")


def read_libsvm(paths: list[Path]) -> Table:
    """All files in order: ``label[:weight] [qid:n] index:value …``, indices as written. Raises ``UserError``."""
    from scipy.sparse import csr_matrix

    reader = _Libsvm()
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                if line := line.split("#", 1)[0].strip():
                    reader.take(path, number, line)
    count = len(reader.labels)
    if not count:
        raise UserError(f"{paths[0].name} holds no rows.")
    if (reader.weights and len(reader.weights) != count) or (reader.groups and len(reader.groups) != count):
        raise UserError("Either every row or none has an instance weight, and likewise a qid.")
    columns = max(reader.indices, default=-1) + 1
    matrix = csr_matrix(
        (
            numpy.array(reader.values, dtype=numpy.float32),
            numpy.array(reader.indices, dtype=numpy.int32),
            numpy.array(reader.starts, dtype=numpy.int64),
        ),
        shape=(count, columns),
    )
    return Table(
        matrix,
        numpy.array(reader.labels, dtype=numpy.float32),
        numpy.array(reader.weights, dtype=numpy.float32) if reader.weights else None,
        numpy.array(reader.groups, dtype=numpy.int64) if reader.groups else None,
    )


class _Libsvm:
    """Rows as they are read; ``starts`` are the offsets a compressed row matrix wants."""

    def __init__(self) -> None:
        self.labels: list[float] = []
        self.weights: list[float] = []
        self.groups: list[int] = []
        self.values: list[float] = []
        self.indices: list[int] = []
        self.starts: list[int] = [0]

    def take(self, path: Path, number: int, line: str) -> None:
        first, *rest = line.split()
        column = 1
        try:
            label, _, weight = first.partition(":")
            self.labels.append(float(label))
            if weight:
                self.weights.append(float(weight))
            for column, token in enumerate(rest, 2):  # noqa: B007  told in the message below
                index, _, value = token.partition(":")
                if index == "qid":
                    self.groups.append(int(value))
                    continue
                self.indices.append(self.index(index))
                self.values.append(float(value))
        except ValueError:
            token = line.split()[column - 1]
            raise UserError(
                f"Malformed LIBSVM: {path.name}, row {number}, column {column}: {_shown(token)} is not "
                f"{'<label>(:<weight>)' if column == 1 else '<index>:<value>'}."
            ) from None
        self.starts.append(len(self.indices))

    @staticmethod
    def index(text: str) -> int:
        index = int(text)
        if not 0 <= index < 2**31 - 1:
            raise ValueError(index)
        return index


def _shown(text: str) -> str:
    return repr(text if len(text) <= 50 else text[:50] + "…")
