"""From a CreateProcessingJob request to the engine's plan, with the checks AWS makes on the way.

Sources: docs.aws.amazon.com/sagemaker/latest/APIReference, pages API_CreateProcessingJob, API_ProcessingInput,
API_ProcessingS3Input, API_ProcessingOutput.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.engines.processing import Input, Output, Plan
from cloche.foundation.errors import Invalid, NotSupported
from cloche.foundation.limits import GIB, INSTANCES_PER_JOB_MAX
from cloche.jobs.hosts import Group
from cloche.jobs.java import NEEDED, java_home
from cloche.services.sagemaker.checks import check_objects, check_role
from cloche.services.sagemaker.images import find_image
from cloche.services.sagemaker.processing.local_paths import check_apart, plan_local_path
from cloche.services.sagemaker.processing.refusals import refuse_what_is_not_done
from cloche.services.sagemaker.training.channels import address
from cloche.services.sagemaker.training.outputs import check_bucket
from cloche.services.sagemaker.vpc import check_vpc, notice_of
from cloche_jobs import catalog

MAX_RUNTIME_SECONDS_DEFAULT: Final = 86_400
"""docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProcessingStoppingCondition.html says none for processing; a
day, as in the documented processingjobconfig.json (dg/build-your-own-processing-container.html)."""
INPUT_DEFAULTS: Final = {
    "S3InputMode": "File",
    "S3DataDistributionType": "FullyReplicated",
    "S3CompressionType": "None",
}


def plan_processing_job(ctx: Context, arn: str, request: Members) -> Plan:
    """Raises ``NotSupported`` and ``Invalid``, by name, for what cannot be done."""
    refuse_what_is_not_done(request)
    specification = request["AppSpecification"]
    cluster = request["ProcessingResources"]["ClusterConfig"]
    image = find_image(ctx, specification["ImageUri"], "ImageUri", role=request["RoleArn"], processing=True, bare=True)
    entrypoint = tuple(specification.get("ContainerEntrypoint") or image.entrypoint)
    if not entrypoint and image.mode is not catalog.Mode.OWN:
        raise NotSupported(
            f"Cloche does not support a processing job without AppSpecification.ContainerEntrypoint for {image.key}: "
            "the image has no program of its own for processing."
        )
    inputs = _inputs(request.get("ProcessingInputs") or ())
    outputs = _outputs((request.get("ProcessingOutputConfig") or {}).get("Outputs") or ())
    check_apart(inputs, outputs)
    max_runtime = (request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", MAX_RUNTIME_SECONDS_DEFAULT)
    networking = request.get("NetworkConfig") or {}
    network, vpc = not networking.get("EnableNetworkIsolation"), networking.get("VpcConfig")
    check_vpc(vpc, "NetworkConfig.VpcConfig")
    return Plan(
        arn=arn,
        name=request["ProcessingJobName"],
        account=ctx.account,
        region=ctx.region,
        role_arn=request["RoleArn"],
        image=image.key,
        instances=_instances(cluster),
        max_runtime_seconds=float(max_runtime),
        entrypoint=entrypoint,
        arguments=tuple(specification.get("ContainerArguments") or ()),
        inputs=inputs,
        outputs=outputs,
        environment=request.get("Environment") or {},
        network=network,
        volume_bytes=cluster["VolumeSizeInGB"] * GIB,
        configuration=_configuration(arn, request, max_runtime),
        notice=notice_of(vpc, network=network),
    )


def check_plan(ctx: Context, plan: Plan) -> None:
    """Raises what AWS answers for a role, bucket or prefix that is not there; reads only."""
    check_role(ctx, plan.role_arn)
    able = ctx.parts.equipment.runtime.capabilities
    if not plan.network and not able.private_network:
        raise NotSupported(
            "EnableNetworkIsolation needs a sandbox, and bubblewrap (bwrap) is not there or does not work here."
        )
    if len(plan.hosts) > 1 and not able.several_hosts:
        raise NotSupported(
            "Processing on more than one instance needs a sandbox for each, and bubblewrap (bwrap) is not there or "
            "does not work here."
        )
    if catalog.by_key(plan.image).needs_java and java_home() is None:
        raise NotSupported(NEEDED)
    for input in plan.inputs:
        check_objects(ctx, input, plan.role_arn)
    for output in plan.outputs:
        check_bucket(ctx, output.bucket, "S3Output.S3Uri")


def _instances(cluster: Members) -> Group:
    if not cluster.get("InstanceType") or not cluster.get("InstanceCount"):
        raise Invalid("ClusterConfig needs InstanceType and InstanceCount.", field="ClusterConfig")
    if cluster["InstanceCount"] > INSTANCES_PER_JOB_MAX:
        raise Invalid(
            f"{cluster['InstanceCount']} instances are asked for; all of them run on this machine, and a job may have "
            f"{INSTANCES_PER_JOB_MAX}.",
            field="InstanceCount",
        )
    return Group(cluster["InstanceType"], cluster["InstanceCount"])


def _inputs(given: Iterable[Members]) -> tuple[Input, ...]:
    planned: list[Input] = []
    names: set[str] = set()
    for number, each in enumerate(given, 1):
        where, source = f"ProcessingInputs.{number}", each.get("S3Input")
        _check_name(each["InputName"], names, f"{where}.InputName")
        if not source:
            raise Invalid(f"{where} needs an S3Input.", field="S3Input")
        bucket, prefix = address(source["S3Uri"], f"{where}.S3Input.S3Uri")
        if each.get("AppManaged"):
            continue
        mode = {**INPUT_DEFAULTS, **source}
        if mode["S3CompressionType"] == "Gzip" and mode["S3InputMode"] != "Pipe":
            raise Invalid(
                f"{where}.S3Input.S3CompressionType Gzip can only be used with S3InputMode Pipe.",
                field="S3CompressionType",
            )
        planned.append(
            Input(
                name=each["InputName"],
                bucket=bucket,
                prefix=prefix,
                data_type=source["S3DataType"],
                distribution=mode["S3DataDistributionType"],
                compression=mode["S3CompressionType"],
                local_path=plan_local_path(source.get("LocalPath"), f"{where}.S3Input"),
                input_mode=mode["S3InputMode"],
            )
        )
    return tuple(planned)


def _outputs(given: Iterable[Members]) -> tuple[Output, ...]:
    planned: list[Output] = []
    names: set[str] = set()
    for number, each in enumerate(given, 1):
        where, target = f"ProcessingOutputConfig.Outputs.{number}", each.get("S3Output")
        _check_name(each["OutputName"], names, f"{where}.OutputName")
        if not target:
            raise Invalid(f"{where} needs an S3Output.", field="S3Output")
        bucket, prefix = address(target["S3Uri"], f"{where}.S3Output.S3Uri")
        if not each.get("AppManaged"):
            path = plan_local_path(target.get("LocalPath"), f"{where}.S3Output")
            is_continuous = target["S3UploadMode"] == "Continuous"
            planned.append(Output(each["OutputName"], bucket, prefix.rstrip("/"), path, is_continuous))
    return tuple(planned)


def _check_name(name: str, names: set[str], where: str) -> None:
    if not name or name in names:
        raise Invalid(f"{where} {name[:200]!r} is used twice." if name else f"{where} is empty.", field=where)
    names.add(name)


def _configuration(arn: str, request: Members, max_runtime: int) -> dict[str, Any]:
    """``processingjobconfig.json``; its members as documented (dg/build-your-own-processing-container.html)."""
    specification, outputs = request["AppSpecification"], request.get("ProcessingOutputConfig") or {}
    cluster = request["ProcessingResources"]["ClusterConfig"]
    return {
        "ProcessingJobArn": arn,
        "ProcessingJobName": request["ProcessingJobName"],
        "AppSpecification": {"ContainerEntrypoint": None, "ContainerArguments": None, **specification},
        "Environment": request.get("Environment") or {},
        "ProcessingInputs": [_configured(each) for each in request.get("ProcessingInputs") or ()],
        "ProcessingOutputConfig": {"KmsKeyId": None, "Outputs": [], **outputs},
        "ProcessingResources": {"ClusterConfig": {"VolumeKmsKeyId": None, **cluster}},
        "RoleArn": request["RoleArn"],
        "StoppingCondition": {"MaxRuntimeInSeconds": max_runtime},
    }


def _configured(input: Members) -> Members:
    source = {**INPUT_DEFAULTS, **input["S3Input"], "S3DownloadMode": "StartOfJob"}
    return {**input, "AppManaged": bool(input.get("AppManaged")), "S3Input": source}
