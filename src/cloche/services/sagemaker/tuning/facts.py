"""What AWS says of tuning jobs that its model does not."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import Fact, fact

_RANGES: Final = "rule: docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html; words: ours"
_HOW: Final = "rule: docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-how-it-works.html; words: ours"
_WARM: Final = "rule: docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html; words: ours"
_API: Final = "rule: docs.aws.amazon.com/sagemaker/latest/APIReference"


def _invalid(message: str, source: str) -> Fact:
    return fact("ValidationException", message, source=source)


MISSING: Final = fact(
    "ResourceNotFound",
    "Amazon SageMaker can't find a tuning job called {name}. Type another name.",
    source="aws/amazon-sagemaker-examples#1540",
)
DUPLICATE: Final = fact(
    "ResourceInUse",
    "A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.",
    source="aws/amazon-sagemaker-examples#2440",
)
ENDED: Final = _invalid(
    "The request was rejected because the hyperparameter tuning job is in status {status}.",
    "as for a training job (awslabs/benchmark-ai#928); SageMaker's SDK 2 expects a ValidationException",
)
NOT_ENDED: Final = _invalid(
    "The hyperparameter tuning job {name} is in status {status}: only one that has ended can be deleted.",
    f"{_API}/API_DeleteHyperParameterTuningJob.html names no error; words: ours",
)
NO_METRIC: Final = _invalid(
    "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric definitions.",
    "aws/amazon-sagemaker-examples#1207, aws/sagemaker-python-sdk#3932",
)
METRIC_UNKNOWN: Final = _invalid(
    "The objective metric [{metric}] is not one of the algorithm's: {known}.",
    "rule: docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-metrics-variables.html; words: ours",
)
METRIC_DIRECTION: Final = _invalid(
    "The objective metric [{metric}] of the algorithm is to be {known}d, not {given}d.",
    "rule: docs.aws.amazon.com/sagemaker/latest/dg/xgboost-tuning.html (Optimization Direction); words: ours",
)
TOO_FEW: Final = _invalid(
    "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations for "
    "the provided ranges [{count}] must be equal or greater than the value of MaxNumberOfJobs, [{most}]. Provide "
    "additional ranges.",
    "aws/amazon-sagemaker-operator-for-k8s#123",
)
MIN_ABOVE_MAX: Final = _invalid("MinValue {low} of hyperparameter {name} is greater than its MaxValue {high}.", _RANGES)
NOT_A_NUMBER: Final = _invalid("{member} of hyperparameter {name} is not {kind}: {value}", _RANGES)
NOT_LOGARITHMIC: Final = _invalid(
    "Logarithmic scaling works only for ranges that have only values greater than 0; hyperparameter {name} begins with "
    "{low}.",
    _RANGES,
)
NOT_REVERSE: Final = _invalid(
    "Reverse logarithmic scaling works only for continuous ranges entirely within 0 <= x < 1.0; hyperparameter {name} "
    "is from {low} to {high}.",
    _RANGES,
)
NAME_TWICE: Final = _invalid("Hyperparameter {name} is given more than once among ranges and static values.", _RANGES)
VALUE_TWICE: Final = _invalid("Value {value} of hyperparameter {name} is given twice.", _RANGES)
NO_RANGES: Final = _invalid("{where} has no hyperparameter ranges to search.", _RANGES)
NOT_TUNABLE: Final = _invalid("The algorithm has no hyperparameter {name} that could be tuned as {kind}.", _RANGES)
OUT_OF_RANGE: Final = _invalid("Hyperparameter {name}: {value} is not in {range}", _RANGES)
GRID_NOT_CATEGORICAL: Final = _invalid(
    "Only categorical parameters are supported with the Grid strategy; hyperparameter {name} is not.", _HOW
)
GRID_COUNT: Final = _invalid(
    "MaxNumberOfTrainingJobs is {given}; with the Grid strategy it is the number of combinations, {count}, or none.",
    _HOW,
)
NO_EARLY_STOPPING: Final = _invalid(
    "TrainingJobEarlyStoppingType must be Off with the {strategy} strategy.",
    f"{_API}/API_HyperParameterTuningJobConfig.html; words: ours",
)
NO_MAX_RESOURCE: Final = _invalid(
    "MaxResource parameter is not provided and could not be inferred from provided static hyperparameters of "
    "TrainingJobDefinition.",
    "awslabs/graphstorm#1243",
)
RESOURCES: Final = _invalid(
    "HyperbandStrategyConfig: MinResource {low}, MaxResource {high}; from 1 to 20,000, the first not above the second.",
    f"{_API}/API_HyperbandStrategyConfig.html; words: ours",
)
NOT_HYPERBAND: Final = _invalid(
    "StrategyConfig.HyperbandStrategyConfig may only be given with the Hyperband strategy.",
    f"{_API}/API_HyperParameterTuningJobConfig.html; words: ours",
)
NO_LIMIT: Final = _invalid(
    "ResourceLimits needs MaxNumberOfTrainingJobs, MaxRuntimeInSeconds, or a completion criterion.",
    f"{_API}/API_ResourceLimits.html; words: ours",
)
PARENT_RUNS: Final = _invalid("The parent tuning job {name} has not ended: it is in status {status}.", _WARM)
PARENT_OBJECTIVE: Final = _invalid(
    "The objective metric of the parent tuning job {name} is {theirs}; a warm start needs the same, {mine}.", _WARM
)
PARENT_COUNT: Final = _invalid(
    "The total number of static plus tunable hyperparameters must remain the same as in the parent tuning job {name}: "
    "{theirs}, not {mine}.",
    _WARM,
)
PARENT_DATA: Final = _invalid(
    "{member} differs from that of the parent tuning job {name}; with IdenticalDataAndAlgorithm it must be the same.",
    _WARM,
)
PARENT_TWICE: Final = _invalid("The parent tuning job {name} is named twice.", _WARM)
