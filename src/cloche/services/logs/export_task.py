"""Export tasks: create, describe, cancel. The work is ``engines/log_export``'s."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.log_export import ExportPlan
from cloche.foundation.errors import Conflict, Invalid, NotFound
from cloche.lifecycle.machine import Item
from cloche.services.logs.errors import invalid_operation
from cloche.services.logs.log_group import require_class
from cloche.storage.metadata import records

# docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateExportTask.html
PREFIX_DEFAULT: Final = "exportedlogs"
DESCRIBE_DEFAULT: Final = 50


@operation("CreateExportTask")
def create_export_task(ctx: Context, request: Members) -> Members:
    """The bucket must be there, in the caller's account and region. Its policy is not asked: Cloche itself writes."""
    group, bucket = request["logGroupName"], request["destination"]
    if request["from"] > request["to"]:
        raise Invalid("The parameter from must not be later than the parameter to.", field="from")
    held = require_class(ctx, group, "CreateExportTask")
    if request["to"] < held.created_ms:
        # "You must specify a time that is not earlier than when this log group was created."
        raise Invalid("The specified time range ends before the log group was created.", field="to")
    try:
        found = ctx.parts.objects.buckets.get(bucket)
    except NotFound:
        found = None
    if found is None or found.account != ctx.account:
        raise Invalid("The given bucket does not exist, or belongs to another account.", field="destination")
    if found.region != ctx.region:
        raise Invalid("The given bucket is not in the same region as the log group.", field="destination")
    plan = ExportPlan(
        account=ctx.account,
        region=ctx.region,
        group=group,
        from_ms=request["from"],
        to_ms=request["to"],
        bucket=bucket,
        prefix=(request.get("destinationPrefix") or PREFIX_DEFAULT).strip("/"),
        stream_prefix=request.get("logStreamNamePrefix", ""),
        name=request.get("taskName", ""),
    )
    return {"taskId": ctx.parts.exports.submit(plan)}


@operation("DescribeExportTasks", reads=True)
def describe_export_tasks(ctx: Context, request: Members) -> Members:
    """Newest first."""
    id, code = request.get("taskId"), request.get("statusCode")
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["DescribeExportTasks", ctx.account, ctx.region, id, code]
    tasks = [
        item
        for item in reversed(ctx.parts.exports.tasks(ctx.account, ctx.region))
        if id in (None, item.id) and code in (None, item.state)
    ]
    if token := request.get("nextToken"):
        after = tokens.unseal(secret, question, token)
        tasks = [item for item in tasks if _key(item) < after]
    limit = request.get("limit", DESCRIBE_DEFAULT)
    answer: Members = {"exportTasks": [_shown(item) for item in tasks[:limit]]}
    if len(tasks) > limit:
        answer["nextToken"] = tokens.seal(secret, question, _key(tasks[limit - 1]))
    return answer


@operation("CancelExportTask")
def cancel_export_task(ctx: Context, request: Members) -> Members:
    try:
        ctx.parts.exports.cancel(ctx.account, ctx.region, request["taskId"])
    except Conflict:
        raise invalid_operation("The specified export task has already ended or is being cancelled.") from None
    return {}


def _key(item: Item) -> tuple[float, str]:
    return item.created_at, item.id


def _shown(item: Item) -> Members:
    plan = item.data
    shown: Members = {
        "taskId": item.id,
        "taskName": plan["name"] or None,
        "logGroupName": plan["group"],
        "from": plan["from_ms"],
        "to": plan["to_ms"],
        "destination": plan["bucket"],
        "destinationPrefix": plan["prefix"],
        "status": {"code": item.state, "message": item.message},
        "executionInfo": {"creationTime": int(item.created_at * 1000)},
    }
    if item.ended_at is not None:
        shown["executionInfo"]["completionTime"] = int(item.ended_at * 1000)
    return shown
