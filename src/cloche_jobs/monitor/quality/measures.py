"""The measures of each kind of problem, in the order in which AWS writes them.

Which there are: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html. Definitions are those
of Spark's MLlib (``MulticlassMetrics``, ``BinaryClassificationMetrics``): a precision of nothing is 0, a rate of none
is NaN; weighted measures are weighted by the classes' rows. The best constant classifier answers the most frequent
class, of equally frequent ones the first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cloche_jobs.monitor.quality.curves import areas

Array = Any
NAN = math.nan
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
CONSTANT = "_best_constant_classifier"


def regression(truth: Array, said: Array) -> dict[str, float]:
    apart = truth - said
    squares = float(np.mean(apart * apart))
    spread = float(np.mean(np.square(truth - truth.mean())))
    return {
        "mae": float(np.mean(np.abs(apart))),
        "mse": squares,
        "rmse": math.sqrt(squares),
        "r2": 1 - squares / spread if spread else NAN,
    }


def binary(truth: Array, said: Array, scores: Array | None) -> dict[str, float]:
    """``truth`` and ``said`` are booleans; without ``scores`` there are no areas under curves."""
    model = _of_answers(truth, said)
    constant = _of_answers(truth, np.full(len(truth), truth.sum() * 2 > len(truth)))
    measures = {name: model[name] for name in ("recall", "precision", "accuracy")}
    measures |= {name + CONSTANT: constant[name] for name in ("recall", "precision", "accuracy")}
    measures["true_positive_rate"] = model["recall"]
    measures["true_negative_rate"] = 1 - model["false_positive_rate"]
    measures["false_positive_rate"] = model["false_positive_rate"]
    measures["false_negative_rate"] = 1 - model["recall"]
    if scores is not None:
        measures["auc"], measures["au_prc"] = areas(truth, scores)
    measures |= {name: model[name] for name in BETAS}
    return measures | {name + CONSTANT: constant[name] for name in BETAS}


def _of_answers(truth: Array, said: Array) -> dict[str, float]:
    right = int((truth & said).sum())
    called, real, count = int(said.sum()), int(truth.sum()), len(truth)
    precision = right / called if called else 0.0
    recall = right / real if real else NAN
    return {
        "recall": recall,
        "precision": precision,
        "accuracy": float((truth == said).mean()),
        "false_positive_rate": (called - right) / (count - real) if count > real else NAN,
        **{name: f_score(precision, recall, beta) for name, beta in BETAS.items()},
    }


def f_score(precision: float, recall: float, beta: float) -> float:
    if not precision or not recall:
        return NAN if math.isnan(recall) else 0.0
    return (1 + beta * beta) * precision * recall / (beta * beta * precision + recall)


def multiclass(truth: Array, said: Array, classes: int) -> dict[str, float]:
    """``truth`` and ``said`` are numbers of classes."""
    model = _weighted(truth, said, classes)
    constant = _weighted(truth, np.full(len(truth), np.bincount(truth).argmax()), classes)
    return model | {name + CONSTANT: value for name, value in constant.items()}


def _weighted(truth: Array, said: Array, classes: int) -> dict[str, float]:
    matrix = confusion(truth, said, classes)
    right, real, called = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    shares = real / len(truth)
    precision, recall = right / np.maximum(called, 1), right / np.maximum(real, 1)
    weighted = {
        f"weighted_{name}": sum(
            share * f_score(p, r, beta)
            for share, p, r in zip(shares.tolist(), precision.tolist(), recall.tolist(), strict=True)
        )
        for name, beta in BETAS.items()
    }
    return {
        "accuracy": float(right.sum() / len(truth)),
        "weighted_recall": float(shares @ recall),
        "weighted_precision": float(shares @ precision),
        **weighted,
    }


def confusion(truth: Array, said: Array, classes: int) -> Array:
    """``[i, j]``: rows of class i that were called j."""
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)


def named(matrix: Array, names: list[str]) -> Mapping[str, Mapping[str, int]]:
    return {name: dict(zip(names, row, strict=True)) for name, row in zip(names, matrix.tolist(), strict=True)}
