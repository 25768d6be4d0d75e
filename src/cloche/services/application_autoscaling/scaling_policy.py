"""Scaling policies: steps that alarms of the user's take, and target tracking, which has alarms of its own."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.alarms import KIND as ALARM
from cloche.engines.autoscaling import POLICY
from cloche.engines.autoscaling.dimensions import parts_of
from cloche.engines.autoscaling.tracking import metric_of
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid, LimitReached, NotFound
from cloche.services.application_autoscaling.listing import answer, record_page
from cloche.services.application_autoscaling.naming import described, dimension_of, of_target, target_of
from cloche.services.application_autoscaling.policy_request import checked
from cloche.storage.metadata.records import Record

POLICIES_MAX: Final = 50
"""application-auto-scaling-quotas.html: of a scalable target."""
_TRACKING: Final = "TargetTrackingScalingPolicyConfiguration"


@operation("PutScalingPolicy")
def put_scaling_policy(ctx: Context, request: Members) -> Members:
    dimension, name = dimension_of(request), request["PolicyName"]

    def change(tx: sqlite3.Connection) -> Record:
        target = target_of(ctx, tx, dimension)
        kept = checked(request, dimension)
        held = ctx.parts.autoscaling.of_target(tx, target, POLICY)
        others = [each for each in held if parts_of(each.name)[1] != name]
        if len(others) >= POLICIES_MAX:
            raise LimitReached(f"There may be {POLICIES_MAX} scaling policies for a scalable target.")
        metric = metric_of(kept[_TRACKING]) if _TRACKING in kept else None
        if metric is not None and any(
            _TRACKING in each.request and metric_of(each.request[_TRACKING]) == metric for each in others
        ):
            raise Invalid("Only one TargetTrackingScaling policy for a given metric specification is allowed.")
        about = {key: request[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
        put: Record = ctx.parts.autoscaling.put_policy(tx, target, name, {**about, **kept})
        return put

    made = ctx.parts.database.write(change)
    return {"PolicyARN": made.arn, "Alarms": _own_alarms(made)}


@operation("DescribeScalingPolicies", reads=True)
def describe_scaling_policies(ctx: Context, request: Members) -> Members:
    found, token = record_page(ctx, request, POLICY, request.get("PolicyNames") or ())
    return answer("ScalingPolicies", [_shown(ctx, each) for each in found], token)


@operation("DeleteScalingPolicy")
def delete_scaling_policy(ctx: Context, request: Members) -> Members:
    dimension, name = dimension_of(request), request["PolicyName"]

    def change(tx: sqlite3.Connection) -> None:
        found = of_target(ctx, tx, POLICY, dimension, name)
        if found is None:
            raise NotFound(f"No scaling policy found for {described(dimension)}, policy name: {name}")
        ctx.parts.autoscaling.remove_policy(tx, found)

    ctx.parts.database.write(change)
    return {}


def _own_alarms(policy: Record) -> list[Members]:
    found = (policy.state.get("alarms") or {}).values()
    return [{"AlarmName": each["name"], "AlarmARN": each["arn"]} for each in found]


def _alarms(ctx: Context, policy: Record) -> list[Members]:
    """Its own, or those whose actions name it."""
    if policy.request["PolicyType"] != "StepScaling":
        return _own_alarms(policy)
    rows = ctx.parts.database.reader.execute(
        "SELECT name, arn FROM records WHERE account = ? AND region = ? AND kind = ? AND instr(request, ?) > 0"
        " ORDER BY name",
        (ctx.account, ctx.region, ALARM, policy.arn),
    )
    return [{"AlarmName": row["name"], "AlarmARN": row["arn"]} for row in rows]


def _shown(ctx: Context, policy: Record) -> Members:
    return {
        **policy.request,
        "PolicyARN": policy.arn,
        "PolicyName": parts_of(policy.name)[1],
        "Alarms": _alarms(ctx, policy),
        "CreationTime": from_epoch(policy.created_at),
    }
