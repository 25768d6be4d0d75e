"""Alarms of both types: descriptions, states set by hand, actions switched on and off, and their end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.alarms import KIND, rows
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid
from cloche.services.cloudwatch.alarm_request import ACTIONS, validation_error
from cloche.services.cloudwatch.metric_data import dimensions_of
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

PAGE: Final = 100
DELETE_MAX: Final = 100
_FILTERS: Final = ("AlarmNames", "AlarmNamePrefix", "AlarmTypes", "StateValue", "ActionPrefix")


@operation("DescribeAlarms", reads=True)
def describe_alarms(ctx: Context, request: Members) -> Members:
    """Metric alarms, unless other types are asked for; by name."""
    if "ChildrenOfAlarmName" in request or "ParentsOfAlarmName" in request:
        return _related(ctx, request)
    if "AlarmNames" in request and "AlarmNamePrefix" in request:
        raise validation_error("AlarmNames and AlarmNamePrefix must not be specified together")
    size = request.get("MaxRecords") or PAGE
    question = [ctx.account, ctx.region, {name: request[name] for name in _FILTERS if name in request}]
    found: list[Record] = []
    last = None
    for record in _walk(ctx, request, _after(ctx, question, request.get("NextToken"))):
        if len(found) == size:
            last = found[-1].name
            break
        if _fits(record, request):
            found.append(record)
    answer: Members = {"CompositeAlarms": [], "MetricAlarms": []}
    for record in found:
        is_composite = "AlarmRule" in record.request
        answer["CompositeAlarms" if is_composite else "MetricAlarms"].append(shown(record))
    if last is not None:
        answer["NextToken"] = tokens.seal(records.page_secret(ctx.parts.database.reader), question, (last,))
    return answer


@operation("DescribeAlarmsForMetric", reads=True)
def describe_alarms_for_metric(ctx: Context, request: Members) -> Members:
    """Alarms on that metric alone; those on expressions over it are not among them, as on AWS."""
    wanted = dimensions_of(request)
    names = ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Unit")
    found = [
        shown(record)
        for record in _walk(ctx, {}, None)
        if "MetricName" in record.request
        and dimensions_of(record.request) == wanted
        and all(record.request.get(name) == request[name] for name in names if name in request)
    ]
    return {"MetricAlarms": found}


@operation("DeleteAlarms")
def delete_alarms(ctx: Context, request: Members) -> Members:
    """Those that are there. None of them, where a composite alarm that stays depends on one."""
    names = list(dict.fromkeys(request["AlarmNames"]))
    if len(names) > DELETE_MAX:
        raise validation_error(f"AlarmNames may have at most {DELETE_MAX} members")
    now = ctx.now.timestamp()

    def change(tx: sqlite3.Connection) -> list[str]:
        arns = [rows.arn_of(ctx.account, ctx.region, name) for name in names]
        found = [record for arn in arns if (record := rows.find(tx, arn)) is not None]
        if sum("AlarmRule" in record.request for record in found) > 1:
            raise validation_error("Only one composite alarm can be deleted at a time")
        _require_free(tx, found)
        for record in sorted(found, key=lambda each: "AlarmRule" not in each.request):
            ctx.parts.alarms.remove(tx, record, now)
        return [record.arn for record in found]

    ctx.parts.alarms.changed(ctx.parts.database.write(change))
    return {}


def _require_free(tx: sqlite3.Connection, found: list[Record]) -> None:
    """The words of cloud-custodian/cloud-custodian#7763 and ekristen/aws-nuke#462."""
    going = {record.arn for record in found}
    needed = [
        record.name
        for record in found
        if {*rows.parents(tx, record.arn), *rows.parents(tx, record.arn, "suppressor")} - going
    ]
    if needed:
        them = "it" if len(needed) == 1 else "them"
        raise validation_error(f"Cannot delete {','.join(needed)} as there are composite alarm(s) depending on {them}.")


@operation("SetAlarmState")
def set_alarm_state(ctx: Context, request: Members) -> Members:
    """A metric alarm returns to what its data say with its next evaluation."""
    data = request.get("StateReasonData")
    if data is not None:
        _require_json(data)
    arn = rows.arn_of(ctx.account, ctx.region, request["AlarmName"])

    def change(tx: sqlite3.Connection) -> None:
        record = rows.find(tx, arn)
        if record is None:
            raise AwsError("ResourceNotFound", "", 404)
        ctx.parts.alarms.set_state(tx, record, request["StateValue"], request["StateReason"], data, ctx.now.timestamp())

    ctx.parts.database.write(change)
    ctx.parts.alarms.changed([arn])
    return {}


def _require_json(text: str) -> None:
    try:
        is_object = isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        is_object = False
    if not is_object:
        raise AwsError("InvalidFormat", "StateReasonData was not valid JSON")


