"""From a tuning job's record to what Describe and the lists show beyond the request.

Defaults are shown as AWS shows them. To attach to a tuning job, SageMaker's SDK 2 needs all three lists of ranges,
``TrainingJobEarlyStoppingType``, the metric definitions, ``_tuning_objective_metric`` and ``ResourceConfig``, though it
sends ``HyperParameterTuningResourceConfig`` (``tuner.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.operation import Members
from cloche.engines.tuning import TuningState, from_document
from cloche.foundation.clock import from_epoch
from cloche.services.sagemaker.images import described_image
from cloche.services.sagemaker.training.planning import metric_definitions
from cloche.services.sagemaker.tuning.autotune import resolved
from cloche.services.sagemaker.tuning.planning import resource_config
from cloche.storage.metadata.records import Record

OBJECTIVE: Final = "_tuning_objective_metric"
_RANGES: Final = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")


def view_tuning_job(record: Record) -> Members:
    request, state = resolved(record.request), from_document(record.state)
    config: Members = {"TrainingJobEarlyStoppingType": "Off", **request["HyperParameterTuningJobConfig"]}
    single, several = request.get("TrainingJobDefinition"), request.get("TrainingJobDefinitions")
    if single:
        config["ParameterRanges"] = _ranges(config.get("ParameterRanges") or {})
        single = _definition(single, config["HyperParameterTuningJobObjective"]["MetricName"])
    return {
        **view_summary(record),
        "HyperParameterTuningJobConfig": config,
        "TrainingJobDefinition": single,
        "TrainingJobDefinitions": [
            {
                **_definition(each, each["TuningObjective"]["MetricName"]),
                "HyperParameterRanges": _ranges(each.get("HyperParameterRanges") or {}),
            }
            for each in several or ()
        ]
        or None,
        "BestTrainingJob": None if state.best is None else view_trial(state.best),
        "OverallBestTrainingJob": None if state.overall_best is None else view_trial(state.overall_best),
        "FailureReason": state.failure_reason,
        "TuningJobCompletionDetails": _completion(state),
        "ConsumedResources": {"RuntimeInSeconds": state.runtime_seconds},
    }


def view_summary(record: Record) -> Members:
    state = from_document(record.state)
    config = resolved(record.request)["HyperParameterTuningJobConfig"]
    counters = state.counters
    return {
        "Strategy": config["Strategy"],
        "ResourceLimits": config["ResourceLimits"],
        "HyperParameterTuningEndTime": _time(state.ended_at),
        "TrainingJobStatusCounters": {
            "Completed": counters.completed,
            "InProgress": counters.in_progress,
            "RetryableError": counters.retryable_error,
            "NonRetryableError": counters.non_retryable_error,
            "Stopped": counters.stopped,
        },
        "ObjectiveStatusCounters": {
            "Succeeded": counters.objective_succeeded,
            "Pending": counters.objective_pending,
            "Failed": counters.objective_failed,
        },
    }


def view_trial(trial: Mapping[str, Any]) -> Members:
    """HyperParameterTrainingJobSummary, of a trial as the engine tells it."""
    shown: Members = {
        "TrainingJobName": trial["name"],
        "TrainingJobArn": trial["arn"],
        "CreationTime": from_epoch(trial["created_at"]),
        "TrainingJobStatus": trial["status"],
        "TunedHyperParameters": trial["chosen"],
        "ObjectiveStatus": trial["objective_status"],
    }
    for member, value in (
        ("TrainingJobDefinitionName", trial["definition"] or None),
        ("TrainingStartTime", _time(trial["started_at"])),
        ("TrainingEndTime", _time(trial["ended_at"])),
        ("FailureReason", trial["reason"]),
    ):
        if value is not None:
            shown[member] = value
    if trial["objective"] is not None:
        shown["FinalHyperParameterTuningJobObjectiveMetric"] = {
            "Type": "Maximize" if trial["maximize"] else "Minimize",
            "MetricName": trial["metric"],
            "Value": trial["objective"],
        }
    return shown


def _definition(given: Members, metric: str) -> Members:
    algorithm = dict(given["AlgorithmSpecification"])
    static = given.get("StaticHyperParameters") or {}
    told = {"AlgorithmSpecification": algorithm, "HyperParameters": static, "Environment": given.get("Environment")}
    definitions = metric_definitions(described_image(algorithm["TrainingImage"]), told)
    return {
        **given,
        "AlgorithmSpecification": {**algorithm, "MetricDefinitions": list(definitions)},
        "StaticHyperParameters": {**static, OBJECTIVE: metric},
        "OutputDataConfig": {"KmsKeyId": "", **given["OutputDataConfig"]},
        "ResourceConfig": resource_config(given),
        "EnableNetworkIsolation": bool(given.get("EnableNetworkIsolation")),
        "EnableInterContainerTrafficEncryption": bool(given.get("EnableInterContainerTrafficEncryption")),
        "EnableManagedSpotTraining": bool(given.get("EnableManagedSpotTraining")),
    }


def _ranges(given: Members) -> Members:
    shown: Members = {name: list(given.get(name) or ()) for name in _RANGES}
    for name in _RANGES[:2]:
        shown[name] = [{"ScalingType": "Auto", **each} for each in shown[name]]
    return {**given, **shown}


def _completion(state: TuningState) -> Members:
    shown: Members = {"NumberOfTrainingJobsObjectiveNotImproving": state.not_improving}
    if state.converged_at is not None:
        shown["ConvergenceDetectedTime"] = from_epoch(state.converged_at)
    return shown


def _time(at: float | None) -> Any:
    return None if at is None else from_epoch(at)
