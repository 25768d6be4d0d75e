"""Scalable targets: what is scaled, and within which bounds."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.engines.autoscaling import TARGET
from cloche.engines.autoscaling.dimensions import VARIANT, Dimension
from cloche.engines.identity import linked_roles
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid, LimitReached, NotFound
from cloche.services.application_autoscaling.listing import answer, record_page
from cloche.services.application_autoscaling.naming import described, dimension_of
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

TARGETS_MAX: Final = 500
"""application-auto-scaling-quotas.html: of each type of resource."""
LINKED: Final = "sagemaker.application-autoscaling.amazonaws.com"
_SUSPENDED: Final = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


@operation("RegisterScalableTarget")
def register_scalable_target(ctx: Context, request: Members) -> Members:
    """The role is the one that is linked to the service, whichever is given: SageMaker has one
    (API_RegisterScalableTarget.html, ``RoleARN``)."""
    dimension = dimension_of(request)
    given: Members = {name: request[name] for name in ("MinCapacity", "MaxCapacity") if request.get(name) is not None}
    if any(capacity < 0 for capacity in given.values()):
        raise Invalid("Capacities must not be negative")
    suspended = {name: value for name, value in (request.get("SuspendedState") or {}).items() if value is not None}
    pairs = tagging.tag_pairs({"Key": key, "Value": value} for key, value in (request.get("Tags") or {}).items())
    before = records.find(ctx.parts.database.reader, ctx.account, ctx.region, TARGET, dimension.key)
    if before is None and len(given) < 2:
        raise Invalid("MinCapacity and MaxCapacity must be specified for a new scalable target")
    role = linked_roles.ensure(ctx.parts.identity.of(ctx.account), LINKED)

    def change(tx: sqlite3.Connection) -> Record:
        found = records.find(tx, ctx.account, ctx.region, TARGET, dimension.key)
        _require_resource(ctx, tx, dimension)
        both = {**(found.request if found is not None else {}), **given}
        if both["MinCapacity"] > both["MaxCapacity"]:
            raise Invalid("Maximum capacity cannot be less than minimum capacity")
        if found is None:
            _require_room(ctx, tx, dimension)
        kept = {**given, "RoleARN": role, **({"SuspendedState": suspended} if suspended or found is None else {})}
        made: Record = ctx.parts.autoscaling.register(tx, ctx.account, ctx.region, dimension, kept)
        if found is None:
            tagging.add_tags(tx, made.arn, pairs)
        elif pairs:
            raise Invalid("Tags of a scalable target that exists are changed by TagResource")
        return made

    return {"ScalableTargetARN": ctx.parts.database.write(change).arn}


@operation("DescribeScalableTargets", reads=True)
def describe_scalable_targets(ctx: Context, request: Members) -> Members:
    found, token = record_page(ctx, request, TARGET)
    return answer("ScalableTargets", [_shown(each) for each in found], token)


@operation("DeregisterScalableTarget")
def deregister_scalable_target(ctx: Context, request: Members) -> Members:
    """Its capacity stays as it is."""
    dimension = dimension_of(request)

    def change(tx: sqlite3.Connection) -> None:
        found = records.find(tx, ctx.account, ctx.region, TARGET, dimension.key)
        if found is None:
            raise NotFound(f"No scalable target found for {described(dimension)}")
        ctx.parts.autoscaling.deregister(tx, found)

    ctx.parts.database.write(change)
    return {}


def _require_resource(ctx: Context, tx: sqlite3.Connection, dimension: Dimension) -> None:
    if ctx.parts.autoscaling.resources.read(tx, ctx.account, ctx.region, dimension) is None:
        kind = "endpoint variant" if dimension.name == VARIANT else "inference component"
        raise Invalid(f"SageMaker {kind} does not exist: {dimension.resource_id}")


def _require_room(ctx: Context, tx: sqlite3.Connection, dimension: Dimension) -> None:
    held = tx.execute(
        "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ? AND substr(name, 1, ?) = ?",
        (ctx.account, ctx.region, TARGET, len(dimension.name), dimension.name),
    ).fetchone()[0]
    if held >= TARGETS_MAX:
        raise LimitReached(f"There may be {TARGETS_MAX} scalable targets of {dimension.name}.")


def _shown(target: Record) -> Members:
    suspended: dict[str, Any] = target.request.get("SuspendedState") or {}
    return {
        **target.request,
        "SuspendedState": {name: bool(suspended.get(name)) for name in _SUSPENDED},
        "CreationTime": from_epoch(target.created_at),
        "ScalableTargetARN": target.arn,
    }
