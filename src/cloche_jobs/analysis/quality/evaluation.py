"""One call from labels and predictions to what the registry, pipelines and people read.

``evaluation.json`` has the names and the form of SageMaker's model quality statistics: a group for the kind of
problem, in it measures as ``{"value", "standard_deviation"}``, with ``"NaN"`` as text for what cannot be said, beside
them curves and the confusion matrix (docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-
metrics.html). AWS's SDK turns it into a model card, and a condition step reads
``binary_classification_metrics.auc.value``. What SageMaker has no name for stands in groups of its own beside it;
orders and clusters (``evaluation_of_orders``, ``evaluation_of_clusters``) have no group of AWS's at all, but the same
form. Standard deviations are the bootstrap's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from cloche_jobs.analysis.quality import baselines, calibration, classification, figures, gains, regression
from cloche_jobs.analysis.quality.arrays import Array, binary, both_classes, numbers, paired
from cloche_jobs.analysis.quality.bootstrap import with_spread
from cloche_jobs.analysis.quality.evaluation_of_clusters import evaluate_clustering
from cloche_jobs.analysis.quality.evaluation_of_orders import evaluate_ranking
from cloche_jobs.analysis.quality.figures import Curve
from cloche_jobs.analysis.quality.report import Evaluation
from cloche_jobs.analysis.quality.slices import slices

__all__ = [
    "evaluate_binary",
    "evaluate_clustering",
    "evaluate_multiclass",
    "evaluate_ranking",
    "evaluate_regression",
]

CURVE_POINTS = 200
RESAMPLES = 200
_RATIOS: dict[str, Callable[[classification.Counts], float]] = {
    "recall": lambda each: each.recall,
    "precision": lambda each: each.precision,
    "accuracy": lambda each: each.accuracy,
    "true_positive_rate": lambda each: each.recall,
    "true_negative_rate": lambda each: 1 - each.false_positive_rate,
    "false_positive_rate": lambda each: each.false_positive_rate,
    "false_negative_rate": lambda each: 1 - each.recall,
    "f0_5": lambda each: each.f(0.5),
    "f1": lambda each: each.f(1),
    "f2": lambda each: each.f(2),
}
_OF_CONSTANT = ("recall", "precision", "accuracy", "f0_5", "f1", "f2")


def evaluate_binary(
    labels: Any,
    scores: Any,
    *,
    threshold: float = 0.5,
    columns: Mapping[str, Any] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    title: str = "Binary classification",
) -> Evaluation:
    """``columns`` of the rows are sliced by AUC. Calibration is told where all scores lie between 0 and 1."""
    truth, given = binary(labels, scores)
    both_classes(truth)

    def measured(measure: Callable[[Array, Array], float], of: Array = given) -> dict[str, float]:
        return with_spread(measure, truth, of, strata=truth, resamples=resamples, seed=seed)

    curve = classification.threshold_curve(truth, given)
    thin = curve.thinned(CURVE_POINTS)
    counts = classification.counts(truth, given, threshold)
    group: dict[str, Any] = {
        "confusion_matrix": {
            "0": {"0": counts.true_negatives, "1": counts.false_positives},
            "1": {"0": counts.false_negatives, "1": counts.true_positives},
        },
        **{name: measured(_at(threshold, ratio)) for name, ratio in _RATIOS.items()},
        "auc": measured(classification.auc),
        "au_prc": measured(classification.average_precision),
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": thin.false_positive_rates,
            "true_positive_rates": thin.recalls,
        },
        "precision_recall_curve": {"precisions": thin.precisions, "recalls": thin.recalls},
    }
    constant = baselines.commonest_class(truth).astype(float)
    for name in _OF_CONSTANT:
        group[f"{name}_best_constant_classifier"] = measured(_at(0.5, _RATIOS[name]), constant)
    found = Evaluation({"binary_classification_metrics": group}, title=title)
    best, best_f1 = curve.best()
    lifted = gains.gains(truth, given)
    further: dict[str, Any] = {
        "rows": len(truth),
        "threshold": threshold,
        "best_f1": {"threshold": best, "value": best_f1},
        "matthews_correlation": counts.matthews,
        "kolmogorov_smirnov": gains.kolmogorov_smirnov(truth, given),
        "lift": {"shares": lifted.shares, "gains": lifted.gains, "lifts": lifted.lifts},
    }
    _binary_plots(found, thin, counts, lifted)
    if given.min() >= 0 and given.max() <= 1:
        _calibration(found, further, calibration.calibration(truth, given))
        further["log_loss"] = classification.log_loss(truth, given)
    found.groups["further_metrics"] = further
    if columns:
        found.groups["slices"] = _sliced(classification.auc, truth, given, columns, resamples, seed, higher=True)
    return found


def evaluate_multiclass(
    labels: Any, predictions: Any, *, resamples: int = RESAMPLES, seed: int = 0, title: str = "Classification"
) -> Evaluation:
    truth, called = paired(labels, predictions)
    truth, called = truth.astype(str), called.astype(str)

    def measured(measure: Callable[[classification.Multiclass], float]) -> dict[str, float]:
        def of_rows(actual: Array, predicted: Array) -> float:
            return measure(classification.multiclass(actual, predicted))

        return with_spread(of_rows, truth, called, strata=truth, resamples=resamples, seed=seed)

    whole = classification.multiclass(truth, called)
    constant = classification.multiclass(truth, baselines.commonest_class(truth))
    measures: dict[str, Callable[[classification.Multiclass], float]] = {
        "accuracy": lambda each: each.accuracy,
        "weighted_recall": lambda each: each.weighted_recall,
        "weighted_precision": lambda each: each.weighted_precision,
        "weighted_f0_5": lambda each: each.weighted_f(0.5),
        "weighted_f1": lambda each: each.weighted_f(1),
        "weighted_f2": lambda each: each.weighted_f(2),
    }
    names = whole.classes
    group: dict[str, Any] = {
        "confusion_matrix": {
            one: dict(zip(names, row, strict=True)) for one, row in zip(names, whole.matrix, strict=True)
        },
        **{name: measured(measure) for name, measure in measures.items()},
    }
    for name, measure in measures.items():
        group[f"{name}_best_constant_classifier"] = {"value": measure(constant), "standard_deviation": 0.0}
    by_class = {
        name: {"precision": p, "recall": r, "f1": f, "rows": n}
        for name, p, r, f, n in zip(names, whole.precision, whole.recall, whole.f1, whole.support, strict=True)
    }
    plots = {"confusion_matrix": figures.matrix("Confusion", "predicted", "actual", names, whole.matrix)}
    return Evaluation({"multiclass_classification_metrics": group, "by_class": by_class}, plots, title)


def evaluate_regression(
    truth: Any,
    predictions: Any,
    *,
    columns: Mapping[str, Any] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    title: str = "Regression",
) -> Evaluation:
    """``columns`` of the rows are sliced by RMSE."""
    actual, predicted = numbers(truth, predictions)
    whole = regression.regression(actual, predicted)

    def measured(name: str) -> dict[str, float]:
        def of_rows(one: Array, other: Array) -> float:
            return float(getattr(regression.regression(one, other), name))

        return with_spread(of_rows, actual, predicted, strata=None, resamples=resamples, seed=seed)

    constant = regression.regression(actual, baselines.mean_value(actual))
    further = {name: value for name, value in whole.as_dict().items() if name not in ("mae", "mse", "rmse", "r2")}
    further["rows"] = len(actual)
    further["rmse_of_the_mean"] = constant.rmse
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    order = np.argsort(actual, kind="stable")[:: max(1, len(actual) // CURVE_POINTS)]
    plots = {
        "predictions": figures.curves(
            "Predictions, by the truth's order",
            "truth",
            "value",
            [Curve("predicted", actual[order], predicted[order]), Curve("equal", ends, ends, dashed=True)],
        ),
        "errors": _histogram(predicted - actual),
    }
    group = {name: measured(name) for name in ("mae", "mse", "rmse", "r2")}
    found = Evaluation({"regression_metrics": group, "further_metrics": further}, plots, title)
    if columns:
        found.groups["slices"] = _sliced(_rmse, actual, predicted, columns, resamples, seed, higher=False)
    return found


def _at(threshold: float, ratio: Callable[[classification.Counts], float]) -> Callable[[Array, Array], float]:
    """A ratio without denominator is 0 here, as the precision of a classifier that calls nothing is in SageMaker's own
    statistics."""

    def measure(truth: Array, given: Array) -> float:
        value = ratio(classification.counts(truth, given, threshold))
        return 0.0 if np.isnan(value) else value

    return measure


def _rmse(truth: Array, predictions: Array) -> float:
    return float(np.sqrt(((predictions - truth) ** 2).mean()))


def _sliced(
    measure: Callable[[Array, Array], float],
    truth: Array,
    given: Array,
    columns: Mapping[str, Any],
    resamples: int,
    seed: int,
    *,
    higher: bool,
) -> list[dict[str, Any]]:
    found = slices(measure, truth, given, columns, higher_is_better=higher, resamples=max(resamples, 100), seed=seed)
    return [
        {
            "name": each.name,
            "rows": each.rows,
            "is_worse": each.is_worse,
            **({} if each.estimate is None else {n: getattr(each.estimate, n) for n in ("value", "low", "high")}),
        }
        for each in found
    ]


def _binary_plots(
    found: Evaluation, thin: classification.ThresholdCurve, counts: classification.Counts, lifted: gains.Gains
) -> None:
    diagonal = Curve("chance", [0, 1], [0, 1], dashed=True)
    roc = Curve("model", thin.false_positive_rates, thin.recalls)
    found.plots["roc"] = figures.curves("ROC", "false positive rate", "true positive rate", [roc, diagonal])
    share = thin.positives / (thin.positives + thin.negatives)
    pr, base = Curve("model", thin.recalls, thin.precisions), Curve("chance", [0, 1], [share, share], dashed=True)
    found.plots["precision_recall"] = figures.curves("Precision and recall", "recall", "precision", [pr, base])
    seen = thin.thresholds[1:]
    found.plots["thresholds"] = figures.curves(
        "By threshold",
        "threshold",
        "value",
        [
            Curve("precision", seen, thin.precisions[1:]),
            Curve("recall", seen, thin.recalls[1:]),
            Curve("F1", seen, thin.f()[1:]),
        ],
    )
    table = [[counts.true_negatives, counts.false_positives], [counts.false_negatives, counts.true_positives]]
    found.plots["confusion_matrix"] = figures.matrix("Confusion", "predicted", "actual", ("0", "1"), table)
    names = [f"{round(100 * share)}%" for share in lifted.shares]
    found.plots["lift"] = figures.bars("Lift, cumulative", "rows by falling score", "lift", names, lifted.lifts, 1.0)


def _calibration(found: Evaluation, further: dict[str, Any], told: calibration.Calibration) -> None:
    further["brier"] = told.brier
    further["calibration"] = {
        "expected_error": told.expected_error,
        "largest_error": told.largest_error,
        "rows": told.counts,
        "mean_scores": told.mean_scores,
        "shares": told.shares,
    }
    found.plots["calibration"] = figures.curves(
        "Calibration",
        "mean score",
        "share of positives",
        [Curve("model", told.mean_scores, told.shares), Curve("perfect", [0, 1], [0, 1], dashed=True)],
    )


def _histogram(errors: Array) -> str:
    counts, edges = np.histogram(errors, bins=12)
    names = [f"{(low + high) / 2:.2g}" for low, high in pairwise(edges)]
    return figures.bars("Errors", "prediction - truth", "rows", names, counts)
