"""Is one model really better than another, on the same rows?

- McNemar (1947): of the rows on which just one of the two is right, each model should have half. Exact by the
  binomial distribution below ``EXACT_MAX`` such rows; above, chi-square with Edwards' correction (|b - c| - 1)²/(b +
  c).
- DeLong, DeLong and Clarke-Pearson (1988): the difference of two areas under the ROC curve over its standard error,
  from the placement of each row among those of the other class; in n log n by Sun and Xu (2014).
- Any measure: bootstrap of its difference over the same drawn rows; the p-value is twice the smaller share of
  differences on one side of 0 (Efron and Tibshirani 1993), never below 1/resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, chi2, norm, rankdata

from cloche_jobs.analysis.quality.arrays import Array, binary, both_classes, paired
from cloche_jobs.analysis.quality.bootstrap import Estimate, resampled

EXACT_MAX = 25


@dataclass(frozen=True)
class McNemar:
    only_first_right: int
    only_second_right: int
    statistic: float
    """The smaller of the two counts where the test is exact."""
    p_value: float
    is_exact: bool


@dataclass(frozen=True)
class Areas:
    first: float
    second: float
    difference: float
    """first - second"""
    standard_error: float
    z: float
    p_value: float
    low: float
    high: float
    """Of the difference, at the level asked for."""


@dataclass(frozen=True)
class Difference:
    estimate: Estimate
    """Of measure(first) - measure(second)."""
    p_value: float


def mcnemar(truth: Any, first: Any, second: Any) -> McNemar:
    """``first`` and ``second`` are called classes."""
    actual, one = paired(truth, first)
    _, other = paired(truth, second)
    right, also = one == actual, other == actual
    b, c = int((right & ~also).sum()), int((~right & also).sum())
    if b + c == 0:
        return McNemar(0, 0, 0.0, 1.0, True)
    if b + c < EXACT_MAX:
        return McNemar(b, c, float(min(b, c)), float(binomtest(b, b + c, 0.5).pvalue), True)
    statistic = (abs(b - c) - 1) ** 2 / (b + c)
    return McNemar(b, c, statistic, float(chi2.sf(statistic, 1)), False)


def delong(labels: Any, first: Any, second: Any, *, level: float = 0.95) -> Areas:
    truth, one = binary(labels, first)
    _, other = binary(labels, second)
    both_classes(truth)
    areas, covariance = area_covariance(truth, np.stack([one, other]))
    difference = float(areas[0] - areas[1])
    variance = max(0.0, float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]))
    error = variance**0.5
    if error == 0:
        z, p_value = (0.0, 1.0) if difference == 0 else (float(np.copysign(np.inf, difference)), 0.0)
    else:
        z = difference / error
        p_value = float(2 * norm.sf(abs(z)))
    reach = float(norm.ppf((1 + level) / 2)) * error
    return Areas(
        float(areas[0]), float(areas[1]), difference, error, z, p_value, difference - reach, difference + reach
    )


def area_covariance(truth: Array, scores: Array) -> tuple[Array, Array]:
    """Areas of the models (rows of ``scores``) and DeLong's covariance between them; needs two rows of each class."""
    positive, negative = scores[:, truth], scores[:, ~truth]
    m, n = positive.shape[1], negative.shape[1]
    if m < 2 or n < 2:
        raise ValueError("two rows of each class are needed")
    among_own = np.stack([rankdata(each) for each in positive])
    among_others = np.stack([rankdata(each) for each in negative])
    among_all = np.stack([rankdata(np.concatenate(pair)) for pair in zip(positive, negative, strict=True)])
    areas = (among_all[:, :m].sum(axis=1) / m - (m + 1) / 2) / n
    of_positives = (among_all[:, :m] - among_own) / n
    of_negatives = 1 - (among_all[:, m:] - among_others) / m
    covariance = np.atleast_2d(np.cov(of_positives)) / m + np.atleast_2d(np.cov(of_negatives)) / n
    return areas, covariance


def difference(
    measure: Callable[[Array, Array], float],
    truth: Any,
    first: Any,
    second: Any,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    strata: Any = None,
) -> Difference:
    """Both models are measured on the same drawn rows, so what the rows have in common cancels."""
    columns = [np.asarray(column) for column in (truth, first, second)]

    def apart(actual: Array, one: Array, other: Array) -> float:
        return float(measure(actual, one)) - float(measure(actual, other))

    values = resampled(apart, columns, resamples=resamples, seed=seed, strata=strata)
    if len(values) * 2 < resamples:
        raise ValueError(f"only {len(values)} of {resamples} resamples can be measured")
    tail = (1 - level) / 2
    low, high = (float(each) for each in np.quantile(values, [tail, 1 - tail]))
    one_side = min((values <= 0).mean(), (values >= 0).mean())
    p_value = float(min(1.0, max(2 * one_side, 1 / len(values))))
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Difference(Estimate(apart(*columns), low, high, spread, level, len(values)), p_value)
