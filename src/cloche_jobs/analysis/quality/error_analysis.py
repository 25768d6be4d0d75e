"""What do the mistakes have in common? The costliest rows, parts with more mistakes than their share, confusions.

A part's lift is its rate of mistakes over the rate of all. Its p-value is Fisher's exact test of mistakes inside
against outside of it (scipy's), adjusted over all parts by Holm's method (1979), which needs no independence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from cloche_jobs.analysis.quality.arrays import Array, binary, paired
from cloche_jobs.analysis.quality.slices import parts_of


@dataclass(frozen=True)
class Part:
    name: str
    rows: int
    mistakes: int
    lift: float
    p_value: float
    """Adjusted for the number of parts."""


@dataclass(frozen=True)
class Confusion:
    actual: str
    predicted: str
    rows: int
    share: float
    """Of the rows that actually are ``actual``."""


def parts_with_mistakes(mistaken: Any, columns: Mapping[str, Any], *, rows_min: int = 20) -> list[Part]:
    """``mistaken`` says of each row whether the model is wrong. Surest first."""
    wrong = np.asarray(mistaken, dtype=bool)
    if not wrong.any() or wrong.all():
        return []
    rate = wrong.mean()
    found = []
    for name, values in columns.items():
        for part, mask in parts_of(name, values):
            rows, mistakes = int(mask.sum()), int((wrong & mask).sum())
            if rows < rows_min or rows == len(wrong):
                continue
            table = [[mistakes, rows - mistakes], [int(wrong.sum()) - mistakes, int((~wrong & ~mask).sum())]]
            found.append((part, rows, mistakes, mistakes / rows / rate, float(fisher_exact(table)[1])))
    adjusted = holm([each[-1] for each in found])
    parts = [Part(*each[:-1], p) for each, p in zip(found, adjusted, strict=True)]
    return sorted(parts, key=lambda each: (each.p_value, -each.lift))


def holm(p_values: list[float]) -> list[float]:
    """Holm 1979: the i-th smallest of n times (n - i + 1), never falling, at most 1."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[at] * (len(p_values) - rank)))
        adjusted[at] = highest
    return adjusted


def costliest_binary(labels: Any, scores: Any, count: int = 20) -> list[tuple[int, float]]:
    """Rows and their log loss -log p(actual class), costliest first. Scores must be probabilities."""
    truth, given = binary(labels, scores)
    right = np.clip(np.where(truth, given, 1 - given), np.finfo(float).eps, 1)
    return _largest(-np.log(right), count)


def costliest_numbers(truth: Any, predictions: Any, count: int = 20) -> list[tuple[int, float]]:
    """Rows and their absolute error, largest first."""
    actual, predicted = paired(truth, predictions)
    return _largest(np.abs(predicted.astype(float) - actual.astype(float)), count)


def confusions(labels: Any, predictions: Any, count: int = 20) -> list[Confusion]:
    """Pairs of classes that are taken for each other, the commonest first."""
    truth, called = (column.astype(str) for column in paired(labels, predictions))
    wrong = truth != called
    pairs, rows = np.unique(np.stack([truth[wrong], called[wrong]]), axis=1, return_counts=True)
    support = dict(zip(*np.unique(truth, return_counts=True), strict=True))
    found = [
        Confusion(str(actual), str(predicted), int(n), float(n / support[actual]))
        for actual, predicted, n in zip(*pairs, rows, strict=True)
    ]
    return sorted(found, key=lambda each: (-each.rows, each.actual, each.predicted))[:count]


def _largest(costs: Array, count: int) -> list[tuple[int, float]]:
    order = np.argsort(-costs, kind="stable")[:count]
    return [(int(row), float(costs[row])) for row in order]
