"""Names of the evaluation metrics AWS's XGBoost offers, and which way each is better.

Source: ``constants/xgb_constants.py`` of aws/sagemaker-xgboost-container. The expression is the one in a
DescribeTrainingJob answer for ``sagemaker-xgboost:1.5-1`` of 2025-05-16; that answer lists 27 of the names, Cloche
lists each of them for both channels.
"""

from __future__ import annotations

from typing import Final

from cloche_jobs.algorithms.declarations import Metric

MAXIMIZE: Final = (
    "accuracy",
    "auc",
    "aucpr",
    "balanced_accuracy",
    "f1",
    "f1_binary",
    "f1_macro",
    "map",
    "ndcg",
    "precision",
    "r2",
    "recall",
    "precision_macro",
    "precision_micro",
    "recall_macro",
    "recall_micro",
)
MINIMIZE: Final = (
    "aft-nloglik",
    "cox-nloglik",
    "error",
    "gamma-deviance",
    "gamma-nloglik",
    "interval-regression-accuracy",
    "logloss",
    "mae",
    "mape",
    "merror",
    "mlogloss",
    "mphe",
    "mse",
    "poisson-nloglik",
    "rmse",
    "rmsle",
    "tweedie-nloglik",
)
COMPUTED_BY_US: Final = (
    "accuracy",
    "balanced_accuracy",
    "f1",
    "f1_binary",
    "f1_macro",
    "mse",
    "rmse",
    "mae",
    "precision",
    "precision_macro",
    "precision_micro",
    "r2",
    "recall",
    "recall_macro",
    "recall_micro",
)
"""Those the container computes itself, beside the engine's own (``metrics/custom_metrics.py``)."""

_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"


def _definition(channel: str, name: str) -> Metric:
    direction = None if channel == "train" else "Maximize" if name in MAXIMIZE else "Minimize"
    return Metric(f"{channel}:{name}", rf".*\[[0-9]+\].*#011{channel}-{name}:{_NUMBER}.*", direction)  # type: ignore[arg-type]


METRICS: Final = tuple(
    _definition(channel, name) for channel in ("train", "validation") for name in (*MAXIMIZE, *MINIMIZE)
)
