"""All that is kept of one column while it is read: a state that blocks are added to, and other states.

Moments are added as Chan, Golub and LeVeque (1983) do. Numbers are kept while a column has nothing else: the first cell
that is no number makes it a String, for good.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloche_jobs.monitor import cells
from cloche_jobs.monitor.cells import Kinds
from cloche_jobs.monitor.distinct import VALUES_MAX, Values
from cloche_jobs.monitor.sketch import Sketch

Array = Any
SAMPLE = 1024
ONE_BY_ONE_MAX = 10_000


@dataclass(slots=True)
class Moments:
    count: int = 0
    sum: float = 0.0
    squares: float = 0.0
    """Sum of the squared distances from the mean."""
    min: float = math.inf
    max: float = -math.inf

    @property
    def mean(self) -> float:
        return self.sum / self.count

    @property
    def deviation(self) -> float:
        """Of the population."""
        return math.sqrt(self.squares / self.count)

    def add(self, other: Moments) -> None:
        if other.count and self.count:
            apart = other.mean - self.mean
            self.squares += other.squares + apart * apart * self.count * other.count / (self.count + other.count)
        else:
            self.squares += other.squares
        self.count += other.count
        self.sum += other.sum
        self.min, self.max = min(self.min, other.min), max(self.max, other.max)


def moments_of(numbers: Array) -> Moments:
    if not len(numbers):
        return Moments()
    if len(numbers) <= ONE_BY_ONE_MAX:
        total, squares = _one_by_one(numbers)
    else:
        total = float(numbers.sum())
        apart = numbers - total / len(numbers)
        squares = float(np.square(apart, out=apart).sum())
    return Moments(len(numbers), total, squares, float(numbers.min()), float(numbers.max()))


def _one_by_one(numbers: Array) -> tuple[float, float]:
    """Sum and squares in the order in which Spark computes them, so that small datasets give AWS's very digits:
    Welford's way, of ``CentralMomentAgg`` of apache/spark."""
    mean = squares = 0.0
    for count, number in enumerate(numbers.tolist(), 1):
        apart = number - mean
        step = apart / count
        mean += step
        squares += apart * (apart - step)
    return float(np.cumsum(numbers)[-1]), squares


@dataclass(slots=True)
class Column:
    kinds: Kinds = field(default_factory=Kinds)
    moments: Moments = field(default_factory=Moments)
    sketch: Sketch = field(default_factory=Sketch)
    values: Values = field(default_factory=Values)
    watched: frozenset[str] | None = None
    """Values of which it is counted how many cells have them."""
    known: int = 0
    """Cells with one of the watched values."""

    def add(self, block: Any) -> None:
        """The column's next cells: an Arrow array."""
        count_texts = self.values.counts is not None and _has_few_values(block)
        read = cells.read(block, count_texts=count_texts or self.watched is not None)
        self.kinds.add(read.kinds)
        if self.watched is not None and read.texts is not None:
            is_known = pc.is_in(read.texts, pa.array(self.watched, pa.string())).to_numpy(zero_copy_only=False)
            self.known += int(read.counts[is_known].sum())
        if read.texts is not None:
            self.values.add_texts(read.texts, read.counts)
        else:
            self.values.add_numbers(read.numbers)
        if self.kinds.is_number:
            self.moments.add(moments_of(read.numbers))
            self.sketch.add(read.numbers)

    def merge(self, other: Column) -> None:
        """Add what was kept of other rows of the same column."""
        self.kinds.add(other.kinds)
        self.known += other.known
        self.values.merge(other.values)
        if self.kinds.is_number:
            self.moments.add(other.moments)
            self.sketch.merge(other.sketch)


def _has_few_values(block: Any) -> bool:
    """Whether so, as far as its beginning tells."""
    return len(block[:SAMPLE].unique()) <= VALUES_MAX
