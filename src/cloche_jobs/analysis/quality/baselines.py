"""What knowing nothing of the rows gives: the bar that every model has to clear.

Of classes: always the commonest, or the share of positives as everybody's score. Of numbers: the mean (best for
squared errors) or the median (best for absolute ones). Learned from training labels where they are given, else from
the labels themselves, as SageMaker's best constant classifier is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cloche_jobs.analysis.quality.arrays import Array


def commonest_class(labels: Any, training: Any = None) -> Array:
    """A prediction for each label; of classes that are equally common the first in their order."""
    actual = np.asarray(labels)
    values, counts = np.unique(actual if training is None else np.asarray(training), return_counts=True)
    return np.full(len(actual), values[np.argmax(counts)])


def prior_score(labels: Any, training: Any = None) -> Array:
    """Everybody's score is the share of positives."""
    actual = np.asarray(labels, dtype=float)
    return np.full(len(actual), float(np.mean(actual if training is None else np.asarray(training, dtype=float))))


def mean_value(truth: Any, training: Any = None) -> Array:
    actual = np.asarray(truth, dtype=float)
    return np.full(len(actual), float(np.mean(actual if training is None else np.asarray(training, dtype=float))))


def median_value(truth: Any, training: Any = None) -> Array:
    actual = np.asarray(truth, dtype=float)
    return np.full(len(actual), float(np.median(actual if training is None else np.asarray(training, dtype=float))))
