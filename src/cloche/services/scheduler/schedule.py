"""Schedules: when something is invoked, and what. The plan and the next occurrence are the engine's."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.events.schedules import Plan, zone_named
from cloche.engines.events.scheduling import SCHEDULE
from cloche.foundation import schedule_expression
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, Conflict, Invalid, NotSupported
from cloche.foundation.schedule_expression import At
from cloche.services.scheduler.naming import DEFAULT_GROUP, require_group, schedule_arn, schedule_named
from cloche.services.scheduler.target import checked_target
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

PAST_SECONDS_MAX: Final = 300
_A_MOMENT: Final = 0.001
_KEPT: Final = ("ScheduleExpression", "StartDate", "EndDate", "Description", "FlexibleTimeWindow")
_DEFAULTS: Final[Mapping[str, Any]] = {
    "ScheduleExpressionTimezone": "UTC",
    "State": "ENABLED",
    "ActionAfterCompletion": "NONE",
}


@operation("CreateSchedule")
def create_schedule(ctx: Context, request: Members) -> Members:
    """The same token makes one schedule (API_CreateSchedule.html, ``ClientToken``)."""
    group, name = request.get("GroupName") or DEFAULT_GROUP, request["Name"]
    arn, token = schedule_arn(ctx, group, name), request.get("ClientToken")
    kept = _kept(ctx, group, request)
    plan = _plan(kept, ctx.now.timestamp())
    _require_to_come(ctx, kept, plan)

    def create(tx: sqlite3.Connection) -> None:
        require_group(ctx, tx, group)
        earlier = records.find_token(tx, ctx.account, ctx.region, SCHEDULE, token) if token else None
        if earlier is not None:
            if (earlier.arn, earlier.request) != (arn, kept):
                raise Conflict("The ClientToken was used for another request.")
            return
        made = records.insert(
            tx,
            account=ctx.account,
            region=ctx.region,
            kind=SCHEDULE,
            name=f"{group}/{name}",
            arn=arn,
            at=ctx.now.timestamp(),
            request=kept,
            token=token,
        )
        records.set_status(tx, arn, kept["State"])
        _put(ctx, tx, made, plan, after=plan.start - _A_MOMENT)

    try:
        ctx.parts.database.write(create)
    except AlreadyExists:
        raise AlreadyExists(f"Schedule {name} already exists.") from None  # getmoto/moto, scheduler/exceptions.py
    return {"ScheduleArn": arn}


@operation("UpdateSchedule")
def update_schedule(ctx: Context, request: Members) -> Members:
    """All of it is replaced: what is not given has its default again (API_UpdateSchedule.html). A rate goes on from
    where it began."""
    group, name = request.get("GroupName") or DEFAULT_GROUP, request["Name"]
    kept, now = _kept(ctx, group, request), ctx.now.timestamp()

    def update(tx: sqlite3.Connection) -> str:
        found = schedule_named(ctx, tx, group, name)
        plan = _plan(kept, found.created_at)
        if kept["ScheduleExpression"] != found.request["ScheduleExpression"]:
            _require_to_come(ctx, kept, plan)
        records.replace_request(tx, found.arn, kept, now)
        records.set_status(tx, found.arn, kept["State"])
        _put(ctx, tx, found, plan, after=now)
        return found.arn

    return {"ScheduleArn": ctx.parts.database.write(update)}


@operation("GetSchedule", reads=True)
def get_schedule(ctx: Context, request: Members) -> Members:
    group, name = request.get("GroupName") or DEFAULT_GROUP, request["Name"]
    found = schedule_named(ctx, ctx.parts.database.reader, group, name)
    return {
        "Arn": found.arn,
        "GroupName": group,
        "Name": name,
        "CreationDate": from_epoch(found.created_at),
        "LastModificationDate": from_epoch(found.modified_at),
        **found.request,
    }


@operation("DeleteSchedule")
def delete_schedule(ctx: Context, request: Members) -> Members:
    """What it has caused before is still delivered."""
    group = request.get("GroupName") or DEFAULT_GROUP

    def delete(tx: sqlite3.Connection) -> None:
        found = schedule_named(ctx, tx, group, request["Name"])
        ctx.parts.events.schedules.remove(tx, found.arn)
        records.remove(tx, found.arn)

    ctx.parts.database.write(delete)
    return {}


def _kept(ctx: Context, group: str, request: Members) -> Members:
    """What is kept of a request that may stand. Raises ``Invalid``."""
    if request.get("KmsKeyArn"):
        raise NotSupported("Schedules with KmsKeyArn are not supported in Cloche")
    kept = {name: request[name] for name in _KEPT if request.get(name) is not None}
    kept |= {name: request.get(name) or default for name, default in _DEFAULTS.items()}
    expression, window = kept["ScheduleExpression"], kept["FlexibleTimeWindow"]
    try:
        schedule_expression.parse(expression)
    except Invalid:
        raise Invalid(f"Invalid Schedule Expression {expression}.") from None  # localstack/localstack#9284
    zone_named(kept["ScheduleExpressionTimezone"])
    has_minutes = window.get("MaximumWindowInMinutes") is not None
    if has_minutes != (window["Mode"] == "FLEXIBLE"):
        raise Invalid(
            "FlexibleTimeWindow.MaximumWindowInMinutes must be specified when FlexibleTimeWindow.Mode is FLEXIBLE, and "
            "must not be when it is OFF."
        )
    start, end = kept.get("StartDate"), kept.get("EndDate")
    if start is not None and end is not None and _seconds(end) <= _seconds(start):
        raise Invalid("The EndDate you specify must be later than the StartDate.")
    kept["Target"] = checked_target(ctx, group, request["Target"])
    return kept


def _plan(kept: Members, began_at: float) -> Plan:
    """A single time takes no notice of the dates (API_CreateSchedule.html, ``StartDate``)."""
    expression, zone = kept["ScheduleExpression"], kept["ScheduleExpressionTimezone"]
    window = 60 * (kept["FlexibleTimeWindow"].get("MaximumWindowInMinutes") or 0)
    if isinstance(schedule_expression.parse(expression), At):
        return Plan(expression, 0.0, None, zone, window)
    start, end = kept.get("StartDate"), kept.get("EndDate")
    return Plan(
        expression,
        float(int(began_at)) if start is None else _seconds(start),  # schedules tell whole seconds
        None if end is None else _seconds(end),
        zone,
        window,
    )


def _require_to_come(ctx: Context, kept: Members, plan: Plan) -> None:
    now = ctx.now.timestamp()
    if isinstance(schedule_expression.parse(plan.expression), At):
        if plan.next_after(now) is None:  # AWS refuses a single time that has passed
            raise Invalid(f"Invalid Schedule Expression {plan.expression}.")
        return
    start, end = kept.get("StartDate"), kept.get("EndDate")
    if start is not None and _seconds(start) < now - PAST_SECONDS_MAX:
        raise Invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")  # getmoto/moto#8172
    if end is not None and _seconds(end) <= now:
        raise Invalid("The EndDate you specify cannot be in the past.")


def _seconds(at: datetime) -> float:
    return at.timestamp()


def _put(ctx: Context, tx: sqlite3.Connection, schedule: Record, plan: Plan, after: float) -> None:
    current = records.find_arn(tx, schedule.arn)
    assert current is not None
    if current.status == "ENABLED":
        ctx.parts.events.schedules.put(tx, current, plan, after)
    else:
        ctx.parts.events.schedules.remove(tx, schedule.arn)
