"""How far a run's distribution lies from the baseline's, as Deequ measures it (``Distance`` of awslabs/deequ).

The numeric distance is no textbook Kolmogorov-Smirnov distance: each sketch becomes a map from value to rank in which
equal values collapse into one, and the last rank of each map is taken for its number of samples. So a column with few
distinct values hardly ever drifts under Robust. Robust takes off 1.8 * sqrt((n + m) / (n * m)), where 1.8 stands for a
level of 0.003 (Knuth, The Art of Computer Programming 2, 3.3.1, equation 15).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cloche_jobs.monitor.chi_square import p_value
from cloche_jobs.monitor.sketch import Sketch

Array = Any
CORRECTION = 1.8
EXPECTED_MIN = 5
"""Of a category, in tables of more than two (Yates, Moore, McCabe 1999); a fifth of them may have less."""
EXPECTED_MIN_OF_TWO = 10
"""Cochran 1952."""


def numeric(run: Sketch, baseline: Sketch, *, robust: bool) -> float:
    values, ranks = _ranks(run)
    others, other_ranks = _ranks(baseline)
    keys = np.union1d(values, others)
    count, other_count = float(ranks[-1]), float(other_ranks[-1])
    apart = np.abs(_at(keys, values, ranks) / count - _at(keys, others, other_ranks) / other_count)
    return _corrected(float(apart.max()), count, other_count, robust)


def categorical(run: Mapping[str, int], baseline: Mapping[str, int], *, robust: bool) -> float:
    """The largest difference of a category's shares."""
    count, other_count = float(sum(run.values())), float(sum(baseline.values()))
    apart = (abs(run.get(key, 0) / count - baseline.get(key, 0) / other_count) for key in {**run, **baseline})
    return _corrected(max(apart), count, other_count, robust)


def chi_squared(run: Mapping[str, int], baseline: Mapping[str, int]) -> float:
    """The p-value; ``nan`` where fewer than two categories are left. Categories that the baseline expects too seldom
    are put together, the rarest with the next; those it does not know are left out."""
    total = float(sum(count for key, count in run.items() if key in baseline))
    size = sum(baseline.values())
    expected = {key: count / size * total for key, count in baseline.items()}
    seen = {key: float(run.get(key, 0)) for key in baseline}
    while len(expected) >= 2:
        floor, allowed = (EXPECTED_MIN_OF_TWO, 0) if len(expected) == 2 else (EXPECTED_MIN, len(expected) // 5)
        if sum(each < floor for each in expected.values()) <= allowed:
            break
        rarest = min(expected, key=lambda key: expected[key])
        few, seen_few = expected.pop(rarest), seen.pop(rarest)
        next_rarest = min(expected, key=lambda key: expected[key])
        expected[next_rarest] += few
        seen[next_rarest] += seen_few
    if len(expected) < 2 or not total:
        return math.nan
    statistic = sum((seen[key] - each) ** 2 / each for key, each in expected.items())
    return p_value(statistic, len(expected) - 1)


def _ranks(sketch: Sketch) -> tuple[Array, Array]:
    values, weights = sketch.weighted()
    is_last = np.append(values[1:] != values[:-1], True)
    return values[is_last], np.cumsum(weights[is_last])


def _at(keys: Array, values: Array, ranks: Array) -> Array:
    return np.append(0, ranks)[np.searchsorted(values, keys, side="right")]


def _corrected(distance: float, count: float, other: float, robust: bool) -> float:
    if not robust:
        return distance
    return max(0.0, distance - CORRECTION * math.sqrt((count + other) / (count * other)))
