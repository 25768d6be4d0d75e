"""Measures of classification, at a threshold and over all of them.

Of the counts TP, FP, TN and FN (Fawcett 2006, "An introduction to ROC analysis", Pattern Recognition Letters 27):
precision TP/(TP+FP), recall (true positive rate) TP/(TP+FN), false positive rate FP/(FP+TN), F_beta =
(1+b²)PR/(b²P+R) (van Rijsbergen 1979). A ratio without denominator is ``nan``. Areas are scikit-learn's: under the
ROC curve by trapezes, under the precision-recall curve as average precision, which does not interpolate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import metrics

from cloche_jobs.analysis.quality.arrays import Array, binary, both_classes, paired

NAN = float("nan")


@dataclass(frozen=True)
class Counts:
    """Of one threshold: a row is called positive when its score is at least that (at a score of infinity none)."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def accuracy(self) -> float:
        right = self.true_positives + self.true_negatives
        return _ratio(right, right + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> float:
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def false_positive_rate(self) -> float:
        return _ratio(self.false_positives, self.false_positives + self.true_negatives)

    @property
    def balanced_accuracy(self) -> float:
        return (self.recall + 1 - self.false_positive_rate) / 2

    def f(self, beta: float) -> float:
        """From the counts, so that it is 0 and not ``nan`` where nothing was called positive."""
        weight = beta * beta
        return _ratio(
            (1 + weight) * self.true_positives,
            (1 + weight) * self.true_positives + weight * self.false_negatives + self.false_positives,
        )

    @property
    def matthews(self) -> float:
        """Matthews 1975: the correlation of truth and call; ``nan`` where one of them does not vary."""
        tp, fp, tn, fn = (float(each) for each in self.as_tuple())
        below = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return (tp * tn - fp * fn) / below**0.5 if below else NAN

    def as_tuple(self) -> tuple[int, int, int, int]:
        return self.true_positives, self.false_positives, self.true_negatives, self.false_negatives


@dataclass(frozen=True)
class ThresholdCurve:
    """Counts at every score that occurs, from the highest down, after a first point that calls nothing positive."""

    thresholds: Array
    true_positives: Array
    false_positives: Array
    positives: int
    negatives: int

    @property
    def recalls(self) -> Array:
        return self.true_positives / self.positives

    @property
    def false_positive_rates(self) -> Array:
        return self.false_positives / self.negatives

    @property
    def precisions(self) -> Array:
        """1 at the first point, where nothing is called positive, as scikit-learn's curve ends."""
        called = self.true_positives + self.false_positives
        return np.where(called == 0, 1.0, self.true_positives / np.maximum(called, 1))

    def f(self, beta: float = 1.0) -> Array:
        weight = beta * beta
        missed = self.positives - self.true_positives
        return (
            (1 + weight)
            * self.true_positives
            / ((1 + weight) * self.true_positives + weight * missed + self.false_positives)
        )

    def best(self, beta: float = 1.0) -> tuple[float, float]:
        """The threshold with the highest F_beta, and that; of equals the highest threshold."""
        values = self.f(beta)
        at = int(np.argmax(values))
        return float(self.thresholds[at]), float(values[at])

    def youden(self) -> tuple[float, float]:
        """Youden 1950: the threshold with the largest recall + specificity - 1, and that."""
        values = self.recalls - self.false_positive_rates
        at = int(np.argmax(values))
        return float(self.thresholds[at]), float(values[at])

    def thinned(self, points: int) -> ThresholdCurve:
        """No more than about so many points, evenly along the curve, its ends among them."""
        size = len(self.thresholds)
        if size <= points:
            return self
        kept = np.unique(np.linspace(0, size - 1, points).round().astype(int))
        arrays = (self.thresholds[kept], self.true_positives[kept], self.false_positives[kept])
        return ThresholdCurve(*arrays, self.positives, self.negatives)


def counts(labels: Any, scores: Any, threshold: float = 0.5) -> Counts:
    truth, given = binary(labels, scores)
    called = given >= threshold
    positives = int((truth & called).sum()), int((~truth & called).sum())
    return Counts(*positives, int((~truth & ~called).sum()), int((truth & ~called).sum()))


def threshold_curve(labels: Any, scores: Any) -> ThresholdCurve:
    """Raises ``ValueError`` where one class is missing."""
    truth, given = binary(labels, scores)
    both_classes(truth)
    order = np.argsort(-given, kind="stable")
    given, truth = given[order], truth[order]
    last_of_score = np.append(np.flatnonzero(np.diff(given)), len(given) - 1)
    true_positives = np.append(0, np.cumsum(truth)[last_of_score])
    false_positives = np.append(0, last_of_score + 1) - true_positives
    thresholds = np.append(np.inf, given[last_of_score])
    return ThresholdCurve(thresholds, true_positives, false_positives, int(truth.sum()), int((~truth).sum()))


def auc(labels: Any, scores: Any) -> float:
    truth, given = binary(labels, scores)
    both_classes(truth)
    return float(metrics.roc_auc_score(truth, given))


def average_precision(labels: Any, scores: Any) -> float:
    truth, given = binary(labels, scores)
    both_classes(truth)
    return float(metrics.average_precision_score(truth, given))


def log_loss(labels: Any, scores: Any) -> float:
    """Scores must be probabilities; they are kept from 0 and 1 by the precision of a double, as scikit-learn does."""
    truth, given = binary(labels, scores)
    if given.min() < 0 or given.max() > 1:
        raise ValueError("log loss needs scores that are probabilities")
    return float(metrics.log_loss(truth, given, labels=[False, True]))


@dataclass(frozen=True)
class Multiclass:
    """``matrix[i, j]``: rows of class ``classes[i]`` that were called ``classes[j]``."""

    classes: tuple[str, ...]
    matrix: Array
    precision: Array
    recall: Array
    f1: Array
    support: Array
    accuracy: float
    weighted_precision: float
    weighted_recall: float

    def weighted_f(self, beta: float) -> float:
        with np.errstate(invalid="ignore", divide="ignore"):
            weight = beta * beta
            each = (1 + weight) * self.precision * self.recall / (weight * self.precision + self.recall)
        return float(np.average(np.nan_to_num(each), weights=self.support))


def multiclass(labels: Any, predictions: Any) -> Multiclass:
    """By class and weighted by the classes' rows (scikit-learn's; a class that is never called has precision 0)."""
    truth, called = paired(labels, predictions)
    truth, called = truth.astype(str), called.astype(str)
    classes = tuple(sorted(set(truth) | set(called), key=_natural))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, called, labels=list(classes), zero_division=0
    )
    return Multiclass(
        classes,
        metrics.confusion_matrix(truth, called, labels=list(classes)),
        precision,
        recall,
        f1,
        support,
        float((truth == called).mean()),
        float(np.average(precision, weights=support)),
        float(np.average(recall, weights=support)),
    )


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers in their order, before words in theirs."""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


def _ratio(above: float, below: float) -> float:
    return above / below if below else NAN
