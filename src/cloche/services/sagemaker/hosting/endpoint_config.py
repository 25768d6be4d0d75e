"""Endpoint configurations: which models serve, on how many instances, with what share of the traffic."""

from __future__ import annotations

import sqlite3
from typing import ClassVar, Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.hosting.plan import INSTANCES_PER_VARIANT_MAX
from cloche.foundation.errors import Invalid, LimitReached
from cloche.services.sagemaker.hosting.capturing import capture_plan
from cloche.services.sagemaker.hosting.instance_types import capacity_of
from cloche.services.sagemaker.hosting.model import find_model
from cloche.services.sagemaker.hosting.refusing import is_set, not_supported, refuse
from cloche.services.sagemaker.vpc import check_vpc
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

KIND: Final = "sagemaker/EndpointConfig"
MISSING: Final = fact(
    "ValidationException",
    'Could not find endpoint configuration "{arn}".',
    source="aws/amazon-sagemaker-examples#2339",
)

_REFUSED: Final = {
    "AsyncInferenceConfig": "asynchronous inference",
    "ExplainerConfig": "explanations beside predictions",
    "ShadowProductionVariants": "shadow variants",
    "MetricsConfig": "enhanced metrics",
    "CrossRegionTrafficConfig": "traffic across regions",
}
_OF_COMPONENTS: Final = {
    "ExecutionRoleArn": "the role of inference components",
    "EnableNetworkIsolation": "isolation of inference components; a model has its own EnableNetworkIsolation",
}
_REFUSED_OF_VARIANT: Final = {
    "ServerlessConfig": "serverless inference",
    "AcceleratorType": "elastic inference",
    "CoreDumpConfig": "core dumps",
    "ManagedInstanceScaling": "managed scaling",
    "InstancePools": "pools of instance types",
    "VariantInstanceProvisionTimeoutInSeconds": "pools of instance types",
    "EnableSSMAccess": "a shell on the instance",
    "InferenceAmiVersion": "machine images for accelerators",
    "CapacityReservationConfig": "reserved capacity",
    "AcceleratorPartitionLayouts": "partitions of accelerators",
}
ROUTED: Final = ("LEAST_OUTSTANDING_REQUESTS", "RANDOM")
WEIGHT_DEFAULT: Final = 1.0
"""docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html (InitialVariantWeight)"""


class EndpointConfig(Resource):
    """Production variants under a name. Nothing runs until an endpoint uses it."""

    operations: ClassVar = (
        "CreateEndpointConfig",
        "DescribeEndpointConfig",
        "ListEndpointConfigs",
        "DeleteEndpointConfig",
    )
    arn: ClassVar = "endpoint-config/{EndpointConfigName}"
    missing: ClassVar[Fact] = MISSING
    duplicate: ClassVar[Fact] = fact(
        "ValidationException",
        'Cannot create already existing endpoint configuration "{arn}".',
        source="awslabs/spot-tagging-bot-for-digital-assets#2",
    )

    def check(self, ctx: Context, request: Members) -> None:
        refuse(request, _REFUSED)
        check_vpc(request.get("VpcConfig"))
        capture = capture_plan(request.get("DataCaptureConfig"))
        variants = request["ProductionVariants"]
        names = [variant["VariantName"] for variant in variants]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise Invalid(f"VariantName {twice[0]} is given to more than one variant.", field="ProductionVariants")
        for at, variant in enumerate(variants, 1):
            _check_variant(variant, f"ProductionVariants.{at}.member.")
        if not any(variant.get("ModelName") for variant in variants):
            if capture is not None and capture.enabled:
                raise not_supported("DataCaptureConfig", "data capture of inference components")
            _check_hosts(ctx, request)
            return
        for member, purpose in _OF_COMPONENTS.items():
            if is_set(request.get(member)):
                raise Invalid(f"{member} is for variants without a ModelName ({purpose}).", field=member)
        for variant in variants:
            if not variant.get("ModelName"):
                raise Invalid("Either every variant has a ModelName or none has one.", field="ModelName")
            find_model(ctx, ctx.parts.database.reader, variant["ModelName"])

    def shown(self, ctx: Context, record: Record) -> Members:
        variants = [
            {"InitialVariantWeight": WEIGHT_DEFAULT, "InitialInstanceCount": 1, **variant}
            for variant in record.request["ProductionVariants"]
        ]
        isolated = bool(record.request.get("EnableNetworkIsolation"))
        return {"ProductionVariants": variants, "EnableNetworkIsolation": isolated}


def find_endpoint_config(ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
    """The configuration called ``name``. Raises AWS's words where there is none."""
    record = records.find(connection, ctx.account, ctx.region, KIND, name)
    if record is None:
        arn = f"arn:aws:sagemaker:{ctx.region}:{ctx.account}:endpoint-config/{name}"
        raise MISSING.error(arn=arn)
    return record


def _check_variant(variant: Members, prefix: str) -> None:
    refuse(variant, _REFUSED_OF_VARIANT, prefix)
    if not variant.get("InstanceType"):
        raise Invalid(f"{prefix}InstanceType must be given.", field="InstanceType")
    strategy = (variant.get("RoutingConfig") or {}).get("RoutingStrategy", ROUTED[0])
    if strategy not in ROUTED:
        raise not_supported(f"{prefix}RoutingConfig.RoutingStrategy {strategy}", "routing by what a request says")
    check_count(variant.get("InitialInstanceCount", 1), f"{prefix}InitialInstanceCount")


def _check_hosts(ctx: Context, request: Members) -> None:
    """Variants that inference components are placed on. Their role is the configuration's."""
    role = request.get("ExecutionRoleArn")
    if not role:
        raise Invalid("Variants without a ModelName need the configuration's ExecutionRoleArn.", field="ModelName")
    if not ctx.parts.identity.trusts(role, "sagemaker.amazonaws.com", account=ctx.account):
        raise Invalid(f"SageMaker may not assume the role {role}, or it does not exist.", field="ExecutionRoleArn")
    for at, variant in enumerate(request["ProductionVariants"], 1):
        if capacity_of(variant["InstanceType"]) is None:
            raise not_supported(
                f"ProductionVariants.{at}.member.InstanceType {variant['InstanceType']}", "inference components on it"
            )


def check_count(count: int, member: str) -> None:
    """Every instance is a process here, so there is a bound. Raises ``LimitReached``."""
    if count > INSTANCES_PER_VARIANT_MAX:
        raise LimitReached(
            f"{member} is {count}: Cloche runs at most {INSTANCES_PER_VARIANT_MAX} instances of a variant, "
            "each as a process on this machine."
        )
