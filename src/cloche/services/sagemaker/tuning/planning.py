"""From a CreateHyperParameterTuningJob request to the engine's plan, with the checks AWS makes on the way."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.engines.tuning import Completion, Definition, Objective, Plan, combinations
from cloche.foundation.errors import Invalid, LimitReached, NotSupported
from cloche.services.sagemaker.images import described_image, find_image
from cloche.services.sagemaker.training.planning import check_plan, plan_training_job
from cloche.services.sagemaker.tuning import facts
from cloche.services.sagemaker.tuning.declared import declared_by, metrics_of
from cloche.services.sagemaker.tuning.ranges import plan_ranges
from cloche.services.sagemaker.tuning.warm_start import parents_of, plan_warm_start

JOBS_MAX: Final = 750
PARALLEL_MAX: Final = 100
"""Both: docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html"""
RESOURCE_MAX: Final = 20_000
EPOCH_KEYS: Final = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Both: docs.aws.amazon.com/sagemaker/latest/APIReference/API_HyperbandStrategyConfig.html"""
_TAKEN_OVER: Final = (
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "RetryStrategy",
    "Environment",
    "AlgorithmSpecification",
)
"""Members of a definition that a training job has under the same name."""


def plan_tuning_job(ctx: Context, arn: str, request: Members) -> Plan:
    """Raises AWS's errors, ``Invalid`` and ``NotSupported``. Reads only."""
    config = request["HyperParameterTuningJobConfig"]
    definitions = tuple(_definitions(ctx, config, request))
    strategy = config["Strategy"]
    jobs_max = _jobs_max(config, definitions)
    parents = parents_of(ctx, request.get("WarmStartConfig"))
    observations, parent_best = plan_warm_start(request, definitions, parents)
    limits, criteria = config["ResourceLimits"], config.get("TuningJobCompletionCriteria") or {}
    convergence = (criteria.get("ConvergenceDetected") or {}).get("CompleteOnConvergence")
    least, most = _resources(config, definitions)
    return Plan(
        arn=arn,
        name=request["HyperParameterTuningJobName"],
        account=ctx.account,
        region=ctx.region,
        strategy=strategy,
        seed=config["RandomSeed"] if config.get("RandomSeed") is not None else secrets.randbits(31),
        definitions=definitions,
        jobs_max=jobs_max,
        parallel_max=limits["MaxParallelTrainingJobs"],
        runtime_seconds_max=limits.get("MaxRuntimeInSeconds"),
        early_stopping=_early_stopping(config),
        min_resource=least,
        max_resource=most,
        completion=Completion(
            target=criteria.get("TargetObjectiveMetricValue"),
            not_improving_max=(criteria.get("BestObjectiveNotImproving") or {}).get(
                "MaxNumberOfTrainingJobsNotImproving"
            ),
            on_convergence=convergence == "Enabled",
        ),
        observations=observations,
        parent_best=parent_best,
        tags=tuple((tag["Key"], tag["Value"]) for tag in request.get("Tags") or ()),
    )


def check_training_jobs(ctx: Context, plan: Plan) -> None:
    """What AWS checks of the training jobs before it begins: roles, data, buckets, images."""
    for definition in plan.definitions:
        made = {**definition.request, "TrainingJobName": f"{plan.name}-001-00000000"}
        check_plan(ctx, made, plan_training_job(ctx, f"{plan.arn}/001", made))


def _definitions(ctx: Context, config: Members, request: Members) -> Sequence[Definition]:
    single, several = request.get("TrainingJobDefinition"), request.get("TrainingJobDefinitions")
    if bool(single) == bool(several):
        raise Invalid("Give either TrainingJobDefinition or TrainingJobDefinitions.", field="TrainingJobDefinition")
    if single:
        objective = config.get("HyperParameterTuningJobObjective")
        ranges = config.get("ParameterRanges")
        return [_definition(ctx, single, "", objective, ranges, "HyperParameterTuningJobConfig")]
    for member in ("HyperParameterTuningJobObjective", "ParameterRanges"):
        if config.get(member):
            raise Invalid(
                f"HyperParameterTuningJobConfig.{member} may not be given together with TrainingJobDefinitions: each "
                "definition has its own.",
                field=member,
            )
    made: list[Definition] = []
    for number, each in enumerate(several or (), 1):
        name = each.get("DefinitionName")
        if not name or name in {other.name for other in made}:
            raise Invalid(f"TrainingJobDefinitions.{number} needs a DefinitionName of its own.", field="DefinitionName")
        where = f"TrainingJobDefinitions.{number}"
        made.append(_definition(ctx, each, name, each.get("TuningObjective"), each.get("HyperParameterRanges"), where))
    if len({each.objective.maximize for each in made}) > 1:
        raise Invalid("All definitions must maximize their objective metric, or all minimize it.", field="Type")
    return made


def _definition(
    ctx: Context, given: Members, name: str, objective: Members | None, ranges: Members | None, where: str
) -> Definition:
    image = described_image(given["AlgorithmSpecification"].get("TrainingImage") or "")
    static = given.get("StaticHyperParameters") or {}
    if objective is None:
        raise Invalid(f"{where} needs an objective.", field="HyperParameterTuningJobObjective")
    planned = plan_ranges(ranges or {}, static, declared_by(image, given))
    if not planned:
        raise facts.NO_RANGES.error(where=where)
    wanted = Objective(objective["MetricName"], objective["Type"] == "Maximize")
    _check_objective(ctx, given, wanted, objective["Type"])
    return Definition(name, given["RoleArn"], wanted, planned, _training_request(given, static))


