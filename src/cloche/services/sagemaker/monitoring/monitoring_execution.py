"""Executions of monitoring schedules."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.monitoring.rows import row_from
from cloche.services.sagemaker.monitoring.viewing import view_execution
from cloche.services.sagemaker.paging import page_of
from cloche.storage.metadata.keyset import Walk

_FILTERS: Final = {
    "MonitoringScheduleName": "schedule = ?",
    "EndpointName": "endpoint = ?",
    "ScheduledTimeBefore": "scheduled_at < ?",
    "ScheduledTimeAfter": "scheduled_at >= ?",
    "CreationTimeBefore": "created_at < ?",
    "CreationTimeAfter": "created_at >= ?",
    "LastModifiedTimeBefore": "modified_at < ?",
    "LastModifiedTimeAfter": "modified_at >= ?",
    "StatusEquals": "status = ?",
    "MonitoringJobDefinitionName": "definition = ?",
    "MonitoringTypeEquals": "type = ?",
}
_ORDERS: Final = {
    "CreationTime": ("created_at", "id"),
    "ScheduledTime": ("scheduled_at", "id"),
    "Status": ("status", "created_at", "id"),
}


@operation("ListMonitoringExecutions", reads=True)
def list_monitoring_executions(ctx: Context, request: Members) -> Members:
    """The newest first, unless asked otherwise; also of schedules that have been deleted."""
    asked = [(condition, argument(request[name])) for name, condition in _FILTERS.items() if name in request]
    walk = Walk(
        "monitoring_executions",
        _ORDERS[request.get("SortBy", "CreationTime")],
        request.get("SortOrder", "Descending") == "Descending",
        ("account = ?", "region = ?", *(condition for condition, _ in asked)),
        (ctx.account, ctx.region, *(value for _, value in asked)),
    )
    found, token = page_of(ctx, "ListMonitoringExecutions", walk, request)
    answer: Members = {"MonitoringExecutionSummaries": [view_execution(row_from(row)) for row in found]}
    if token is not None:
        answer["NextToken"] = token
    return answer


def argument(value: Any) -> Any:
    """As it is compared in a row: times are seconds since 1970."""
    return value.timestamp() if hasattr(value, "timestamp") else value
