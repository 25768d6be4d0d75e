"""The states of all columns of a dataset, filled from blocks: one scan, the columns of a block side by side.

Arrow and numpy let go of the interpreter while they work, so the columns of a block share the cores. Each column sees
its cells in the order of the files: what is computed does not depend on the number of cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor.cells import Kinds
from cloche_jobs.monitor.column import Column

COLUMNS_MAX = 10_000
Watched = Callable[[int, str], frozenset[str] | None]


@dataclass(slots=True)
class Table:
    """``columns`` in the order in which they came."""

    columns: dict[str, Column] = field(default_factory=dict)
    rows: int = 0
    watched: Watched = field(default=lambda place, name: None)
    """Which values of a column, known by its place and its name, are to be watched for."""

    def add(self, block: Any, pool: ThreadPoolExecutor | None = None) -> None:
        """An Arrow record batch. A column that it has not is missing in all its rows; so is a new one in all before.

        Raises ``UserError`` beyond ``COLUMNS_MAX`` columns.
        """
        names = block.schema.names
        for name in names:
            self._column(name)
        work = [(self.columns[name], block.column(number)) for number, name in enumerate(names)]
        if pool is None:
            for column, cells in work:
                column.add(cells)
        else:
            for done in [pool.submit(column.add, cells) for column, cells in work]:
                done.result()
        self._pass_over(set(self.columns).difference(names), len(block))

    def merge(self, other: Table) -> None:
        """Add the rows of another part of the same dataset."""
        for name, column in other.columns.items():
            self._column(name).merge(column)
        self._pass_over(set(self.columns).difference(other.columns), other.rows)

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            if len(self.columns) == COLUMNS_MAX:
                raise UserError(f"the dataset has more than {COLUMNS_MAX} columns")
            watched = self.watched(len(self.columns), name)
            self.columns[name] = Column(Kinds(missing=self.rows), watched=watched)
        return self.columns[name]

    def _pass_over(self, names: Iterable[str], rows: int) -> None:
        for name in names:
            self.columns[name].kinds.missing += rows
        self.rows += rows


def profile(blocks: Iterable[Any], watched: Watched | None = None) -> Table:
    """Read all ``blocks``."""
    table, cores = Table(watched=watched) if watched else Table(), len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool:
        for block in blocks:
            if len(block):
                table.add(block, pool if cores > 1 else None)
    return table
