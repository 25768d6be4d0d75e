"""The metrics AWS's container computes itself, beside the engine's.

They see raw margins, not probabilities (XGBoost 1.2 and later): a class is a margin above 0 or the largest of a row,
and ``mae``, ``mse``, ``rmse``, ``r2`` compare labels with margins, as AWS's do. Definitions are scikit-learn's, whose
import would cost more than a small job. Source: ``metrics/custom_metrics.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cloche_jobs.algorithms.xgboost.engine import Array, numpy
from cloche_jobs.contract.failure import UserError


def custom_metric(names: Sequence[str]) -> Callable[[Array, Any], list[tuple[str, float]]]:
    """The function that ``xgboost.train`` calls each round, for those ``names``."""

    def evaluate(predictions: Array, matrix: Any) -> list[tuple[str, float]]:
        labels = matrix.get_label()
        return [(name, float(_METRICS[name](labels, predictions))) for name in names]

    return evaluate


def _classes(predictions: Array) -> Array:
    return predictions.argmax(axis=1) if predictions.ndim > 1 else (predictions > 0).astype(int)


class _Counts:
    """Per class: how often right, predicted, there."""

    def __init__(self, labels: Array, predictions: Array) -> None:
        guesses = _classes(predictions)
        if (labels != labels.astype(int)).any():
            raise UserError("Classification metrics can't handle a mix of continuous and binary targets")
        self.classes = numpy.unique(numpy.concatenate([labels.astype(int), guesses]))
        right = labels == guesses
        self.share_right = float(right.mean())
        self.right = numpy.array([(right & (labels == c)).sum() for c in self.classes], dtype=float)
        self.predicted = numpy.array([(guesses == c).sum() for c in self.classes], dtype=float)
        self.there = numpy.array([(labels == c).sum() for c in self.classes], dtype=float)

    def of_positive(self, values: Array) -> float:
        if len(self.classes) > 2 or (self.classes > 1).any():
            raise UserError(
                "Target is multiclass but average='binary'. Please choose another average setting, one of "
                "[None, 'micro', 'macro', 'weighted']."
            )
        found = values[self.classes == 1]
        return float(found[0]) if len(found) else 0.0


def _ratio(above: Array, below: Array) -> Array:
    return numpy.divide(above, below, out=numpy.zeros_like(above), where=below > 0)


def _precisions(counts: _Counts) -> Array:
    return _ratio(counts.right, counts.predicted)


def _recalls(counts: _Counts) -> Array:
    return _ratio(counts.right, counts.there)


def _f1s(counts: _Counts) -> Array:
    return _ratio(2 * counts.right, counts.predicted + counts.there)


def _binary(values: Callable[[_Counts], Array]) -> Callable[[Array, Array], float]:
    def metric(labels: Array, predictions: Array) -> float:
        counts = _Counts(labels, predictions)
        return counts.of_positive(values(counts))

    return metric


def _macro(values: Callable[[_Counts], Array]) -> Callable[[Array, Array], float]:
    return lambda labels, predictions: float(values(_Counts(labels, predictions)).mean())


def _accuracy(labels: Array, predictions: Array) -> float:
    return _Counts(labels, predictions).share_right


def _balanced_accuracy(labels: Array, predictions: Array) -> float:
    counts = _Counts(labels, predictions)
    return float(_recalls(counts)[counts.there > 0].mean())


def _squares(labels: Array, predictions: Array) -> Array:
    return numpy.square(labels.astype(float) - predictions.astype(float))


def _mse(labels: Array, predictions: Array) -> float:
    return float(_squares(labels, predictions).mean())


def _r2(labels: Array, predictions: Array) -> float:
    left = float(_squares(labels, predictions).sum())
    whole = float(numpy.square(labels.astype(float) - labels.astype(float).mean()).sum())
    return 1 - left / whole if whole else float(left == 0)


_METRICS: dict[str, Callable[[Array, Array], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _macro(_f1s),
    "f1_binary": _binary(_f1s),
    "f1_macro": _macro(_f1s),
    "mse": _mse,
    "rmse": lambda labels, predictions: _mse(labels, predictions) ** 0.5,
    "mae": lambda labels, predictions: float(numpy.abs(labels.astype(float) - predictions.astype(float)).mean()),
    "precision": _binary(_precisions),
    "precision_macro": _macro(_precisions),
    "precision_micro": _accuracy,
    "r2": _r2,
    "recall": _binary(_recalls),
    "recall_macro": _macro(_recalls),
    "recall_micro": _accuracy,
}
