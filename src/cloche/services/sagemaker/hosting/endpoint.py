"""Endpoints: the only noun of hosting that runs. Its states, instances and requests are ``engines/hosting``'s."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.autoscaling import TARGET
from cloche.engines.autoscaling.dimensions import Dimension
from cloche.engines.hosting.plan import Capacity, EndpointPlan, FleetPlan
from cloche.engines.hosting.policy import Policy
from cloche.engines.quotas import Asked, endpoint_quota
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Conflict, Invalid
from cloche.services.sagemaker.hosting.capturing import capture_summary
from cloche.services.sagemaker.hosting.deployment import check_against, policy_of
from cloche.services.sagemaker.hosting.endpoint_config import KIND as CONFIG_KIND
from cloche.services.sagemaker.hosting.endpoint_config import check_count, find_endpoint_config
from cloche.services.sagemaker.hosting.placing import components_on
from cloche.services.sagemaker.hosting.planning import plan_fleet
from cloche.services.sagemaker.hosting.refusing import not_supported
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

BUSY: Final = fact(
    "ValidationException",
    'Cannot update in-progress endpoint "{arn}".',
    source="aws/amazon-sagemaker-operator-for-k8s (DeleteEndpointInProgressMessagePrefix)",
)


class Endpoint(Resource):
    """Model servers behind one name."""

    operations: ClassVar = ("CreateEndpoint", "DescribeEndpoint", "ListEndpoints", "UpdateEndpoint", "DeleteEndpoint")
    arn: ClassVar = "endpoint/{EndpointName}"
    status: ClassVar = "EndpointStatus"
    missing: ClassVar[Fact] = fact(
        "ValidationException", 'Could not find endpoint "{arn}".', source="aws/amazon-sagemaker-examples#2402"
    )
    duplicate: ClassVar[Fact] = fact(
        "ValidationException",
        'Cannot create already existing endpoint "{arn}".',
        source="aws/sagemaker-python-sdk#101, aws/amazon-sagemaker-examples#2491",
    )

    def check(self, ctx: Context, request: Members) -> None:
        if request.get("DeploymentConfig"):  # for updates to come: RetainDeploymentConfig
            policy_of(request["DeploymentConfig"])
        _planned(ctx, ctx.parts.database.reader, request["EndpointConfigName"])

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        fleet = _planned(ctx, tx, request["EndpointConfigName"])
        _use(ctx, tx, record.arn, fleet)
        ctx.parts.hosting.submit(tx, EndpointPlan(record.arn, record.name, ctx.account, ctx.region, fleet))

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        fleet = _planned(ctx, tx, request["EndpointConfigName"])
        if request.get("RetainAllVariantProperties"):
            fleet = _retaining(fleet, record, request.get("ExcludeRetainedVariantProperties") or ())
        _refuse_with_components(tx, record, "updated")
        _refuse_other_types(ctx, tx, record, request["EndpointConfigName"])
        deployment = request.get("DeploymentConfig")
        if deployment is None and request.get("RetainDeploymentConfig"):
            deployment = record.request.get("DeploymentConfig")
        policy = _policy(ctx, deployment, record, fleet)
        _use(ctx, tx, record.arn, fleet)
        try:
            ctx.parts.hosting.update(tx, record.arn, fleet, policy)
        except Conflict:
            raise BUSY.error(arn=record.arn) from None
        kept = {**record.request, "EndpointConfigName": request["EndpointConfigName"]}
        kept.pop("DeploymentConfig", None)
        if deployment is not None:
            kept["DeploymentConfig"] = deployment
        return kept

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        _refuse_with_components(tx, record, "deleted")
        try:
            ctx.parts.hosting.delete(tx, record.arn)
        except Conflict:
            raise BUSY.error(arn=record.arn) from None

    def shown(self, ctx: Context, record: Record) -> Members:
        state = record.state
        pending = state.get("pending")
        return {
            "EndpointConfigName": state.get("configuration") or record.request["EndpointConfigName"],
            "ProductionVariants": [_variant(each) for each in state.get("variants", ())] or None,
            "DataCaptureConfig": capture_summary(state.get("capture")),
            "FailureReason": state.get("failure"),
            "LastDeploymentConfig": record.request.get("DeploymentConfig"),
            "PendingDeploymentSummary": None
            if pending is None
            else {
                "EndpointConfigName": pending["configuration"],
                "ProductionVariants": [_variant(each) for each in pending["variants"]],
                "StartTime": from_epoch(pending["started_at"]),
            },
        }


@operation("UpdateEndpointWeightsAndCapacities")
def update_endpoint_weights_and_capacities(ctx: Context, request: Members) -> Members:
    """Weights and instance counts of variants that serve already; the instances that stay are not restarted."""
    name = request["EndpointName"]
    capacities = [_capacity(asked) for asked in request["DesiredWeightsAndCapacities"]]
    arn = f"arn:aws:sagemaker:{ctx.region}:{ctx.account}:endpoint/{name}"

    def change(tx: sqlite3.Connection) -> None:
        record = records.find_arn(tx, arn)
        if record is None:
            raise Endpoint.missing.error(arn=arn, name=name)
        if any(each.instance_count is not None for each in capacities):
            _refuse_with_components(tx, record, "scaled")
        ctx.parts.hosting.rescale(tx, arn, capacities)
        counts = {each.variant: each.instance_count for each in capacities if each.instance_count is not None}
        ctx.parts.quotas.rescale(tx, arn, counts)

    try:
        ctx.parts.database.write(change)
    except Conflict:
        raise BUSY.error(arn=arn) from None
    return {"EndpointArn": arn}


def _refuse_with_components(tx: sqlite3.Connection, record: Record, what: str) -> None:
    """Its instances are what components were placed on."""
    if components_on(tx, record.account, record.region, record.name):
        raise Invalid(
            f'Endpoint "{record.arn}" cannot be {what} while it has inference components.', field="EndpointName"
        )


def _refuse_other_types(ctx: Context, tx: sqlite3.Connection, record: Record, new: str) -> None:
    """Of variants that are scaled: "If the update would change the instance type for any variant that is a target for
    automatic scaling, the update fails" (docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html)."""
    before = records.find(tx, ctx.account, ctx.region, CONFIG_KIND, record.state.get("configuration") or "")
    old, wanted = {} if before is None else _types(before), _types(find_endpoint_config(ctx, tx, new))
    changed = [name for name, type in wanted.items() if old.get(name, type) != type]
    scaled = [
        name
        for name in changed
        if records.find(tx, ctx.account, ctx.region, TARGET, Dimension.of_variant(record.name, name).key) is not None
    ]
    if scaled:
        raise Invalid(
            f"The instance type of variants that are registered as scalable targets cannot be changed: "
            f"{', '.join(scaled)}. Deregister them first.",
            field="EndpointConfigName",
        )