@operation("EnableAlarmActions")
def enable_alarm_actions(ctx: Context, request: Members) -> Members:
    return _switch(ctx, request["AlarmNames"], enabled=True)


@operation("DisableAlarmActions")
def disable_alarm_actions(ctx: Context, request: Members) -> Members:
    return _switch(ctx, request["AlarmNames"], enabled=False)


def _switch(ctx: Context, names: list[str], *, enabled: bool) -> Members:
    """Names of alarms that are not there are passed over."""
    now = ctx.now.timestamp()

    def change(tx: sqlite3.Connection) -> list[str]:
        arns = []
        for name in names:
            record = rows.find(tx, rows.arn_of(ctx.account, ctx.region, name))
            if record is not None and record.request["ActionsEnabled"] is not enabled:
                ctx.parts.alarms.enable(tx, record, enabled, now)
                arns.append(record.arn)
        return arns

    ctx.parts.alarms.changed(ctx.parts.database.write(change))
    return {}


# -- views -----------------------------------------------------------------------------------------------


def shown(record: Record) -> Members:
    """An alarm as it is described."""
    state = record.state
    told: Members = {
        **{name: [] for name in ACTIONS},
        **record.request,
        "AlarmName": record.name,
        "AlarmArn": record.arn,
        "AlarmConfigurationUpdatedTimestamp": from_epoch(record.modified_at),
        "StateValue": record.status,
        "StateReason": state["reason"],
        "StateUpdatedTimestamp": from_epoch(state["updated"]),
        "StateTransitionedTimestamp": from_epoch(state["transitioned"]),
    }
    if state.get("reason_data"):
        told["StateReasonData"] = state["reason_data"]
    if state.get("evaluation"):
        told["EvaluationState"] = state["evaluation"]
    if suppressed := state.get("suppressed"):
        told |= {"ActionsSuppressedBy": suppressed["by"], "ActionsSuppressedReason": suppressed["reason"]}
    return told


def _related(ctx: Context, request: Members) -> Members:
    """Children or parents of an alarm, told as briefly as AWS does (API_DescribeAlarms)."""
    others = set(request) - {"ChildrenOfAlarmName", "ParentsOfAlarmName", "MaxRecords", "NextToken"}
    if others or ("ChildrenOfAlarmName" in request and "ParentsOfAlarmName" in request):
        raise validation_error("ChildrenOfAlarmName and ParentsOfAlarmName must be specified alone")
    reader = ctx.parts.database.reader
    of_children = "ChildrenOfAlarmName" in request
    arn = rows.arn_of(ctx.account, ctx.region, request.get("ChildrenOfAlarmName") or request["ParentsOfAlarmName"])
    arns = rows.children(reader, arn) if of_children else rows.parents(reader, arn)
    answer: Members = {"CompositeAlarms": [], "MetricAlarms": []}
    for found in (record for each in arns if (record := rows.find(reader, each)) is not None):
        told: Members = {"AlarmName": found.name, "AlarmArn": found.arn}
        if of_children:
            told |= {
                "StateValue": found.status,
                "StateUpdatedTimestamp": from_epoch(found.state["updated"]),
            }
        answer["CompositeAlarms" if "AlarmRule" in found.request else "MetricAlarms"].append(told)
    return answer


# -- listing ---------------------------------------------------------------------------------------------


def _after(ctx: Context, question: list[Any], token: str | None) -> tuple[Any, ...] | None:
    if not token:
        return None
    try:
        return tokens.unseal(records.page_secret(ctx.parts.database.reader), question, token)
    except Invalid as error:
        raise AwsError("InvalidNextToken", error.message) from None


def _walk(ctx: Context, request: Members, after: tuple[Any, ...] | None) -> Iterator[Record]:
    """By name, from ``after`` on, narrowed by what an index knows."""
    conditions = ["account = ?", "region = ?", "kind = ?"]
    arguments: list[Any] = [ctx.account, ctx.region, KIND]
    if prefix := request.get("AlarmNamePrefix"):
        conditions += ["name >= ?", "name < ?"]
        arguments += [prefix, prefix + "\U0010ffff"]
    if names := request.get("AlarmNames"):
        conditions.append(f"name IN ({', '.join('?' * len(names))})")
        arguments += names
    if state := request.get("StateValue"):
        conditions.append("status = ?")
        arguments.append(state)
    walk = Walk("records", ("name",), conditions=tuple(conditions), arguments=tuple(arguments))
    while True:
        page = read_page(ctx.parts.database.reader, walk, after=after, size=PAGE)
        yield from map(records.from_row, page.rows)
        if page.last is None:
            return
        after = page.last


def _fits(record: Record, request: Members) -> bool:
    types = request.get("AlarmTypes") or ["MetricAlarm"]
    if rows.type_of(record.request) not in types:
        return False
    prefix = request.get("ActionPrefix")
    return prefix is None or any(
        action.startswith(prefix) for name in ACTIONS for action in record.request.get(name) or ()
    )
