"""The nouns that can be searched, and where members lie that no request holds."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from cloche.aws.model.load import service_model
from cloche.engines.pipelines import EXECUTION, VERSION, VERSIONS_AS_RECORDS
from cloche.foundation.clock import from_epoch
from cloche.services.sagemaker.experiments.experiment import Experiment
from cloche.services.sagemaker.experiments.trial import Trial
from cloche.services.sagemaker.experiments.trial_component import TrialComponent
from cloche.services.sagemaker.hosting.endpoint import Endpoint
from cloche.services.sagemaker.hosting.model import Model
from cloche.services.sagemaker.pipelines.pipeline import Pipeline
from cloche.services.sagemaker.pipelines.pipeline_execution import view_execution
from cloche.services.sagemaker.registry.model_card import ModelCard
from cloche.services.sagemaker.registry.model_package import ModelPackage
from cloche.services.sagemaker.registry.model_package_group import ModelPackageGroup
from cloche.services.sagemaker.search import related
from cloche.services.sagemaker.search.properties import Place, Property, unknown
from cloche.services.sagemaker.search.searched import (
    Searched,
    column,
    flag,
    in_request,
    in_state,
    searched,
)
from cloche.services.sagemaker.training.training_job import TrainingJob
from cloche.services.sagemaker.tuning.hyper_parameter_tuning_job import HyperParameterTuningJob

_STATISTICS: Final = {"max": "max", "min": "min", "last": "last", "count": "count", "avg": "mean"}
"""Of a metric's summary: as filters name them → as the record's state holds them."""
_DEVIATION: Final = (
    "(SELECT CASE WHEN n > 1 THEN sqrt(s / (n - 1)) ELSE 0.0 END FROM"
    " (SELECT json_extract(records.state, ?) AS n, json_extract(records.state, ?) AS s) WHERE n IS NOT NULL)"
)


def _metric_of_component(rest: str) -> Property:
    """``Metrics.<name>.<statistic>``; without a statistic the last value."""
    name, _, statistic = rest.rpartition(".")
    if '"' in rest:
        raise unknown(f"Metrics.{rest}")
    if statistic.lower() == "stddev" and name:
        path = f'$.metrics."{name}"'
        return Property(f"Metrics.{rest}", "number", _DEVIATION, (f"{path}.count", f"{path}.squares"))
    if not name or statistic.lower() not in _STATISTICS:
        name, statistic = rest, "last"
    path = f'$.metrics."{name}".{_STATISTICS[statistic.lower()]}'
    return Property(f"Metrics.{rest}", "number", "json_extract(records.state, ?)", (path,))


def _metric_of_job(name: str) -> Property:
    sql = (
        "(SELECT json_extract(value, '$[1]') FROM json_each(records.state, '$.metrics')"
        " WHERE json_extract(value, '$[0]') = ?)"
    )
    return Property(f"Metrics.{name}", "number", sql, (name,))


_FLAGS: Final = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")
_DISPLAY_NAME: Final = Place("coalesce(json_extract(records.request, '$.DisplayName'), records.name)", plain=True)
_PARENTS: Final = Place(
    "(SELECT json_group_array(json_object('TrialName', t.name, 'ExperimentName',"
    " json_extract(t.request, '$.ExperimentName'))) FROM trial_members m JOIN records t ON t.arn = m.trial"
    " WHERE m.component = records.arn)"
)
_SLASH: Final = "instr(records.name, '/')"
_PACKAGE: Final = f"CASE WHEN {_SLASH} THEN substr(records.name, 1, {_SLASH} - 1) ELSE records.name END"
_VERSION: Final = f"CASE WHEN {_SLASH} THEN CAST(substr(records.name, {_SLASH} + 1) AS INTEGER) END"


@cache
def resources() -> dict[str, Searched]:
    """By ``ResourceType``. What is not here cannot be made in Cloche, so that nothing of it is ever found."""
    return {**_jobs(), **_experiments(), **_models(), **_pipelines()}


def _jobs() -> dict[str, Searched]:
    ended = {"FailureReason": in_state("failure_reason")}
    return {
        "TrainingJob": searched(
            TrainingJob,
            "TrainingJob",
            {
                **ended,
                "SecondaryStatus": in_state("secondary_status"),
                "TrainingStartTime": in_state("started_at"),
                "TrainingEndTime": in_state("ended_at"),
                "ModelArtifacts.S3ModelArtifacts": in_state("model_artifacts"),
                "WarmPoolStatus.Status": in_state("warm_pool.status"),
                "TuningJobArn": in_request("TuningJobArn"),
                **{name: flag(name) for name in _FLAGS},
            },
            {"Metrics": _metric_of_job},
        ),
        "HyperParameterTuningJob": searched(
            HyperParameterTuningJob,
            "HyperParameterTuningJob",
            {**ended, "HyperParameterTuningEndTime": in_state("ended_at")},
        ),
    }


def _experiments() -> dict[str, Searched]:
    named = {"DisplayName": _DISPLAY_NAME, "Source": in_state("source")}
    return {
        "Experiment": searched(Experiment, "Experiment", named),
        "ExperimentTrial": searched(Trial, "Trial", named, more=related.components_of_trial),
        "ExperimentTrialComponent": searched(
            TrialComponent,
            "TrialComponent",
            {**named, "RunName": in_state("run_name"), "Parents": _PARENTS},
            {"Metrics": _metric_of_component},
            more=related.parents_and_source,
        ),
    }


def _models() -> dict[str, Searched]:
    return {
        "Endpoint": searched(Endpoint, "Endpoint"),
        "Model": searched(
            Model,
            "Model",
            {
                "Model": Place("records.request", times='."$at"'),
                "Model.CreationTime": column("created_at"),
                "Model.EnableNetworkIsolation": flag("EnableNetworkIsolation"),
            },
            wrapped="Model",
        ),
        "ModelPackage": searched(
            ModelPackage,
            "ModelPackage",
            {
                "ModelPackageName": Place(_PACKAGE, plain=True),
                "ModelPackageVersion": Place(_VERSION, plain=True),
                "ApprovalDescription": in_request("ApprovalDescription"),
            },
        ),
        "ModelPackageGroup": searched(ModelPackageGroup, "ModelPackageGroup"),
        "ModelCard": searched(
            ModelCard,
            "ModelCard",
            {
                "ModelCardVersion": in_state("version"),
                **{name: in_state(f"about.{name}") for name in ("ModelId", "RiskRating", "ModelPackageGroupName")},
            },
        ),
    }


def _pipelines() -> dict[str, Searched]:
    requested = (
        *("PipelineArn", "PipelineExecutionDisplayName", "PipelineExecutionDescription", "PipelineExperimentConfig"),
        *("ParallelismConfiguration", "SelectiveExecutionConfig", "PipelineVersionId"),
    )
    version: Any = service_model("sagemaker").shape_for("PipelineVersion")
    return {
        "Pipeline": searched(Pipeline, "Pipeline", {"LastRunTime": in_state("last_run_at")}),
        "PipelineExecution": Searched(
            EXECUTION,
            "PipelineExecution",
            lambda ctx, record: view_execution(record),
            frozenset(requested),
            {
                "PipelineExecutionArn": column("arn"),
                "PipelineExecutionStatus": column("status"),
                "FailureReason": in_state("failure_reason"),
            },
        ),
        "PipelineVersion": Searched(
            VERSION,
            "PipelineVersion",
            lambda ctx, record: {
                **record.request,
                "CreationTime": from_epoch(record.created_at),
                "LastModifiedTime": from_epoch(record.modified_at),
            },
            frozenset(version.members),
            source=VERSIONS_AS_RECORDS,
        ),
    }
