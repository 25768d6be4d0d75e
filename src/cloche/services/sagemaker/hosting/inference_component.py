"""Inference components: models that share the instances of an endpoint, each in as many copies as it asks for."""

from __future__ import annotations

import sqlite3
from typing import Any, ClassVar, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.hosting.plan import COMPONENT, Capacity, EndpointPlan, FleetPlan, VariantPlan
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Conflict, Invalid
from cloche.services.sagemaker.hosting.endpoint import Endpoint
from cloche.services.sagemaker.hosting.endpoint_config import check_count, find_endpoint_config
from cloche.services.sagemaker.hosting.instance_types import capacity_of, memory_of
from cloche.services.sagemaker.hosting.model import (
    Artefact,
    artefact_of,
    check_artefact,
    container_of,
    find_model,
    own_digest,
)
from cloche.services.sagemaker.hosting.placing import COMPONENT_KIND, Need, components_on, fits
from cloche.services.sagemaker.hosting.refusing import refuse
from cloche.services.sagemaker.vpc import notice_of
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

BUSY: Final = fact(
    "ValidationException",
    'Cannot update in-progress inference component "{arn}".',
    source="the form of aws/amazon-sagemaker-operator-for-k8s (DeleteEndpointInProgressMessagePrefix)",
)
_REFUSED: Final = {"Specifications": "a specification for each instance type", "DeploymentConfig": "updates in steps"}
_REFUSED_OF_SPECIFICATION: Final = {
    "InstanceType": "a specification for each instance type",
    "BaseInferenceComponentName": "adapters on a base component",
    "DataCacheConfig": "caching of artefacts",
    "SchedulingConfig": "a strategy of placement",
}
_REFUSED_OF_NEEDS: Final = {
    "NumberOfAcceleratorDevicesRequired": "accelerators",
    "AcceleratorPartitionType": "accelerators",
    "MaxMemoryRequiredInMb": "a limit on a copy's memory",
}


class InferenceComponent(Resource):
    """Copies of a model on a variant's instances, with a name of their own for requests."""

    operations: ClassVar = (
        "CreateInferenceComponent",
        "DescribeInferenceComponent",
        "ListInferenceComponents",
        "UpdateInferenceComponent",
        "DeleteInferenceComponent",
    )
    arn: ClassVar = "inference-component/{InferenceComponentName}"
    status: ClassVar = "InferenceComponentStatus"
    missing: ClassVar[Fact] = fact(
        "ValidationException",
        'Could not find inference component "{arn}".',
        source="the form of aws/amazon-sagemaker-examples#2402",
    )
    duplicate: ClassVar[Fact] = fact(
        "ValidationException",
        'Cannot create already existing inference component "{arn}".',
        source="the form of aws/sagemaker-python-sdk#101",
    )

    def check(self, ctx: Context, request: Members) -> None:
        _check_specification(request)
        _planned(ctx, ctx.parts.database.reader, request)

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        plan = _planned(ctx, tx, request)
        kept = {**record.request, "VariantName": plan.name}
        records.replace_request(tx, record.arn, kept, record.created_at)
        name = f"{request['EndpointName']}{COMPONENT}{record.name}"
        fleet = FleetPlan(record.name, (plan,))
        ctx.parts.hosting.submit(tx, EndpointPlan(record.arn, name, ctx.account, ctx.region, fleet))

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        kept = super().updated(ctx, tx, record, request)
        _check_specification(kept)
        plan = _planned(ctx, tx, kept)
        try:
            ctx.parts.hosting.update(tx, record.arn, FleetPlan(record.name, (plan,)))
        except Conflict:
            raise BUSY.error(arn=record.arn) from None
        return kept

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        try:
            ctx.parts.hosting.delete(tx, record.arn)
        except Conflict:
            raise BUSY.error(arn=record.arn) from None

    def shown(self, ctx: Context, record: Record) -> Members:
        state = record.state
        current = next(iter(state.get("variants") or ()), None)
        container = record.request["Specification"].get("Container")
        shown: Members = {
            "EndpointArn": f"arn:aws:sagemaker:{record.region}:{record.account}:endpoint/"
            f"{record.request['EndpointName']}",
            "FailureReason": state.get("failure"),
            "RuntimeConfig": {
                "DesiredCopyCount": record.request["RuntimeConfig"]["CopyCount"],
                "CurrentCopyCount": current["instance_count"] if current else 0,
            },
        }
        if container is not None:
            deployed: Members = {"SpecifiedImage": container["Image"]}
            if current is not None:
                deployed |= {"ResolvedImage": current["image"], "ResolutionTime": from_epoch(current["resolved_at"])}
            described = {key: value for key, value in container.items() if key != "Image"}
            shown["Specification"] = {
                **record.request["Specification"],
                "Container": {**described, "DeployedImage": deployed},
            }
        return shown


@operation("UpdateInferenceComponentRuntimeConfig")
def update_inference_component_runtime_config(ctx: Context, request: Members) -> Members:
    """Another number of copies; those that stay are not restarted."""
    name, count = request["InferenceComponentName"], request["DesiredRuntimeConfig"]["CopyCount"]
    arn = f"arn:aws:sagemaker:{ctx.region}:{ctx.account}:inference-component/{name}"

    def change(tx: sqlite3.Connection) -> None:
        record = records.find(tx, ctx.account, ctx.region, COMPONENT_KIND, name)
        if record is None:
            raise InferenceComponent.missing.error(arn=arn, name=name)
        kept = {**record.request, "RuntimeConfig": {"CopyCount": count}}
        _planned(ctx, tx, kept)
        ctx.parts.hosting.rescale(tx, arn, [Capacity(record.request["VariantName"], None, count)])
        records.replace_request(tx, arn, kept, ctx.now.timestamp())

    try:
        ctx.parts.database.write(change)
    except Conflict:
        raise BUSY.error(arn=arn) from None
    return {"InferenceComponentArn": arn}


