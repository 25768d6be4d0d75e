"""PutMetricAlarm and PutCompositeAlarm. What is put again keeps its state and its tags."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.engines.alarms import ALARMS_MAX, KIND, rows
from cloche.engines.alarms import rule as rules
from cloche.foundation.errors import Invalid, LimitReached
from cloche.services.cloudwatch import alarm_request
from cloche.services.cloudwatch.alarm_request import validation_error
from cloche.services.cloudwatch.errors import invalid_value

PARENTS_MAX: Final = 150
"""docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html."""


@operation("PutMetricAlarm")
def put_metric_alarm(ctx: Context, request: Members) -> Members:
    _put(ctx, request, alarm_request.metric_alarm(ctx, request))
    return {}


@operation("PutCompositeAlarm")
def put_composite_alarm(ctx: Context, request: Members) -> Members:
    kept = alarm_request.composite_alarm(ctx, request)
    try:
        named = rules.children(rules.read(request["AlarmRule"]))
    except Invalid as error:
        raise validation_error(error.message) from None
    _put(ctx, request, kept, named)
    return {}


def _put(ctx: Context, request: Members, kept: dict[str, Any], named: list[str] | None = None) -> None:
    """``named``: the alarms that the rule of a composite alarm refers to."""
    name = request["AlarmName"]
    arn = rows.arn_of(ctx.account, ctx.region, name)
    pairs = _tags(request)

    def change(tx: sqlite3.Connection) -> None:
        before = rows.find(tx, arn)
        if before is None:
            _require_room(tx, ctx, is_composite=named is not None)
        elif ("AlarmRule" in before.request) != (named is not None):
            raise validation_error(f"An alarm of another type with the name {name} exists already")
        if named is not None:
            _require_there(tx, ctx, arn, named, kept.get("ActionsSuppressor"))
        ctx.parts.alarms.put(tx, ctx.account, ctx.region, name, kept, ctx.now.timestamp())
        if before is None:
            tagging.add_tags(tx, arn, pairs)

    try:
        ctx.parts.database.write(change)
    except LimitReached as error:
        raise invalid_value(error.message) from None
    ctx.parts.alarms.changed([arn])


def _tags(request: Members) -> list[tuple[str, str]]:
    try:
        return tagging.tag_pairs(request.get("Tags") or ())
    except Invalid as error:
        raise invalid_value(error.message) from None


def _require_room(tx: sqlite3.Connection, ctx: Context, *, is_composite: bool) -> None:
    held = tx.execute(
        "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ?", (ctx.account, ctx.region, KIND)
    ).fetchone()[0]
    if held < ALARMS_MAX:
        return
    composite = tx.execute(
        "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ?"
        " AND json_extract(request, '$.AlarmRule') IS NOT NULL",
        (ctx.account, ctx.region, KIND),
    ).fetchone()[0]
    if (composite if is_composite else held - composite) >= ALARMS_MAX:
        raise AwsError("LimitExceeded", f"The maximum number of alarms ({ALARMS_MAX}) has been reached.")


def _require_there(tx: sqlite3.Connection, ctx: Context, own: str, named: list[str], suppressor: str | None) -> None:
    missing = [each for each in named if rows.find(tx, rows.arn_meant(ctx.account, ctx.region, each)) is None]
    if missing:
        listed = ", ".join(missing)
        raise validation_error(
            f"Could not save the composite alarm as alarms [{listed}] in the alarm rule do not exist"
        )
    for each in named:
        parents = {*rows.parents(tx, rows.arn_meant(ctx.account, ctx.region, each)), own}
        if len(parents) > PARENTS_MAX:
            raise AwsError("LimitExceeded", f"{PARENTS_MAX} composite alarms depend on {each} already.")
    if suppressor is not None and rows.find(tx, rows.arn_meant(ctx.account, ctx.region, suppressor)) is None:
        raise validation_error(
            f"Could not save the composite alarm as the actions suppressor {suppressor} does not exist"
        )
