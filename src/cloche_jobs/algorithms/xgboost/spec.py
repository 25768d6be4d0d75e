"""What built-in XGBoost takes and tells. Standard library alone: the server reads it too.

CreateTrainingJob does not look at hyperparameters; the container does, and the job fails. Names, types, ranges and
recommended tuning ranges: ``algorithm_mode/hyperparameter_validation.py`` of aws/sagemaker-xgboost-container;
defaults: docs.aws.amazon.com/sagemaker/latest/dg/xgboost_hyperparameters.html. Content types:
``data_utils.py`` and ``algorithm_mode/channel_validation.py`` there.
"""

from __future__ import annotations

from typing import Any, Final

from cloche_jobs.algorithms.declarations import (
    Channels,
    ChannelSpec,
    Hyperparameter,
    Hyperparameters,
    Interval,
    Type,
)
from cloche_jobs.algorithms.xgboost.metric_names import MAXIMIZE, METRICS, MINIMIZE
from cloche_jobs.algorithms.xgboost.rules import RULES, eval_metric_known
from cloche_jobs.data.content_types import FORMS

MODEL_FILE: Final = "xgboost-model"
_ANY = Interval(min=0)
_UNIT = Interval(0, 1)
_SHARE = Interval(0, 1, min_open=True)
_FLAG = Interval(0, 1)


def _one(name: str, type: Type, range: Any, default: str | None = None, **more: Any) -> Hyperparameter:
    return Hyperparameter(name, type, range, default, **more)


OBJECTIVES: Final = (
    "aft_loss_distribution",
    "binary:logistic",
    "binary:logitraw",
    "binary:hinge",
    "count:poisson",
    "multi:softmax",
    "multi:softprob",
    "rank:pairwise",
    "rank:ndcg",
    "rank:map",
    "reg:linear",
    "reg:squarederror",
    "reg:logistic",
    "reg:gamma",
    "reg:pseudohubererror",
    "reg:squaredlogerror",
    "reg:absoluteerror",
    "reg:tweedie",
    "survival:aft",
    "survival:cox",
)
_UPDATERS: Final = (
    "grow_colmaker",
    "distcol",
    "grow_histmaker",
    "grow_skmaker",
    "grow_quantile_histmaker",
    "sync",
    "refresh",
    "prune",
    "shotgun",
    "coord_descent",
)
_METHODS: Final = ("auto", "exact", "approx", "hist", "gpu_hist")

