"""Scheduled actions: other bounds at a time. When that comes is the Scheduler's engine's."""

from __future__ import annotations

import sqlite3
import uuid
from datetime import datetime
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.autoscaling import ACTION
from cloche.engines.autoscaling.dimensions import NAMESPACE, parts_of
from cloche.engines.events.schedules import Plan, zone_named
from cloche.foundation import schedule_expression
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid, LimitReached, NotFound
from cloche.foundation.schedule_expression import At, Rate
from cloche.services.application_autoscaling.listing import answer, record_page
from cloche.services.application_autoscaling.naming import described, dimension_of, of_target, target_of
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

ACTIONS_MAX: Final = 200
"""application-auto-scaling-quotas.html: of a scalable target."""
_KEPT: Final = ("Schedule", "Timezone", "ScalableTargetAction")
_BOUNDARIES: Final = ("StartTime", "EndTime")


@operation("PutScheduledAction")
def put_scheduled_action(ctx: Context, request: Members) -> Members:
    """What is not given stays, but for the times: "If you don't specify start and end times, the old values are
    deleted" (API_PutScheduledAction.html)."""
    dimension, name, now = dimension_of(request), request["ScheduledActionName"], ctx.now.timestamp()

    def change(tx: sqlite3.Connection) -> None:
        target = target_of(ctx, tx, dimension)
        found = of_target(ctx, tx, ACTION, dimension, name)
        if found is None and len(ctx.parts.autoscaling.of_target(tx, target, ACTION)) >= ACTIONS_MAX:
            raise LimitReached(f"There may be {ACTIONS_MAX} scheduled actions for a scalable target.")
        kept: dict[str, Any] = {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": dimension.resource_id,
            "ScalableDimension": dimension.name,
            **{key: found.request[key] for key in _KEPT if found is not None and key in found.request},
            **{key: request[key] for key in (*_KEPT, *_BOUNDARIES) if request.get(key) is not None},
        }
        plan = _plan(kept, now if found is None else found.created_at, now)
        if found is None:
            resource = f"resource/{NAMESPACE}/{dimension.resource_id}:scheduledActionName/{name}"
            found = records.insert(
                tx,
                account=ctx.account,
                region=ctx.region,
                kind=ACTION,
                name=f"{dimension.key}|{name}",
                arn=f"arn:aws:autoscaling:{ctx.region}:{ctx.account}:scheduledAction:{uuid.uuid4()}:{resource}",
                at=now,
                request=kept,
            )
        else:
            records.replace_request(tx, found.arn, kept, now)
        ctx.parts.events.schedules.put(tx, found, plan, now)

    ctx.parts.database.write(change)
    return {}


@operation("DescribeScheduledActions", reads=True)
def describe_scheduled_actions(ctx: Context, request: Members) -> Members:
    found, token = record_page(ctx, request, ACTION, request.get("ScheduledActionNames") or ())
    return answer("ScheduledActions", [_shown(each) for each in found], token)


@operation("DeleteScheduledAction")
def delete_scheduled_action(ctx: Context, request: Members) -> Members:
    dimension, name = dimension_of(request), request["ScheduledActionName"]

    def change(tx: sqlite3.Connection) -> None:
        found = of_target(ctx, tx, ACTION, dimension, name)
        if found is None:
            raise NotFound(f"No scheduled action found for {described(dimension)}, scheduled action name: {name}")
        ctx.parts.autoscaling.remove_action(tx, found)

    ctx.parts.database.write(change)
    return {}


def _plan(kept: Members, began_at: float, now: float) -> Plan:
    """Raises ``Invalid`` for what can never occur or says nothing."""
    if not kept.get("Schedule"):
        raise Invalid("Schedule must be specified for a new scheduled action")
    action = kept.get("ScalableTargetAction") or {}
    low, high = action.get("MinCapacity"), action.get("MaxCapacity")
    if low is None and high is None:  # aws-cloudformation/community-registry-extensions#255 quotes it
        raise Invalid("At least one of minimum capacity and maximum capacity should be provided")
    if (low is not None and low < 0) or (high is not None and high < 0):
        raise Invalid("Capacities must not be negative")
    if low is not None and high is not None and low > high:
        raise Invalid("Maximum capacity cannot be less than minimum capacity")
    start, end = (_seconds(kept.get(name)) for name in _BOUNDARIES)
    if start is not None and end is not None and end <= start:
        raise Invalid("EndTime must be after StartTime")
    try:
        schedule = schedule_expression.parse(kept["Schedule"])
    except Invalid as error:
        raise Invalid(f"Schedule {kept['Schedule']} cannot be read: {error.message}") from None
    zone = kept.get("Timezone") or "UTC"
    zone_named(zone)
    if isinstance(schedule, Rate) and not schedule.is_spoken:
        raise Invalid(f"Schedule {kept['Schedule']} cannot be read: the unit must be in the number of its value")
    single = isinstance(schedule, At)
    plan = Plan(kept["Schedule"], 0.0 if single else start or float(int(began_at)), None if single else end, zone)
    if plan.next_after(now) is None:
        raise Invalid(f"Schedule {kept['Schedule']} has no occurrence to come")
    return plan


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _shown(action: Record) -> Members:
    return {
        **action.request,
        "ScheduledActionName": parts_of(action.name)[1],
        "ScheduledActionARN": action.arn,
        "CreationTime": from_epoch(action.created_at),
    }