def _check_specification(request: Members) -> None:
    refuse(request, _REFUSED)
    specification = request.get("Specification")
    if not specification:
        raise Invalid("Specification must be given.", field="Specification")
    refuse(specification, _REFUSED_OF_SPECIFICATION, "Specification.")
    needs = specification.get("ComputeResourceRequirements")
    if not needs:
        raise Invalid("Specification.ComputeResourceRequirements must be given.", field="ComputeResourceRequirements")
    refuse(needs, _REFUSED_OF_NEEDS, "Specification.ComputeResourceRequirements.")
    if bool(specification.get("ModelName")) == bool(specification.get("Container")):
        raise Invalid("Specification has either a ModelName or a Container.", field="Specification")
    if not request.get("RuntimeConfig"):
        raise Invalid("RuntimeConfig must be given.", field="RuntimeConfig")
    check_count(request["RuntimeConfig"]["CopyCount"], "RuntimeConfig.CopyCount")


def _planned(ctx: Context, connection: sqlite3.Connection, request: Members) -> VariantPlan:
    """The copies as the engine is to run them. Raises AWS's words for what is not there, ``Invalid`` where the copies
    do not fit on the variant's instances beside the others."""
    endpoint = Endpoint().find(ctx, connection, request["EndpointName"])
    configuration = find_endpoint_config(ctx, connection, endpoint.request["EndpointConfigName"])
    variants = {each["VariantName"]: each for each in configuration.request["ProductionVariants"]}
    name = request.get("VariantName") or next(iter(variants))
    if name not in variants or variants[name].get("ModelName"):
        raise Invalid(
            f"Endpoint {endpoint.name} has no variant {name} without a model of its own.", field="VariantName"
        )
    _check_room(ctx, connection, endpoint, variants[name], request)
    specification = request["Specification"]
    container, network, vpc = _container(ctx, connection, specification)
    network = network and not configuration.request.get("EnableNetworkIsolation", False)
    role = configuration.request["ExecutionRoleArn"]
    own = own_digest(ctx, container["Image"])
    url = container.get("ArtifactUrl")
    artefact = Artefact(url) if url else artefact_of(container)
    if artefact:
        check_artefact(ctx, artefact, role)
    seconds = (specification.get("StartupParameters") or {}).get("ContainerStartupHealthCheckTimeoutInSeconds")
    need = _need(request)
    return VariantPlan(
        name=name,
        model_name=specification.get("ModelName", ""),
        image=container["Image"],
        model_data=artefact.data if artefact else None,
        environment=container.get("Environment") or {},
        role_arn=role,
        instance_count=request["RuntimeConfig"]["CopyCount"],
        startup_seconds=None if seconds is None else float(seconds),
        memory_mb=memory_of(variants[name]["InstanceType"]),
        reserved_cores=need.cpu_cores,
        reserved_memory_mb=need.memory_mb,
        network=network,
        own=own,
        notice=notice_of(vpc or configuration.request.get("VpcConfig"), network=network),
    )


def _container(
    ctx: Context, connection: sqlite3.Connection, specification: Members
) -> tuple[Members, bool, Members | None]:
    """Image, artefact and variables, whether they may have a network, and the model's ``VpcConfig``."""
    if specification.get("ModelName"):
        model = find_model(ctx, connection, specification["ModelName"])
        isolated = model.request.get("EnableNetworkIsolation", False)
        return container_of(model.request), not isolated, model.request.get("VpcConfig")
    container: Members = specification["Container"]
    refuse(container, {"ContainerMetricsConfig": "metrics of the container's own"}, "Specification.Container.")
    if not container.get("Image"):
        raise Invalid("Specification.Container.Image must be given.", field="Image")
    return container, True, None


def _check_room(
    ctx: Context, connection: sqlite3.Connection, endpoint: Record, variant: Members, request: Members
) -> None:
    capacity = capacity_of(variant["InstanceType"])
    assert capacity is not None, "the configuration was checked"
    others = components_on(connection, ctx.account, ctx.region, endpoint.name)
    needs = [
        _need(other.request)
        for other in others
        if other.name != request["InferenceComponentName"]
        and other.request.get("VariantName", variant["VariantName"]) == variant["VariantName"]
    ]
    instances = next(
        (
            each["instance_count"]
            for each in endpoint.state.get("variants", ())
            if each["name"] == variant["VariantName"]
        ),
        variant.get("InitialInstanceCount", 1),
    )
    own = _need(request)
    if not fits(capacity, instances, [*needs, own]):
        raise Invalid(
            f"{own.copies} copies of {own.memory_mb} MB and {own.cpu_cores:g} cores do not fit on the {instances} "
            f"{variant['InstanceType']} of variant {variant['VariantName']} beside what is there.",
            field="ComputeResourceRequirements",
        )


def _need(request: Members) -> Need:
    needs: dict[str, Any] = request["Specification"]["ComputeResourceRequirements"]
    cores = float(needs.get("NumberOfCpuCoresRequired", 0.0))
    return Need(cores, needs["MinMemoryRequiredInMb"], request["RuntimeConfig"]["CopyCount"])