def _types(config: Record) -> dict[str, str]:
    variants = config.request["ProductionVariants"]
    return {each["VariantName"]: each["InstanceType"] for each in variants if "InstanceType" in each}


def _use(ctx: Context, tx: sqlite3.Connection, arn: str, fleet: FleetPlan) -> None:
    """Raises ``LimitReached`` where these are more instances than the account may have."""
    types = _types(find_endpoint_config(ctx, tx, fleet.configuration))
    asked = [
        Asked(endpoint_quota(types[plan.name]), plan.instance_count, plan.name)
        for plan in fleet.variants
        if plan.name in types
    ]
    ctx.parts.quotas.use(tx, arn, asked)


def _capacity(asked: Members) -> Capacity:
    name = asked["VariantName"]
    if asked.get("ServerlessUpdateConfig"):
        raise not_supported("ServerlessUpdateConfig", "serverless inference")
    count = asked.get("DesiredInstanceCount")
    if count is not None:
        check_count(count, f"DesiredInstanceCount of {name}")
        if count < 1:
            raise Invalid(f"DesiredInstanceCount of {name} must be at least 1.", field="DesiredInstanceCount")
    return Capacity(name, asked.get("DesiredWeight"), count)


def _planned(ctx: Context, connection: sqlite3.Connection, configuration: str) -> FleetPlan:
    """The configuration's snapshot, as it is now. Raises AWS's words where it or one of its models is not there."""
    return plan_fleet(ctx, connection, find_endpoint_config(ctx, connection, configuration))


def _retaining(fleet: FleetPlan, record: Record, but: Any) -> FleetPlan:
    """Variants that serve already keep their present weights and counts, except for what ``but`` names."""
    from dataclasses import replace

    excluded = {each["VariantPropertyType"] for each in but}
    serving = {variant["name"]: variant for variant in record.state.get("variants", ())}
    variants = []
    for plan in fleet.variants:
        now = serving.get(plan.name)
        if now is not None and "DesiredWeight" not in excluded:
            plan = replace(plan, weight=now["desired_weight"])
        if now is not None and "DesiredInstanceCount" not in excluded:
            plan = replace(plan, instance_count=now["desired_instance_count"])
        variants.append(plan)
    return replace(fleet, variants=tuple(variants))


def _policy(ctx: Context, deployment: Members | None, record: Record, fleet: FleetPlan) -> Policy | None:
    """How the update is guarded; ``None``: not at all."""
    if not deployment:
        return None
    policy = policy_of(deployment)
    serving = {each["name"]: each["instance_count"] for each in record.state.get("variants", ())}
    check_against(policy, serving, {each.name: each.instance_count for each in fleet.variants})
    there = ctx.parts.hosting.alarm_states(ctx.account, ctx.region, policy.alarms) if policy.alarms else {}
    if missing := [name for name in policy.alarms if name not in there]:
        member = "DeploymentConfig.AutoRollbackConfiguration.Alarms"
        raise Invalid(f"Invalid {member}: there is no CloudWatch alarm {', '.join(missing)}.", field=member)
    return policy


def _variant(state: Mapping[str, Any]) -> Members:
    deployed = {
        "SpecifiedImage": state["image"],
        "ResolvedImage": state["image"],
        "ResolutionTime": from_epoch(state["resolved_at"]),
    }
    status = state.get("status")
    return {
        "VariantName": state["name"],
        "VariantStatus": [
            {"Status": status["phase"], "StatusMessage": status["message"], "StartTime": from_epoch(status["at"])}
        ]
        if status
        else None,
        "DeployedImages": [deployed] if state["image"] else None,
        "CurrentWeight": state["weight"],
        "DesiredWeight": state["desired_weight"],
        "CurrentInstanceCount": state["instance_count"],
        "DesiredInstanceCount": state["desired_instance_count"],
    }
