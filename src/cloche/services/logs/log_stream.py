"""Log streams: create, describe, delete."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.foundation.errors import Invalid
from cloche.services.logs.log_group import require_unprotected
from cloche.services.logs.naming import group_named, stream_arn
from cloche.storage.logs import LogStream
from cloche.storage.metadata import records

DESCRIBE_DEFAULT: Final = 50


@operation("CreateLogStream")
def create_log_stream(ctx: Context, request: Members) -> Members:
    ctx.parts.logs.create_stream(ctx.account, ctx.region, request["logGroupName"], request["logStreamName"])
    return {}


@operation("DeleteLogStream")
def delete_log_stream(ctx: Context, request: Members) -> Members:
    require_unprotected(ctx, request["logGroupName"])
    ctx.parts.logs.delete_stream(ctx.account, ctx.region, request["logGroupName"], request["logStreamName"])
    return {}


@operation("DescribeLogStreams", reads=True)
def describe_log_streams(ctx: Context, request: Members) -> Members:
    """By name or by the time of the last event."""
    group = group_named(ctx, request)
    prefix = request.get("logStreamNamePrefix", "")
    by_time = request.get("orderBy", "LogStreamName") == "LastEventTime"
    descending = bool(request.get("descending", False))
    if by_time and prefix:
        # "If orderBy is LastEventTime, you cannot specify this parameter" (logStreamNamePrefix),
        # docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html
        raise Invalid("Cannot order by LastEventTime with a logStreamNamePrefix.", field="orderBy")
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["DescribeLogStreams", ctx.account, ctx.region, group, prefix, by_time, descending]
    token = request.get("nextToken")
    found, following = ctx.parts.logs.streams(
        ctx.account,
        ctx.region,
        group,
        prefix=prefix,
        by_time=by_time,
        descending=descending,
        after=tokens.unseal(secret, question, token) if token else None,
        limit=request.get("limit", DESCRIBE_DEFAULT),
    )
    answer: Members = {"logStreams": [_shown(ctx, group, stream) for stream in found]}
    if following is not None:
        answer["nextToken"] = tokens.seal(secret, question, following)
    return answer


def _shown(ctx: Context, group: str, stream: LogStream) -> Members:
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "firstEventTimestamp": stream.first_ms,
        "lastEventTimestamp": stream.last_ms or None,
        "lastIngestionTime": stream.ingested_ms,
        "arn": stream_arn(ctx, group, stream.name),
        # Always zero since June 2019, by the API's own reference.
        "storedBytes": 0,
    }