_TUNABLE: Final = (
    _one("num_round", "Integer", Interval(min=1), required=True, tunable=Interval(1, 4000)),
    _one("eta", "Continuous", _UNIT, "0.3", tunable=Interval(0.1, 0.5)),
    _one("gamma", "Continuous", _ANY, "0", tunable=Interval(0, 5)),
    _one("max_depth", "Integer", _ANY, "6", tunable=Interval(0, 10)),
    _one("min_child_weight", "Continuous", _ANY, "1", tunable=Interval(0, 120)),
    _one("max_delta_step", "Continuous", _ANY, "0", tunable=Interval(0, 10)),
    _one("subsample", "Continuous", _SHARE, "1", tunable=Interval(0.5, 1)),
    _one("colsample_bytree", "Continuous", _SHARE, "1", tunable=Interval(0.5, 1)),
    _one("colsample_bylevel", "Continuous", _SHARE, "1", tunable=Interval(0.1, 1)),
    _one("colsample_bynode", "Continuous", _SHARE, "1", tunable=Interval(0.1, 1)),
    _one("lambda", "Continuous", _ANY, "1", tunable=Interval(0, 1000)),
    _one("alpha", "Continuous", _ANY, "0", tunable=Interval(0, 1000)),
)
_LEARNING: Final = (
    _one("objective", "Categorical", OBJECTIVES, "reg:squarederror"),
    _one("num_class", "Integer", Interval(min=2)),
    _one("base_score", "Continuous", _ANY, "0.5"),
    _one("eval_metric", "List", (*MAXIMIZE, *MINIMIZE), check=eval_metric_known),
    _one("seed", "Integer", Interval(-(2**31), 2**31 - 1, min_open=True, max_open=True), "0"),
    _one("tweedie_variance_power", "Continuous", Interval(1, 2, min_open=True, max_open=True), "1.5"),
    _one("aft_loss_distribution", "Categorical", ("normal", "logistic", "extreme"), "normal"),
    _one("aft_loss_distribution_scale", "Continuous", _ANY, "1"),
)
_TREES: Final = (
    _one("booster", "Categorical", ("gbtree", "gblinear", "dart"), "gbtree"),
    _one("tree_method", "Categorical", _METHODS, "auto"),
    _one("sketch_eps", "Continuous", Interval(0, 1, min_open=True, max_open=True), "0.03"),
    _one("scale_pos_weight", "Continuous", Interval(0, min_open=True), "1"),
    _one("updater", "List", _UPDATERS, "grow_colmaker,prune"),
    _one("dsplit", "Categorical", ("row", "col"), "row"),
    _one("refresh_leaf", "Integer", _FLAG, "1"),
    _one("process_type", "Categorical", ("default", "update"), "default"),
    _one("grow_policy", "Categorical", ("depthwise", "lossguide"), "depthwise"),
    _one("max_leaves", "Integer", _ANY, "0"),
    _one("max_bin", "Integer", _ANY, "256"),
    _one("predictor", "Categorical", ("auto", "cpu_predictor", "gpu_predictor"), "auto"),
    _one("monotone_constraints", "Tuple", (-1, 0, 1)),
    _one("interaction_constraints", "Nested", Interval(min=1)),
    _one("num_parallel_tree", "Integer", Interval(min=1), "1"),
    _one("single_precision_histogram", "Categorical", ("true", "false"), "false"),
    _one("deterministic_histogram", "Categorical", ("true", "false"), "true"),
    _one("sampling_method", "Categorical", ("uniform", "gradient_based"), "uniform"),
    _one("prob_buffer_row", "Integer", Interval(1, min_open=True)),
)
_DART_AND_LINEAR: Final = (
    _one("sample_type", "Categorical", ("uniform", "weighted"), "uniform"),
    _one("normalize_type", "Categorical", ("tree", "forest"), "tree"),
    _one("rate_drop", "Continuous", _UNIT, "0"),
    _one("one_drop", "Integer", _FLAG, "0"),
    _one("skip_drop", "Continuous", _UNIT, "0"),
    _one("lambda_bias", "Continuous", _UNIT, "0"),
)
_RUN: Final = (
    _one("csv_weights", "Integer", _FLAG, "0"),
    _one("early_stopping_rounds", "Integer", Interval(min=1)),
    _one("verbosity", "Integer", Interval(0, 3), "1"),
    _one("nthread", "Integer", Interval(min=1)),
    _one("save_model_on_termination", "Categorical", ("true", "false"), "false"),
    _one("use_dask_gpu_training", "Categorical", ("true", "false"), "false"),
    _one("_kfold", "Integer", Interval(min=2)),
    _one("_num_cv_round", "Integer", Interval(min=1), "1"),
    _one("_tuning_objective_metric", "Categorical", tuple(m.name for m in METRICS if m.direction)),
)

HYPERPARAMETERS: Final = Hyperparameters(
    declared=(*_TUNABLE, *_LEARNING, *_TREES, *_DART_AND_LINEAR, *_RUN),
    aliases={
        "learning_rate": "eta",
        "min_split_loss": "gamma",
        "reg_lambda": "lambda",
        "reg_alpha": "alpha",
    },
    rules=RULES,
)

_CONTENT_TYPES: Final = tuple(FORMS)
_PIPED_TYPES: Final = tuple(name for name, form in FORMS.items() if form != "libsvm")
CHANNELS: Final = Channels(
    declared=(
        ChannelSpec("train", True, _CONTENT_TYPES, _PIPED_TYPES),
        ChannelSpec("validation", False, _CONTENT_TYPES, _PIPED_TYPES),
        ChannelSpec("code", False, ("text/python",)),
    ),
    default_content_type="text/libsvm",
)
REQUEST_TYPES: Final = ("text/csv", "text/libsvm", "text/x-libsvm", "application/x-recordio-protobuf")
ANSWER_TYPES: Final = ("application/json", "application/jsonlines", "application/x-recordio-protobuf", "text/csv")
"""All of them with selectable inference; CSV and JSON without (``serve.py`` there)."""

__all__ = ["CHANNELS", "HYPERPARAMETERS", "METRICS"]
