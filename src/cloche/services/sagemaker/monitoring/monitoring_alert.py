"""Alerts of monitoring schedules, and what they were in the past."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import fact
from cloche.engines.monitoring import alerts
from cloche.engines.monitoring.alerts import Alert
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.monitoring.monitoring_execution import argument
from cloche.services.sagemaker.monitoring.monitoring_schedule import schedule_named
from cloche.services.sagemaker.paging import page_of
from cloche.storage.metadata.keyset import Walk

PAGE_DEFAULT: Final = 100
"""API_ListMonitoringAlertHistory (MaxResults)"""
NO_ALERT: Final = fact(
    "ResourceNotFound",
    "Monitoring alert {name} of the monitoring schedule {schedule} not found",
    source="code: the operation's errors in the model; words: Cloche's own",
)
_FILTERS: Final = {
    "MonitoringScheduleName": "schedule = ?",
    "MonitoringAlertName": "name = ?",
    # "created on or before", "on or after": API_ListMonitoringAlertHistory
    "CreationTimeBefore": "created_at <= ?",
    "CreationTimeAfter": "created_at >= ?",
    "StatusEquals": "status = ?",
}
_ORDERS: Final = {"CreationTime": ("created_at", "number"), "Status": ("status", "created_at", "number")}


@operation("ListMonitoringAlerts", reads=True)
def list_monitoring_alerts(ctx: Context, request: Members) -> Members:
    """A schedule has one: a single page."""
    if request.get("NextToken"):
        raise Invalid("NextToken is not valid", field="NextToken")
    schedule = schedule_named(ctx, ctx.parts.database.reader, request["MonitoringScheduleName"])
    alert = alerts.read(ctx.parts.database.reader, schedule.arn)
    return {"MonitoringAlertSummaries": [] if alert is None else [_view(alert)]}


@operation("UpdateMonitoringAlert")
def update_monitoring_alert(ctx: Context, request: Members) -> Members:
    """The executions that have been are counted anew at once."""
    name, datapoints, period = (
        request[member] for member in ("MonitoringAlertName", "DatapointsToAlert", "EvaluationPeriod")
    )
    if datapoints > period:
        raise Invalid(
            f"DatapointsToAlert {datapoints} must not exceed EvaluationPeriod {period}.", field="DatapointsToAlert"
        )

    def change(tx: sqlite3.Connection) -> str:
        schedule = schedule_named(ctx, tx, request["MonitoringScheduleName"])
        alert = alerts.read(tx, schedule.arn)
        if alert is None or alert.name != name:
            raise NO_ALERT.error(name=name, schedule=schedule.name)
        alerts.update(tx, schedule, datapoints, period, ctx.now.timestamp())
        return schedule.arn

    return {"MonitoringScheduleArn": ctx.parts.database.write(change), "MonitoringAlertName": name}


@operation("ListMonitoringAlertHistory", reads=True)
def list_monitoring_alert_history(ctx: Context, request: Members) -> Members:
    """Every change of an alert's status, the newest first unless asked otherwise."""
    asked = [(condition, argument(request[name])) for name, condition in _FILTERS.items() if name in request]
    walk = Walk(
        "monitoring_alert_history",
        _ORDERS[request.get("SortBy", "CreationTime")],
        request.get("SortOrder", "Descending") == "Descending",
        ("account = ?", "region = ?", *(condition for condition, _ in asked)),
        (ctx.account, ctx.region, *(value for _, value in asked)),
    )
    found, token = page_of(ctx, "ListMonitoringAlertHistory", walk, {"MaxResults": PAGE_DEFAULT, **request})
    answer: Members = {
        "MonitoringAlertHistory": [
            {
                "MonitoringScheduleName": row["schedule"],
                "MonitoringAlertName": row["name"],
                "CreationTime": from_epoch(row["created_at"]),
                "AlertStatus": row["status"],
            }
            for row in found
        ]
    }
    if token is not None:
        answer["NextToken"] = token
    return answer


def _view(alert: Alert) -> Members:
    return {
        "MonitoringAlertName": alert.name,
        "CreationTime": from_epoch(alert.created_at),
        "LastModifiedTime": from_epoch(alert.modified_at),
        "AlertStatus": alert.status,
        "DatapointsToAlert": alert.datapoints,
        "EvaluationPeriod": alert.period,
        "Actions": {"ModelDashboardIndicator": {"Enabled": True}},
    }
