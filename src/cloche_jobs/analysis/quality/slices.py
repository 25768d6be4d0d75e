"""The same measure over parts of the rows: is the model worse for some?

A slice is a value of a column (or a range between its quantiles, where it holds many different numbers), or a pair of
such of two columns. Each is told with its rows, its measure and a bootstrap interval; slices whose interval lies on
the worse side of the whole's value are marked. With many slices some will be marked by chance: ``level`` is shared
out among them (Bonferroni), so that it holds for all of them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from cloche_jobs.analysis.quality.arrays import Array
from cloche_jobs.analysis.quality.bootstrap import Estimate, estimate

VALUES_MAX = 12
"""A column of more different numbers than this is cut at its quantiles; of other values the commonest are taken."""
QUANTILES = 4


@dataclass(frozen=True)
class Slice:
    name: str
    """``tenure in [0, 12)``, ``plan = basic``, or two of them joined by ``and``."""
    rows: int
    estimate: Estimate | None
    """``None`` where the measure says nothing, as of AUC over one class."""
    is_worse: bool


def slices(
    measure: Callable[[Array, Array], float],
    truth: Any,
    predictions: Any,
    columns: Mapping[str, Any],
    *,
    pairs: bool = False,
    rows_min: int = 30,
    higher_is_better: bool = True,
    level: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> list[Slice]:
    """Worst first; those with fewer than ``rows_min`` rows are left out."""
    actual, predicted = np.asarray(truth), np.asarray(predictions)
    whole = float(measure(actual, predicted))
    masks = [(name, mask) for name, mask in _masks(columns, pairs) if mask.sum() >= rows_min]
    shared = 1 - (1 - level) / max(len(masks), 1)
    found: list[Slice] = []
    for name, mask in masks:
        try:
            told = estimate(
                measure,
                actual[mask],
                predicted[mask],
                resamples=resamples,
                level=shared,
                seed=seed,
                bca=False,
            )
        except ValueError:
            found.append(Slice(name, int(mask.sum()), None, False))
            continue
        worse = told.high < whole if higher_is_better else told.low > whole
        found.append(Slice(name, int(mask.sum()), told, bool(worse)))
    sign = 1 if higher_is_better else -1
    return sorted(found, key=lambda each: (each.estimate is None, sign * each.estimate.value if each.estimate else 0))


def _masks(columns: Mapping[str, Any], pairs: bool) -> Iterator[tuple[str, Array]]:
    parts = {name: list(parts_of(name, values)) for name, values in columns.items()}
    for each in parts.values():
        yield from each
    if pairs:
        for one, other in combinations(parts.values(), 2):
            for left, right in ((a, b) for a in one for b in other):
                yield f"{left[0]} and {right[0]}", left[1] & right[1]


def parts_of(name: str, values: Any) -> Iterator[tuple[str, Array]]:
    """Names and masks of a column's parts. What is missing is a part of its own."""
    column = np.asarray(values)
    if column.dtype.kind in "fiu":
        column = column.astype(float)
        missing = np.isnan(column)
        different = np.unique(column[~missing])
        if len(different) > VALUES_MAX:
            yield from _ranges(name, column, different)
        else:
            yield from ((f"{name} = {each:g}", column == each) for each in different)
    else:
        missing = np.asarray([each is None or each != each for each in column.tolist()])
        words = column.astype(str)
        different, counts = np.unique(words[~missing], return_counts=True)
        commonest = different[np.argsort(-counts, kind="stable")[:VALUES_MAX]]
        yield from ((f"{name} = {each}", (words == each) & ~missing) for each in commonest)
    if missing.any():
        yield f"{name} is missing", missing


def _ranges(name: str, column: Array, different: Array) -> Iterator[tuple[str, Array]]:
    edges = np.unique(np.nanquantile(column, np.linspace(0, 1, QUANTILES + 1)))
    for low, high in pairwise(edges):
        last = high == different[-1]
        mask = (column >= low) & ((column <= high) if last else (column < high))
        yield f"{name} in [{low:g}, {high:g}{']' if last else ')'}", mask
