"""The curves of a binary classifier, as Spark's ``BinaryClassificationMetrics`` draws them.

A point for each score that occurs, from the highest down. The ROC curve begins at (0, 0) and ends at (1, 1), that of
precision and recall begins at recall 0 with the precision of the first point. Areas are sums of trapezes. Of more than
1,000 scores every so many are put together in what is written, as Spark's evaluator does (``numBins``); areas are of
all points.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any
POINTS_MAX = 1000


def areas(truth: Array, scores: Array) -> tuple[float, float]:
    """Under the ROC curve, and under that of precision and recall; NaN where one class is missing."""
    if not truth.any() or truth.all():
        return math.nan, math.nan
    false_rates, true_rates, precisions, recalls = _curves(truth, scores, _counts(truth, scores))
    return _area(false_rates, true_rates), _area(recalls, precisions)


def curves(truth: Array, scores: Array) -> dict[str, dict[str, list[float]]]:
    """As statistics.json has them."""
    counts = _counts(truth, scores)
    size = len(counts[0])
    if (step := size // POINTS_MAX) > 1:
        kept = np.append(np.arange(step - 1, size - 1, step), size - 1)
        counts = (counts[0][kept], counts[1][kept])
    false_rates, true_rates, precisions, recalls = (each.tolist() for each in _curves(truth, scores, counts))
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": false_rates,
            "true_positive_rates": true_rates,
        },
        "precision_recall_curve": {"precisions": precisions, "recalls": recalls},
    }


def _counts(truth: Array, scores: Array) -> tuple[Array, Array]:
    """(positives, rows) with at least each score."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    return np.cumsum(truth[order])[last], last + 1


def _curves(truth: Array, scores: Array, counts: tuple[Array, Array]) -> tuple[Array, Array, Array, Array]:
    positives, rows = counts
    real = int(truth.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        true_rates, false_rates = positives / real, (rows - positives) / (len(truth) - real)
    precisions = positives / rows
    return (
        np.concatenate([[0.0], false_rates, [1.0]]),
        np.concatenate([[0.0], true_rates, [1.0]]),
        np.concatenate([precisions[:1], precisions]),
        np.concatenate([[0.0], true_rates]),
    )


def _area(x: Array, y: Array) -> float:
    return float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2))
