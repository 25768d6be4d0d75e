"""From a CreateTrainingJob request to the engine's plan, with the checks AWS makes on the way.

What AWS checks at create, and in what words: the facts below. Hyperparameters it leaves to the container.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Final

from cloche.aws.errors import fact
from cloche.aws.operation import Context, Members, Shared
from cloche.engines.training import Metric, Plan
from cloche.foundation.errors import Invalid, NotSupported
from cloche.foundation.limits import GIB
from cloche.services.sagemaker.checks import check_objects, check_role
from cloche.services.sagemaker.images import find_image
from cloche.services.sagemaker.training.channels import address, plan_channels
from cloche.services.sagemaker.training.cluster import check_groups_of_channels, plan_groups
from cloche.services.sagemaker.training.outputs import check_bucket, check_kept, plan_checkpoints, plan_tensorboard
from cloche.services.sagemaker.training.refusals import refuse_what_is_not_done
from cloche.services.sagemaker.vpc import check_vpc, notice_of
from cloche_jobs import catalog
from cloche_jobs.algorithms.declarations import metric_definitions as declared_metrics

MAX_RUNTIME_SECONDS_DEFAULT: Final = 86_400
MAX_RUNTIME_SECONDS_MAX: Final = 28 * 86_400
"""Both: docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html"""
WAIT_WITHOUT_SPOT: Final = fact(
    "ValidationException",
    "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true",
    source="Kenza-AI/sagify#111, aws/sagemaker-python-sdk#4140",
)
WAIT_TOO_SHORT: Final = fact(
    "ValidationException",
    "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds",
    source="rule: docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html; words: Cloche's own",
)

NO_VPC: Final = fact(
    "ValidationException",
    "Channel {channel} is a file system, which is reached through a VPC: VpcConfig is required.",
    source="rule: docs.aws.amazon.com/sagemaker/latest/dg/model-access-training-data.html; words: Cloche's own",
)


def check_plan(ctx: Context, request: Members, plan: Plan) -> None:
    """Raises what AWS answers for a role, bucket or prefix that is not there; reads only."""
    check_role(ctx, plan.role_arn)
    if not plan.network and not ctx.parts.training.runtime.capabilities.private_network:
        raise NotSupported(
            "EnableNetworkIsolation needs a sandbox, and bubblewrap (bwrap) is not there or does not work here."
        )
    if len(plan.hosts) > 1 and not ctx.parts.training.runtime.capabilities.several_hosts:
        raise NotSupported(
            "Training on more than one instance needs a sandbox for each, and bubblewrap (bwrap) is not there or does "
            "not work here."
        )
    ctx.parts.training.check(plan)
    for channel in plan.channels:
        check_objects(ctx, channel, plan.role_arn)
    for directory in plan.directories:
        ctx.parts.equipment.file_systems.mount(directory, "")
        if not directory.writable and not ctx.parts.training.runtime.capabilities.private_files:
            raise NotSupported(
                f"FileSystemAccessMode ro (channel {directory.name}) needs a sandbox, and bubblewrap (bwrap) is not "
                "there or does not work here: nothing would keep the job from writing. rw can be had."
            )
    check_bucket(ctx, plan.output_bucket, "OutputDataConfig.S3OutputPath")
    check_kept(ctx, plan, private_files=ctx.parts.training.runtime.capabilities.private_files)


def plan_training_job(ctx: Context, arn: str, request: Members) -> Plan:
    """Raises ``NotSupported`` and ``Invalid``, by name, for what cannot be done."""
    refuse_what_is_not_done(request)
    algorithm = request.get("AlgorithmSpecification") or {}
    resources = request.get("ResourceConfig") or {}
    if not algorithm.get("TrainingImage"):
        raise Invalid("AlgorithmSpecification.TrainingImage is required.", field="TrainingImage")
    groups = plan_groups(resources)
    channels, directories = plan_channels(request.get("InputDataConfig") or (), algorithm.get("TrainingInputMode"))
    check_groups_of_channels(channels, groups)
    vpc = request.get("VpcConfig")
    check_vpc(vpc)
    if directories and not vpc:
        raise NO_VPC.error(channel=directories[0].name)
    arguments = tuple(algorithm.get("ContainerArguments") or ())
    found = find_image(ctx, algorithm["TrainingImage"], "TrainingImage", role=request["RoleArn"], bare=True)
    image = catalog.for_client(found, arguments)
    check_program(image, algorithm.get("ContainerEntrypoint"))
    bucket, prefix = address(request["OutputDataConfig"]["S3OutputPath"], "OutputDataConfig.S3OutputPath")
    prefix = prefix.rstrip("/")
    name = request["TrainingJobName"]
    max_runtime = _max_runtime(request)
    return Plan(
        arn=arn,
        name=name,
        account=ctx.account,
        region=ctx.region,
        role_arn=request["RoleArn"],
        image=image.key,
        output_bucket=bucket,
        output_prefix=f"{prefix}/{name}" if prefix else name,
        groups=groups,
        max_runtime_seconds=max_runtime,
        hyperparameters=request.get("HyperParameters") or {},
        environment=request.get("Environment") or {},
        channels=channels,
        directories=directories,
        metrics=_metrics(image, request),
        network=not request.get("EnableNetworkIsolation"),
        entrypoint=tuple(algorithm.get("ContainerEntrypoint") or ()),
        arguments=arguments,
        volume_bytes=resources["VolumeSizeInGB"] * GIB if resources.get("VolumeSizeInGB") else None,
        compressed=request["OutputDataConfig"].get("CompressionType") != "NONE",
        checkpoints=plan_checkpoints(request.get("CheckpointConfig")),
        tensorboard=plan_tensorboard(request.get("TensorBoardOutputConfig")),
        max_wait_seconds=_max_wait(request, max_runtime),
        keep_alive_seconds=resources.get("KeepAlivePeriodInSeconds") or 0,
        retries=(request.get("RetryStrategy") or {}).get("MaximumRetryAttempts", 0),
        notice=notice_of(vpc, network=not request.get("EnableNetworkIsolation")),
    )


def check_program(image: catalog.Image, entrypoint: Sequence[str] | None) -> None:
    """AWS starts such a job, and it fails when its image has nothing to start."""
    if image.mode is catalog.Mode.BARE and not entrypoint:
        raise Invalid(
            f"{image.name} has no program of its own: name one in ContainerEntrypoint.", field="TrainingImage"
        )


def metric_definitions(image: catalog.Image | None, request: Members) -> Sequence[dict[str, str]]:
    """The caller's own, and those of a built-in algorithm's image, whether the algorithm or a script runs in it: AWS's
    sm-managed_spot_training_xgboost (aws/amazon-sagemaker-examples) tunes a script by ``validation:rmse`` and defines
    none.

    Clients read the names from the description (``TrainingJobAnalytics`` of the SDK).
    """
    defined = list((request.get("AlgorithmSpecification") or {}).get("MetricDefinitions") or ())
    if image is None or image.spec is None:
        return defined
    published = _published(image.spec)
    if not defined:
        return published
    taken = {each["Name"] for each in defined}
    return [*defined, *(each for each in published if each["Name"] not in taken)]


@cache
def _published(spec: str) -> Shared:
    """The metrics of an algorithm, by the name of the module that declares them."""
    return Shared(declared_metrics(importlib.import_module(spec).METRICS))


def _metrics(image: catalog.Image, request: Members) -> tuple[Metric, ...]:
    own = {each["Name"] for each in (request["AlgorithmSpecification"].get("MetricDefinitions") or ())}
    definitions = metric_definitions(image, request)
    return tuple(Metric(each["Name"], each["Regex"], each["Name"] not in own) for each in definitions)


def _max_runtime(request: Members) -> float:
    seconds = (request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", MAX_RUNTIME_SECONDS_DEFAULT)
    if seconds > MAX_RUNTIME_SECONDS_MAX:
        raise Invalid(
            f"MaxRuntimeInSeconds is {seconds}; the maximum is {MAX_RUNTIME_SECONDS_MAX} (28 days).",
            field="MaxRuntimeInSeconds",
        )
    return float(seconds)


def _max_wait(request: Members, max_runtime: float) -> float | None:
    """``None`` but for managed spot training."""
    seconds = (request.get("StoppingCondition") or {}).get("MaxWaitTimeInSeconds")
    if not request.get("EnableManagedSpotTraining"):
        if seconds is not None:
            raise WAIT_WITHOUT_SPOT.error()
        return None
    if seconds is None or seconds < max_runtime:
        raise WAIT_TOO_SHORT.error()
    return float(seconds)
