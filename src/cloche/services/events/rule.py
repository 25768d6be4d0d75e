"""Rules: which events are meant. Whom they go to is in ``target``."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.engines.events.rules import DEFAULT_BUS, RULE, bus_of, filed_name, rule_arns_of_target, targets_of
from cloche.engines.events.schedules import Plan
from cloche.foundation import schedule_expression
from cloche.foundation.errors import Invalid, LimitReached, NotFound, NotSupported
from cloche.foundation.schedule_expression import At, Rate
from cloche.services.events.errors import require_pattern
from cloche.services.events.naming import PAGE_DEFAULT, bus_named, require_own, rule_arn, rule_name, rule_of
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

RULES_MAX: Final = 300  # docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
_KEPT: Final = ("EventPattern", "ScheduleExpression", "Description", "RoleArn")


@operation("PutRule")
def put_rule(ctx: Context, request: Members) -> Members:
    """A rule of that name is replaced; its targets stay."""
    state = request.get("State") or "ENABLED"
    if state == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS":
        raise NotSupported("Cloche has no CloudTrail, whose management events that state is about.")
    if not request.get("EventPattern") and not request.get("ScheduleExpression"):
        raise Invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if request.get("EventPattern"):
        require_pattern(request["EventPattern"])
    bus, name = bus_named(ctx, request.get("EventBusName")), request["Name"]
    arn, at = rule_arn(ctx, bus, name), ctx.now.timestamp()
    kept = {member: request[member] for member in _KEPT if request.get(member) is not None}
    pairs = tagging.tag_pairs(request.get("Tags") or ())
    if request.get("ScheduleExpression"):
        _require_schedule(request["ScheduleExpression"], bus)

    def put(tx: sqlite3.Connection) -> None:
        held = records.find_arn(tx, arn)
        if held is not None:
            require_own(held)
            records.replace_request(tx, arn, kept, at)
        else:
            _require_room(tx, ctx, bus)
            filed = filed_name(bus, name)
            records.insert(
                tx, account=ctx.account, region=ctx.region, kind=RULE, name=filed, arn=arn, at=at, request=kept
            )
            # API_PutRule.html: "If you are updating an existing rule, any tags you specify … are not applied"
            tagging.add_tags(tx, arn, pairs)
        records.set_status(tx, arn, state, at)
        _schedule(ctx, tx, arn, held)

    ctx.parts.database.write(put)
    ctx.parts.events.rules.changed()
    return {"RuleArn": arn}


def _require_schedule(expression: str, bus: str) -> None:
    """eb-create-rule-schedule.html: on the default bus only, in UTC, and rates in the number of their value."""
    try:
        schedule = schedule_expression.parse(expression)
    except Invalid:
        schedule = None
    if schedule is None or isinstance(schedule, At) or (isinstance(schedule, Rate) and not schedule.is_spoken):
        raise Invalid("Parameter ScheduleExpression is not valid.")  # aws/aws-cdk#32753
    if bus != DEFAULT_BUS:
        raise Invalid("ScheduleExpression is supported only on the default event bus.")


def _schedule(ctx: Context, tx: sqlite3.Connection, arn: str, before: Record | None = None) -> None:
    """Have the rule fall due as it says now. Nothing changes for one that has said so before."""
    rule, schedules = records.find_arn(tx, arn), ctx.parts.events.schedules
    assert rule is not None
    expression = rule.request.get("ScheduleExpression")
    if not expression or rule.status != "ENABLED":
        schedules.remove(tx, arn)
    elif before is None or (before.status, before.request.get("ScheduleExpression")) != (rule.status, expression):
        start = float(int(ctx.now.timestamp()))  # events tell whole seconds
        schedules.put(tx, rule, Plan(expression, start), after=start)


@operation("DescribeRule", reads=True)
def describe_rule(ctx: Context, request: Members) -> Members:
    bus = bus_named(ctx, request.get("EventBusName"))
    return {**_shown(rule_of(ctx, ctx.parts.database.reader, bus, request["Name"])), "CreatedBy": ctx.account}


@operation("ListRules", reads=True)
def list_rules(ctx: Context, request: Members) -> Members:
    bus = bus_named(ctx, request.get("EventBusName"))
    prefix = filed_name(bus, request.get("NamePrefix") or "")
    reader = ctx.parts.database.reader
    secret = records.page_secret(reader)
    question: list[Any] = ["ListRules", ctx.account, ctx.region, prefix]
    token = request.get("NextToken")
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?", "name >= ?", "name < ?"),
        arguments=(ctx.account, ctx.region, RULE, prefix, prefix + "\U0010ffff"),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("Limit") or PAGE_DEFAULT)
    answer: Members = {"Rules": [_shown(records.from_row(row)) for row in page.rows]}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("ListRuleNamesByTarget", reads=True)
def list_rule_names_by_target(ctx: Context, request: Members) -> Members:
    bus = bus_named(ctx, request.get("EventBusName"))
    reader, size = ctx.parts.database.reader, request.get("Limit") or PAGE_DEFAULT
    secret = records.page_secret(reader)
    question: list[Any] = ["ListRuleNamesByTarget", ctx.account, ctx.region, bus, request["TargetArn"]]
    token = request.get("NextToken")
    (after,) = tokens.unseal(secret, question, token) if token else ("",)
    prefix = rule_arn(ctx, bus, "")
    arns = rule_arns_of_target(reader, ctx.account, ctx.region, request["TargetArn"])
    names = [arn.removeprefix(prefix) for arn in arns if arn.startswith(prefix)]
    found = [name for name in names if "/" not in name and name > after]
    answer: Members = {"RuleNames": found[:size]}
    if len(found) > size:
        answer["NextToken"] = tokens.seal(secret, question, (found[size - 1],))
    return answer


@operation("EnableRule")
def enable_rule(ctx: Context, request: Members) -> Members:
    return _set_state(ctx, request, "ENABLED")


@operation("DisableRule")
def disable_rule(ctx: Context, request: Members) -> Members:
    return _set_state(ctx, request, "DISABLED")


@operation("DeleteRule")
def delete_rule(ctx: Context, request: Members) -> Members:
    """One that is not there is as good as deleted; one that has targets has to lose them first."""
    bus = bus_named(ctx, request.get("EventBusName"))

    def remove(tx: sqlite3.Connection) -> None:
        try:
            found = rule_of(ctx, tx, bus, request["Name"])
        except NotFound:
            return
        require_own(found)
        if targets_of(tx, found.arn):
            raise Invalid("Rule can't be deleted since it has targets.")
        ctx.parts.events.schedules.remove(tx, found.arn)
        records.remove(tx, found.arn)

    ctx.parts.database.write(remove)
    ctx.parts.events.rules.changed()
    return {}


def _set_state(ctx: Context, request: Members, state: str) -> Members:
    bus = bus_named(ctx, request.get("EventBusName"))

    def change(tx: sqlite3.Connection) -> None:
        found = rule_of(ctx, tx, bus, request["Name"])
        require_own(found)
        records.set_status(tx, found.arn, state, ctx.now.timestamp())
        _schedule(ctx, tx, found.arn, found)

    ctx.parts.database.write(change)
    ctx.parts.events.rules.changed()
    return {}


def _require_room(tx: sqlite3.Connection, ctx: Context, bus: str) -> None:
    count = tx.execute(
        "SELECT count(*) FROM records WHERE account = ? AND region = ? AND kind = ? AND name > ? AND name < ?",
        (ctx.account, ctx.region, RULE, f"{bus}/", f"{bus}0"),
    ).fetchone()[0]
    if count >= RULES_MAX:
        raise LimitReached("The requested resource exceeds the maximum number allowed.")


def _shown(record: Record) -> Members:
    return {
        "Name": rule_name(record),
        "Arn": record.arn,
        "State": record.status,
        "EventBusName": bus_of(record.name),
        **record.request,
    }
