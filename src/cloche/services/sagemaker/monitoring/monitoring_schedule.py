"""Monitoring schedules: when which monitoring job runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import Fact, Resource, fact
from cloche.engines.monitoring import SCHEDULE
from cloche.engines.monitoring.definition import (
    DATA_QUALITY,
    MODEL_QUALITY,
    Definition,
    inline_definition,
    named_definition,
)
from cloche.engines.monitoring.times import DAY, parse_offset, parse_schedule
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.sagemaker.monitoring.definitions import MISSING as NO_DEFINITION
from cloche.services.sagemaker.monitoring.definitions import check_definition, check_runtime
from cloche.services.sagemaker.monitoring.viewing import view_schedule, view_schedule_summary
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

NOT_FOUND: Final = fact(
    "ResourceNotFound",
    "Monitoring Schedule {name} not found",
    source="code: the operation's errors in the model; words: Cloche's own",
)


class MonitoringSchedule(Resource):
    """A job definition, and the hours at which it runs."""

    operations: ClassVar = (
        "CreateMonitoringSchedule",
        "DescribeMonitoringSchedule",
        "ListMonitoringSchedules",
        "UpdateMonitoringSchedule",
        "StopMonitoringSchedule",
        "DeleteMonitoringSchedule",
    )
    arn: ClassVar = "monitoring-schedule/{MonitoringScheduleName}"
    status: ClassVar = "MonitoringScheduleStatus"
    missing: ClassVar[Fact] = NOT_FOUND
    duplicate: ClassVar[Fact] = fact(
        "ResourceInUse",
        "A monitoring schedule with the name {name} already exists ({arn}).",
        source="code: the operation's errors in the model; words: Cloche's own",
    )
    filters: ClassVar[Mapping[str, str]] = {
        "EndpointName": "json_extract(state, '$.endpoint') = ?",
        "MonitoringTypeEquals": "json_extract(state, '$.type') = ?",
        "MonitoringJobDefinitionName": (
            "json_extract(request, '$.MonitoringScheduleConfig.MonitoringJobDefinitionName') = ?"
        ),
    }

    def check(self, ctx: Context, request: Members) -> None:
        check_schedule(ctx, request["MonitoringScheduleConfig"])

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        ctx.parts.monitoring.schedules.add(tx, record)

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        check_schedule(ctx, request["MonitoringScheduleConfig"])
        kept = super().updated(ctx, tx, record, request)
        ctx.parts.monitoring.schedules.update(tx, replace(record, request=kept))
        return kept

    def stopping(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        ctx.parts.monitoring.schedules.stop(tx, record)

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        ctx.parts.monitoring.schedules.delete(tx, record)
        super().deleted(ctx, tx, record)

    def settled(self, ctx: Context, record: Record) -> None:
        ctx.parts.agenda.poke()

    def shown(self, ctx: Context, record: Record) -> Members:
        return view_schedule(record)

    def listed(self, ctx: Context, record: Record) -> Members:
        return view_schedule_summary(record)


@operation("StartMonitoringSchedule")
def start_monitoring_schedule(ctx: Context, request: Members) -> Members:
    """Executions begin again; those that a stopped schedule missed are not made up for."""

    def change(tx: sqlite3.Connection) -> None:
        ctx.parts.monitoring.schedules.start(tx, schedule_named(ctx, tx, request["MonitoringScheduleName"]))

    ctx.parts.database.write(change)
    ctx.parts.agenda.poke()
    return {}


def schedule_named(ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
    """Raises ``NOT_FOUND``."""
    record = records.find(connection, ctx.account, ctx.region, SCHEDULE, name)
    if record is None:
        raise NOT_FOUND.error(name=name)
    return record


def check_schedule(ctx: Context, config: Members) -> None:
    """Sources: docs.aws.amazon.com/sagemaker/latest/APIReference, pages API_MonitoringScheduleConfig and
    API_ScheduleConfig; the words are Cloche's own."""
    definition = _definition(ctx, config)
    when = config.get("ScheduleConfig")
    if when is None:
        return check_runtime(definition, DAY)
    schedule = parse_schedule(when["ScheduleExpression"])
    start, end = when.get("DataAnalysisStartTime"), when.get("DataAnalysisEndTime")
    if schedule.is_once and not (start and end):
        raise Invalid(
            "DataAnalysisStartTime and DataAnalysisEndTime must be specified when ScheduleExpression is NOW.",
            field="ScheduleConfig",
        )
    begins = parse_offset(start, "DataAnalysisStartTime") if start else None
    ends = parse_offset(end, "DataAnalysisEndTime") if end else 0.0
    if begins is not None and not 0 < ends - begins <= DAY:
        raise Invalid(
            f"DataAnalysisStartTime {start} must precede DataAnalysisEndTime {end or 'PT0H'} by 24 hours at most.",
            field="DataAnalysisStartTime",
        )
    return check_runtime(definition, schedule.shortest)


def _definition(ctx: Context, config: Members) -> Definition:
    inline, name = config.get("MonitoringJobDefinition"), config.get("MonitoringJobDefinitionName")
    type: str | None = config.get("MonitoringType")
    if (inline is None) == (name is None):
        raise Invalid(
            "Exactly one of MonitoringJobDefinition and MonitoringJobDefinitionName must be specified.",
            field="MonitoringScheduleConfig",
        )
    if type is not None and type not in (DATA_QUALITY, MODEL_QUALITY):
        raise NotSupported(f"Cloche does not support MonitoringType {type} yet: it needs SageMaker Clarify's analyzer.")
    if inline is not None:
        if type not in (None, DATA_QUALITY):
            raise Invalid(f"MonitoringType {type} needs a MonitoringJobDefinitionName.", field="MonitoringType")
        definition = inline_definition(inline)
        check_definition(ctx, definition)
        return definition
    if type is None or name is None:
        raise Invalid("MonitoringType must be specified with MonitoringJobDefinitionName.", field="MonitoringType")
    found = records.find(ctx.parts.database.reader, ctx.account, ctx.region, f"sagemaker/{type}JobDefinition", name)
    if found is None:
        raise NO_DEFINITION.error(name=name)
    return named_definition(type, name, found.request)
