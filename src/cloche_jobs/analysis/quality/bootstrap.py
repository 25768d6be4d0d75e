"""How sure is a measure? Intervals by resampling rows (Efron 1979).

Rows are drawn with replacement, as often as there are, and measured again. The percentile interval takes the
quantiles of what comes out; BCa (Efron 1987, "Better bootstrap confidence intervals") corrects them for bias and
skew: with z0 the normal quantile of the share of resamples below the value, and a = Σ(m - m_i)³ / (6(Σ(m -
m_i)²)^1.5) over the values m_i with one row (beyond ``JACKKNIFE_MAX`` rows: one block of them) left out, the quantile
for p is Φ(z0 + (z0 + z_p)/(1 - a(z0 + z_p))).

scipy's ``bootstrap`` cannot draw within strata, which keeps both classes in every resample, nor pass over resamples
of which a measure says nothing; hence this one. A test holds it against scipy's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from cloche_jobs.analysis.quality.arrays import Array

JACKKNIFE_MAX = 200


@dataclass(frozen=True)
class Estimate:
    value: float
    low: float
    high: float
    standard_deviation: float
    level: float
    resamples: int
    """Those that the measure said something of."""


def estimate(
    measure: Callable[..., float],
    *columns: Any,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    strata: Any = None,
    bca: bool = True,
) -> Estimate:
    """``measure(*columns)`` with its interval. ``strata`` is a column: each of its values keeps its number of rows.

    Raises ``ValueError`` where the measure says something of fewer than half of the resamples.
    """
    held = [np.asarray(column) for column in columns]
    value = float(measure(*held))
    values = resampled(measure, held, resamples=resamples, seed=seed, strata=strata)
    if len(values) * 2 < resamples:
        raise ValueError(f"only {len(values)} of {resamples} resamples can be measured")
    tail = (1 - level) / 2
    low, high = (_corrected(measure, held, value, values, tail) if bca else None) or (tail, 1 - tail)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Estimate(
        value, float(np.quantile(values, low)), float(np.quantile(values, high)), spread, level, len(values)
    )


def with_spread(
    measure: Callable[..., float], *columns: Any, resamples: int, seed: int, strata: Any = None
) -> dict[str, float]:
    """A measure as ``evaluation.json`` tells it; the deviation is ``nan`` where the resamples cannot say it."""
    value = float(measure(*columns))
    if resamples < 2:
        return {"value": value, "standard_deviation": float("nan")}
    try:
        told = estimate(measure, *columns, resamples=resamples, seed=seed, strata=strata, bca=False)
    except ValueError:
        return {"value": value, "standard_deviation": float("nan")}
    return {"value": value, "standard_deviation": told.standard_deviation}


def resampled(
    measure: Callable[..., float], columns: list[Array], *, resamples: int, seed: int, strata: Any = None
) -> Array:
    """What the measure says of each resample, without those it says nothing of."""
    source = np.random.default_rng(seed)
    rows = _groups(len(columns[0]), strata)
    values = np.empty(resamples)
    for number in range(resamples):
        drawn = np.concatenate([group[source.integers(0, len(group), len(group))] for group in rows])
        try:
            values[number] = measure(*(column[drawn] for column in columns))
        except ValueError:
            values[number] = np.nan
    return values[np.isfinite(values)]


def _groups(count: int, strata: Any) -> list[Array]:
    if strata is None:
        return [np.arange(count)]
    _, group = np.unique(np.asarray(strata), return_inverse=True)
    return [np.flatnonzero(group == each) for each in range(group.max() + 1)]


def _corrected(
    measure: Callable[..., float], columns: list[Array], value: float, values: Array, tail: float
) -> tuple[float, float] | None:
    """BCa's two quantiles; ``None`` where the value lies outside of all resamples, or none differs."""
    below = float((values < value).mean() + (values == value).mean() / 2)
    if not 0 < below < 1 or not np.ptp(values):
        return None
    shift = norm.ppf(below)
    acceleration = _acceleration(measure, columns)

    def corrected(share: float) -> float:
        z = shift + norm.ppf(share)
        return float(norm.cdf(shift + z / (1 - acceleration * z)))

    return corrected(tail), corrected(1 - tail)


def _acceleration(measure: Callable[..., float], columns: list[Array]) -> float:
    count = len(columns[0])
    blocks = np.array_split(np.random.default_rng(0).permutation(count), min(count, JACKKNIFE_MAX))
    without: list[float] = []
    for block in blocks:
        kept = np.ones(count, dtype=bool)
        kept[block] = False
        try:
            without.append(float(measure(*(column[kept] for column in columns))))
        except ValueError:
            continue
    found = np.asarray([each for each in without if np.isfinite(each)])
    if len(found) < 2 or not np.ptp(found):
        return 0.0
    away = found.mean() - found
    return float((away**3).sum() / (6 * ((away**2).sum()) ** 1.5))
