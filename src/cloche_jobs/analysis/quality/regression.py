"""Errors of predicted numbers.

With errors e = prediction - truth: MAE mean|e|, MSE mean e², RMSE its root, R² 1 - Σe²/Σ(truth - mean)², MAPE
mean|e/truth| over rows whose truth is not 0, sMAPE mean 2|e|/(|truth| + |prediction|) (Makridakis 1993; 0/0 counts as
0). What is left to explain is scikit-learn's and scipy's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics

from cloche_jobs.analysis.quality.arrays import numbers

NAN = float("nan")


@dataclass(frozen=True)
class Regression:
    mae: float
    mse: float
    rmse: float
    r2: float
    median_absolute_error: float
    largest_error: float
    bias: float
    """mean(prediction - truth)"""
    mape: float
    smape: float
    explained_variance: float
    pearson: float
    spearman: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def regression(truth: Any, predictions: Any) -> Regression:
    """``nan`` for what the rows cannot say: correlations and R² of a truth that does not vary."""
    actual, predicted = numbers(truth, predictions)
    errors = predicted - actual
    varies = bool(np.ptp(actual))
    both_vary = varies and bool(np.ptp(predicted))
    mse = float((errors**2).mean())
    not_zero = actual != 0
    sizes = np.abs(actual) + np.abs(predicted)
    symmetric = np.divide(2 * np.abs(errors), sizes, out=np.zeros_like(sizes), where=sizes > 0)
    return Regression(
        mae=float(np.abs(errors).mean()),
        mse=mse,
        rmse=mse**0.5,
        r2=float(metrics.r2_score(actual, predicted)) if varies else NAN,
        median_absolute_error=float(np.median(np.abs(errors))),
        largest_error=float(np.abs(errors).max()),
        bias=float(errors.mean()),
        mape=float(np.abs(errors[not_zero] / actual[not_zero]).mean()) if not_zero.any() else NAN,
        smape=float(symmetric.mean()),
        explained_variance=float(metrics.explained_variance_score(actual, predicted)) if varies else NAN,
        pearson=float(stats.pearsonr(actual, predicted)[0]) if both_vary else NAN,
        spearman=float(stats.spearmanr(actual, predicted)[0]) if both_vary else NAN,
    )


def pinball_loss(truth: Any, predictions: Any, quantile: float) -> float:
    """Koenker and Bassett 1978: what a predicted quantile costs; scikit-learn's ``mean_pinball_loss``."""
    actual, predicted = numbers(truth, predictions)
    return float(metrics.mean_pinball_loss(actual, predicted, alpha=quantile))
