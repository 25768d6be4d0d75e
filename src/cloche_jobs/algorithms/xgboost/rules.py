"""What AWS's XGBoost checks between hyperparameters, in its own words.

Source: ``algorithm_mode/hyperparameter_validation.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloche_jobs.algorithms.declarations import Rule
from cloche_jobs.algorithms.xgboost.metric_names import MAXIMIZE, MINIMIZE
from cloche_jobs.contract.failure import UserError

_TREE_UPDATERS: Final = (
    "grow_colmaker",
    "distcol",
    "grow_histmaker",
    "grow_skmaker",
    "sync",
    "refresh",
    "prune",
    "grow_quantile_histmaker",
)
_GROWERS: Final = ("grow_colmaker", "distcol", "grow_histmaker", "grow_quantile_histmaker")
_LINEAR_UPDATERS: Final = ("shotgun", "coord_descent")


def eval_metric_known(metric: str) -> bool:
    """Whether one element of ``eval_metric`` is a metric there is; ``error@0.7`` is checked in its own words."""
    if "<function" in metric:
        raise UserError(f"User defined evaluation metric {metric} is not supported yet.")
    if "@" not in metric:
        return metric in MAXIMIZE or metric in MINIMIZE
    name, threshold = (part.strip() for part in metric.split("@", 1))
    if name not in ("error", "ndcg", "map"):
        raise UserError(
            f"Metric '{metric}' is not supported. Parameter 'eval_metric' with customized threshold should "
            "be one of these options: 'error', 'ndcg', 'map'."
        )
    try:
        float(threshold)
    except ValueError:
        raise UserError(f"Threshold value 't' in '{name}@t' expects float input.") from None
    return True


def _updater(value: list[str], values: Mapping[str, Any]) -> None:
    if values.get("booster") == "gblinear":
        if len(value) != 1 or value[0] not in _LINEAR_UPDATERS:
            raise UserError("Linear updater should be one of these options: 'shotgun', 'coord_descent'.")
    elif values.get("process_type") == "update":
        if not all(name in ("refresh", "prune") for name in value):
            raise UserError("process_type 'update' can only be used with updater 'refresh' and 'prune'")
    elif not all(name in _TREE_UPDATERS for name in value):
        raise UserError(
            "Tree updater should be selected from these options: 'grow_colmaker', 'distcol', 'grow_histmaker', "
            "'grow_skmaker', 'grow_quantile_histmaker', 'sync', 'refresh', 'prune', 'shortgun', 'coord_descent'."
        )
    elif sum(name in _GROWERS for name in value) > 1:
        raise UserError(
            "Only one tree grow plugin can be selected. Choose one from the"
            "following: 'grow_colmaker', 'distcol', 'grow_histmaker', 'grow_skmaker'"
        )


def _objective(value: str, values: Mapping[str, Any]) -> None:
    if value in ("multi:softmax", "multi:softprob") and values.get("num_class") is None:
        raise UserError("Require input for parameter 'num_class' for multi-classification")


def _eval_metric(value: list[str], values: Mapping[str, Any]) -> None:
    objective = values.get("objective", "reg:squarederror")
    if "auc" in value and not objective.startswith(("binary:", "rank:")):
        raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in value and objective != "survival:aft":
        raise UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")


def _monotone(value: Any, values: Mapping[str, Any]) -> None:
    if values.get("tree_method") not in ("exact", "hist"):
        raise UserError(
            "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'."
        )


def _interaction(value: Any, values: Mapping[str, Any]) -> None:
    if values.get("tree_method") not in ("exact", "hist", "approx"):
        raise UserError(
            "interaction_constraints can be used only when the tree_method parameter is set to "
            "either 'exact', 'hist' or 'approx'."
        )


RULES: Final = (
    Rule("updater", ("booster", "process_type"), _updater),
    Rule("objective", ("num_class",), _objective),
    Rule("eval_metric", ("objective",), _eval_metric),
    Rule("monotone_constraints", ("tree_method",), _monotone),
    Rule("interaction_constraints", ("tree_method",), _interaction),
)
