"""Schedules, definitions and executions as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloche.aws.operation import Members
from cloche.engines.monitoring.rows import ExecutionRow
from cloche.foundation.clock import from_epoch
from cloche.storage.metadata.records import Record


def view_definition_summary(record: Record, type: str) -> Members:
    source = record.request.get(f"{type}JobInput") or {}
    return {
        "MonitoringJobDefinitionName": record.name,
        "MonitoringJobDefinitionArn": record.arn,
        "EndpointName": (source.get("EndpointInput") or {}).get("EndpointName", ""),
    }


def view_schedule(record: Record) -> Members:
    last = record.state.get("last")
    return {
        **view_schedule_summary(record),
        "LastMonitoringExecutionSummary": last and view_summary(record.name, last),
    }


def view_schedule_summary(record: Record) -> Members:
    config = record.request["MonitoringScheduleConfig"]
    return {
        "EndpointName": record.state.get("endpoint"),
        "MonitoringType": record.state.get("type"),
        "MonitoringJobDefinitionName": config.get("MonitoringJobDefinitionName"),
    }


def view_execution(row: ExecutionRow) -> Members:
    return _execution(
        row.schedule,
        row.scheduled_at,
        row.created_at,
        row.modified_at,
        status=row.status,
        job=row.job,
        endpoint=row.endpoint,
        reason=row.reason,
        definition=row.definition,
        type=row.type,
    )


def view_summary(schedule: str, last: Mapping[str, Any]) -> Members:
    """An execution as its schedule's record keeps it."""
    times = (last["scheduled_at"], last["created_at"], last["modified_at"])
    rest = {name: last[name] for name in ("status", "job", "endpoint", "reason", "definition", "type")}
    return _execution(schedule, *times, **rest)


def _execution(
    schedule: str,
    scheduled_at: float,
    created_at: float,
    modified_at: float,
    *,
    status: str,
    job: str | None,
    endpoint: str | None,
    reason: str | None,
    definition: str | None,
    type: str,
) -> Members:
    shown = {
        "MonitoringScheduleName": schedule,
        "ScheduledTime": from_epoch(scheduled_at),
        "CreationTime": from_epoch(created_at),
        "LastModifiedTime": from_epoch(modified_at),
        "MonitoringExecutionStatus": status,
        "ProcessingJobArn": job,
        "EndpointName": endpoint,
        "FailureReason": reason,
        "MonitoringJobDefinitionName": definition,
        "MonitoringType": type,
    }
    return {name: value for name, value in shown.items() if value is not None}
