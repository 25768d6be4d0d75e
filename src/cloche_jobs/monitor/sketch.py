"""Quantiles of a stream in little memory, as Deequ keeps them: a KLL sketch whose every bit is determined.

Karnin, Lang, Liberty, "Optimal Quantile Approximation in Streams" (2016): values are appended to a level; a level that
is full is sorted, every second value moves one level up, where it counts twice as much. KLL draws which half moves;
Deequ (``QuantileNonSample`` and ``NonSampleCompactor`` of awslabs/deequ) begins with the lower one and changes over at
each second compaction, and keeps the odd value at the end of a level where it is. So the same values in the same order
give the same sketch, value for value: AWS's own are reproduced.

A value of level h counts 2**h. The counts of all values add up to the number of values that went in, always.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

Array = Any
SIZE = 2048
SHRINK = 0.64
"""``kll.sketch.parameters`` ``k`` and ``c`` of AWS's statistics.json."""
BUCKETS = 10


@cache
def capacity(level: int) -> int:
    return int(2 * (math.ceil(SIZE * SHRINK**level / 2) + 1))


@dataclass(slots=True)
class _Level:
    parts: list[Array] = field(default_factory=list)
    size: int = 0
    compactions: int = 0
    offset: int = 0

    def append(self, values: Array) -> None:
        self.parts.append(values)
        self.size += len(values)

    def values(self) -> Array:
        if len(self.parts) != 1:
            self.parts = [np.concatenate(self.parts)] if self.parts else [np.empty(0)]
        return self.parts[0]

    def compact(self, *, sorted_runs: bool) -> Array:
        """Every second value, in order; only the odd one at the end stays. Runs in order are merged, not sorted."""
        values = self.values()
        even = self.size - self.size % 2
        if self.compactions % 2:
            self.offset = 1 - self.offset
        self.compactions += 1
        self.parts, self.size = [values[even:]], self.size - even
        return np.sort(values[:even], kind="stable" if sorted_runs else None)[self.offset :: 2]


class Sketch:
    def __init__(self) -> None:
        self._levels = [_Level()]
        self._held = 0
        self._room = capacity(0)

    @staticmethod
    def of_levels(levels: Sequence[Sequence[float]]) -> Sketch:
        """A sketch read from statistics.json (``kll.sketch.data``); it is compared, not added to."""
        sketch = Sketch()
        sketch._levels = []
        for values in levels:
            level = _Level()
            level.append(np.asarray(values, dtype=np.float64))
            sketch._levels.append(level)
        return sketch

    def add(self, values: Array) -> None:
        """Doubles, in their order; none is NaN."""
        begin, count, first = 0, len(values), self._levels[0]
        while begin < count:
            end = min(begin + self._room - self._held + 1, count)
            first.append(values[begin:end])
            self._held += end - begin
            begin = end
            if self._held > self._room:
                self._condense()

    def merge(self, other: Sketch) -> None:
        while len(self._levels) < len(other._levels):
            self._expand()
        for mine, theirs in zip(self._levels, other._levels, strict=False):
            mine.append(theirs.values())
            self._held += theirs.size
        while self._held >= self._room:
            self._condense()

    def _expand(self) -> None:
        self._levels.append(_Level())
        self._room += capacity(len(self._levels) - 1)

    def _condense(self) -> None:
        """The first level that is full makes room."""
        for height, level in enumerate(self._levels):
            if level.size >= capacity(height):
                if height + 1 == len(self._levels):
                    self._expand()
                passed = level.compact(sorted_runs=height > 0)
                self._levels[height + 1].append(passed)
                self._held -= len(passed)
                return

    @property
    def count(self) -> int:
        """Of the values that went in."""
        return sum(level.size << height for height, level in enumerate(self._levels))

    def data(self) -> list[list[float]]:
        return [level.values().tolist() for level in self._levels]

    def weighted(self) -> tuple[Array, Array]:
        """All values in order, those of lower levels first among equals, and what each counts."""
        values = np.concatenate([level.values() for level in self._levels])
        weights = np.repeat([1 << height for height in range(len(self._levels))], [each.size for each in self._levels])
        order = np.argsort(values, kind="stable")
        return values[order], weights[order]

    def buckets(self, low: float, high: float) -> list[dict[str, float]]:
        """Counts of ten equal widths between the least and the greatest value; the last has both its bounds."""
        values, weights = self.weighted()
        ranks = np.append(0, np.cumsum(weights))
        bounds = [low + (high - low) * number / BUCKETS for number in range(BUCKETS + 1)]
        below = ranks[np.searchsorted(values, bounds, side="left")]
        at_most = ranks[np.searchsorted(values, bounds[-1], side="right")]
        counts = [*np.diff(below[:-1]), at_most - below[-2]]
        return [
            {"lower_bound": bounds[number], "upper_bound": bounds[number + 1], "count": float(counts[number])}
            for number in range(BUCKETS)
        ]