def _check_objective(ctx: Context, given: Members, wanted: Objective, direction: str) -> None:
    own = {each["Name"] for each in given["AlgorithmSpecification"].get("MetricDefinitions") or ()}
    if wanted.metric in own:
        return
    known = metrics_of(described_image(given["AlgorithmSpecification"]["TrainingImage"]))
    if known is None:
        # First whether the image is there at all: an algorithm of AWS's that Cloche lacks has metrics.
        find_image(
            ctx, given["AlgorithmSpecification"]["TrainingImage"], "TrainingImage", role=given["RoleArn"], bare=True
        )
        raise facts.NO_METRIC.error()
    offered = {metric.name: metric.direction for metric in known if metric.direction is not None}
    if wanted.metric not in offered:
        raise facts.METRIC_UNKNOWN.error(metric=wanted.metric, known=", ".join(offered))
    if offered[wanted.metric] != direction:
        raise facts.METRIC_DIRECTION.error(
            metric=wanted.metric, known=str(offered[wanted.metric]).lower(), given=direction.lower()
        )


def _training_request(given: Members, static: Mapping[str, str]) -> Members:
    request = {member: given[member] for member in _TAKEN_OVER if given.get(member) is not None}
    request["HyperParameters"] = dict(static)
    request["ResourceConfig"] = resource_config(given)
    return request


def resource_config(given: Members) -> Members:
    """A training job's. Of several instance types the first is taken: here there is always capacity."""
    own, tuning = given.get("ResourceConfig"), given.get("HyperParameterTuningResourceConfig")
    if bool(own) == bool(tuning):
        raise Invalid(
            "A definition needs either ResourceConfig or HyperParameterTuningResourceConfig.", field="ResourceConfig"
        )
    if own:
        return dict(own)
    made: dict[str, Any] = {name: value for name, value in (tuning or {}).items() if name in _INSTANCES}
    if made.pop("VolumeKmsKeyId", None):
        raise NotSupported(
            "Cloche does not support HyperParameterTuningResourceConfig.VolumeKmsKeyId yet: encryption of the training "
            "volume with a KMS key."
        )
    configs = (tuning or {}).get("InstanceConfigs")
    if configs and made:
        raise Invalid(
            f"HyperParameterTuningResourceConfig has InstanceConfigs and {next(iter(made))}: only one may be given.",
            field="InstanceConfigs",
        )
    return dict(configs[0]) if configs else made


_INSTANCES: Final = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")


def _jobs_max(config: Members, definitions: Sequence[Definition]) -> int:
    limits, strategy = config["ResourceLimits"], config["Strategy"]
    given: int | None = limits.get("MaxNumberOfTrainingJobs")
    counts = [combinations(definition) for definition in definitions]
    if strategy == "Grid":
        for each in (each for definition in definitions for each in definition.ranges):
            if each.kind != "Categorical":
                raise facts.GRID_NOT_CATEGORICAL.error(name=each.name)
        if given is not None and given != sum(counts):
            raise facts.GRID_COUNT.error(given=str(given), count=f"{sum(counts):.0f}")
        given = int(sum(counts))
    elif given is None:
        criteria = config.get("TuningJobCompletionCriteria") or {}
        if not limits.get("MaxRuntimeInSeconds") and not criteria:
            raise facts.NO_LIMIT.error()
        given = int(min(sum(counts), JOBS_MAX))
    elif sum(counts) < given:
        raise facts.TOO_FEW.error(count=f"{sum(counts):.1f}", most=str(given))
    if given > JOBS_MAX:
        raise LimitReached(f"A tuning job may launch {JOBS_MAX} training jobs; {given} are asked for.")
    if limits["MaxParallelTrainingJobs"] > PARALLEL_MAX:
        raise LimitReached(f"A tuning job may run {PARALLEL_MAX} training jobs at once; more are asked for.")
    return given


def _early_stopping(config: Members) -> bool:
    asked = config.get("TrainingJobEarlyStoppingType") == "Auto"
    if asked and config["Strategy"] == "Hyperband":
        raise facts.NO_EARLY_STOPPING.error(strategy=config["Strategy"])
    return asked


def _resources(config: Members, definitions: Sequence[Definition]) -> tuple[int, int]:
    """(least, most) of Hyperband."""
    given = (config.get("StrategyConfig") or {}).get("HyperbandStrategyConfig")
    if config["Strategy"] != "Hyperband":
        if given:
            raise facts.NOT_HYPERBAND.error()
        return 1, 1
    most = (given or {}).get("MaxResource") or _epochs(definitions)
    least = (given or {}).get("MinResource") or 1
    if not least <= most <= RESOURCE_MAX:
        raise facts.RESOURCES.error(low=str(least), high=str(most))
    return least, most


def _epochs(definitions: Sequence[Definition]) -> int:
    found = []
    for definition in definitions:
        static = definition.request["HyperParameters"]
        value = next((static[key].strip('"') for key in EPOCH_KEYS if key in static), "")
        if not value.isdigit():
            raise facts.NO_MAX_RESOURCE.error()
        found.append(int(value))
    return max(found)
