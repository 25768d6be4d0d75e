"""From records of configurations and models to the engine's plan: where wire names end."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members
from cloche.engines.hosting.plan import FleetPlan, VariantPlan
from cloche.services.sagemaker.hosting.capturing import capture_plan
from cloche.services.sagemaker.hosting.endpoint_config import WEIGHT_DEFAULT
from cloche.services.sagemaker.hosting.instance_types import memory_of
from cloche.services.sagemaker.hosting.model import (
    artefact_of,
    containers_of,
    find_model,
    is_direct,
    names_of,
    own_digest,
)
from cloche.services.sagemaker.vpc import notice_of
from cloche.serving.model import ServedModel
from cloche.storage.metadata.records import Record


def plan_fleet(ctx: Context, connection: sqlite3.Connection, configuration: Record) -> FleetPlan:
    """A snapshot of ``configuration`` and its models. Raises AWS's words for a model that is not there (any more)."""
    variants = configuration.request["ProductionVariants"]
    plans = [
        _plan(ctx, variant, find_model(ctx, connection, variant["ModelName"]))
        if variant.get("ModelName")
        else _hosts(variant, configuration)
        for variant in variants
    ]
    return FleetPlan(configuration.name, tuple(plans), capture_plan(configuration.request.get("DataCaptureConfig")))


def plan_model(ctx: Context, model: Record, instance_type: str) -> list[ServedModel]:
    """The model's containers as a server of that type would serve them. Raises ``NotSupported`` for one that Cloche
    cannot."""
    containers = containers_of(model.request)
    names = names_of(containers) if len(containers) > 1 else [""]
    return [
        _served(ctx, model, container, name, instance_type) for container, name in zip(containers, names, strict=True)
    ]


def _served(ctx: Context, model: Record, container: Members, name: str, instance_type: str) -> ServedModel:
    artefact = artefact_of(container)
    network = not model.request.get("EnableNetworkIsolation", False)
    return ServedModel(
        image=container["Image"],
        model_data=artefact.data if artefact else None,
        environment=container.get("Environment") or {},
        role_arn=model.request.get("ExecutionRoleArn", ""),
        network=network,
        memory_mb=memory_of(instance_type),
        name=name,
        own=own_digest(ctx, container["Image"]),
        notice=notice_of(model.request.get("VpcConfig"), network=network),
    )


def _hosts(variant: Members, configuration: Record) -> VariantPlan:
    return VariantPlan(
        name=variant["VariantName"],
        model_name="",
        image="",
        model_data=None,
        role_arn=configuration.request["ExecutionRoleArn"],
        weight=float(variant.get("InitialVariantWeight", WEIGHT_DEFAULT)),
        instance_count=variant.get("InitialInstanceCount", 1),
        network=not configuration.request.get("EnableNetworkIsolation", False),
        hosts_only=True,
    )


def _plan(ctx: Context, variant: Members, model: Record) -> VariantPlan:
    served, *further = plan_model(ctx, model, variant["InstanceType"])
    seconds = variant.get("ContainerStartupHealthCheckTimeoutInSeconds")
    return VariantPlan(
        name=variant["VariantName"],
        model_name=model.name,
        image=served.image,
        model_data=served.model_data,
        environment=served.environment,
        role_arn=served.role_arn,
        weight=float(variant.get("InitialVariantWeight", WEIGHT_DEFAULT)),
        instance_count=variant.get("InitialInstanceCount", 1),
        startup_seconds=None if seconds is None else float(seconds),
        memory_mb=served.memory_mb,
        at_random=(variant.get("RoutingConfig") or {}).get("RoutingStrategy") == "RANDOM",
        network=served.network,
        container=served.name,
        further=tuple(further),
        direct=is_direct(model.request),
        own=served.own,
        notice=served.notice,
    )
