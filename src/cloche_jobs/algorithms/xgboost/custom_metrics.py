"""The metrics AWS's container computes itself, beside the engine's.

Up to 2.x they see raw margins, not probabilities: a class is a margin above 0 or the largest of a row, and ``mae``,
``mse``, ``rmse``, ``r2`` compare labels with margins, as AWS's do. 3.x hands over what the model answers, and there
AWS's 3.0-5 still compares with 0, which finds every row positive; Cloche takes the probability 0.5 instead.
Definitions are scikit-learn's, whose import would cost more than a small job. Source:
``metrics/custom_metrics.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

from cloche_jobs.algorithms.xgboost.engine import Array, numpy, xgboost
from cloche_jobs.contract.failure import UserError

SEES_MARGINS: Final = "feval" in inspect.signature(xgboost.train).parameters


def custom_metric(names: Sequence[str], objective: str) -> dict[str, Any]:
    """The argument to ``xgboost.train`` that has those ``names`` computed each round; empty without names."""
    if not names:
        return {}
    classes = _from_margins if SEES_MARGINS else _from_answers(objective)

    def evaluate(predictions: Array, matrix: Any) -> list[tuple[str, float]]:
        labels = matrix.get_label()
        return [
            (name, float(_BY_VALUE[name](labels, predictions)))
            if name in _BY_VALUE
            else (name, float(_BY_CLASS[name](_Counts(labels, classes(predictions)))))
            for name in names
        ]

    return {"feval" if SEES_MARGINS else "custom_metric": evaluate}


def _from_margins(predictions: Array) -> Array:
    return predictions.argmax(axis=1) if predictions.ndim > 1 else (predictions > 0).astype(int)


def _from_answers(objective: str) -> Callable[[Array], Array]:
    if objective == "binary:logitraw":
        return _from_margins
    if objective in ("binary:hinge", "multi:softmax"):
        return lambda predictions: predictions.astype(int)
    return lambda predictions: predictions.argmax(axis=1) if predictions.ndim > 1 else (predictions > 0.5).astype(int)


class _Counts:
    """Per class: how often right, predicted, there."""

    def __init__(self, labels: Array, guesses: Array) -> None:
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


def _binary(values: Callable[[_Counts], Array]) -> Callable[[_Counts], float]:
    return lambda counts: counts.of_positive(values(counts))


def _macro(values: Callable[[_Counts], Array]) -> Callable[[_Counts], float]:
    return lambda counts: float(values(counts).mean())


def _accuracy(counts: _Counts) -> float:
    return counts.share_right


def _balanced_accuracy(counts: _Counts) -> float:
    return float(_recalls(counts)[counts.there > 0].mean())


def _squares(labels: Array, predictions: Array) -> Array:
    return numpy.square(labels.astype(float) - predictions.astype(float))


def _mse(labels: Array, predictions: Array) -> float:
    return float(_squares(labels, predictions).mean())


def _r2(labels: Array, predictions: Array) -> float:
    left = float(_squares(labels, predictions).sum())
    whole = float(numpy.square(labels.astype(float) - labels.astype(float).mean()).sum())
    return 1 - left / whole if whole else float(left == 0)


_BY_CLASS: Final[dict[str, Callable[[_Counts], float]]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _macro(_f1s),
    "f1_binary": _binary(_f1s),
    "f1_macro": _macro(_f1s),
    "precision": _binary(_precisions),
    "precision_macro": _macro(_precisions),
    "precision_micro": _accuracy,
    "recall": _binary(_recalls),
    "recall_macro": _macro(_recalls),
    "recall_micro": _accuracy,
}
_BY_VALUE: Final[dict[str, Callable[[Array, Array], float]]] = {
    "mse": _mse,
    "rmse": lambda labels, predictions: _mse(labels, predictions) ** 0.5,
    "mae": lambda labels, predictions: float(numpy.abs(labels.astype(float) - predictions.astype(float)).mean()),
    "r2": _r2,
}
