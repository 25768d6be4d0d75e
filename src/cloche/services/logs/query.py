"""Queries of Logs Insights: start, stop, results, history. What runs them is ``engines/log_insights``."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.log_insights import Query, QueryPlan
from cloche.foundation.errors import Conflict, Invalid, NotSupported
from cloche.services.logs.naming import group_arn, group_of_identifier
from cloche.storage.logs import LogGroup
from cloche.storage.metadata import records

# botocore's documentation of StartQuery: "You can include up to 50 log groups"
GROUPS_MAX: Final = 50
PAGE_MAX: Final = 10_000
PAGE_BYTES_MAX: Final = 16 * 1024 * 1024
DESCRIBE_DEFAULT: Final = 100
_DAY_MS: Final = 24 * 3600 * 1000
PAST_MS: Final = 14 * _DAY_MS
"""Events may be so much older than their group (API_PutLogEvents.html)."""


@operation("StartQuery")
def start_query(ctx: Context, request: Members) -> Members:
    """The text is read here, so that one that is none is refused at once; times are seconds, both inclusive."""
    language = request.get("queryLanguage", "CWLI")
    if language != "CWLI":
        raise NotSupported(f"StartQuery does not support the query language {language} in Cloche")
    names = _groups(ctx, request)
    text = request["queryString"]
    commands = require_query(text)
    start, end = request["startTime"], request["endTime"]
    if start > end:
        raise Invalid("The startTime must not be after the endTime.", field="startTime")
    groups = [ctx.parts.logs.group(ctx.account, ctx.region, name) for name in names]
    rare = next((group.name for group in groups if group.log_class != "STANDARD"), None)
    if rare is not None and "Pattern" in commands:
        # "… support all Logs Insights QL query commands except for pattern, diff, and unmask", CWL_QuerySyntax.html
        raise Invalid(
            f"The command pattern is not supported for the class of the log group {rare}.", field="queryString"
        )
    end_ms = min(end * 1000 + 999, 2**61)
    now_ms = int(ctx.now.timestamp() * 1000)
    if all(_is_before(group, end_ms, now_ms) for group in groups):
        # aws/aws-sdk-js#4009 and others quote it
        raise _malformed(
            "Query's end date and time is either before the log groups creation time or exceeds the log groups "
            "log retention settings",
            0,
            0,
        )
    plan = QueryPlan(
        groups=tuple(names),
        query=text,
        start_ms=min(start * 1000, 2**61),
        end_ms=end_ms,
        limit=request.get("limit"),
        caller=ctx.caller.arn,
    )
    return {"queryId": ctx.parts.log_insights.submit(ctx.account, ctx.region, plan)}


@operation("GetQueryResults", reads=True)
def get_query_results(ctx: Context, request: Members) -> Members:
    """A page of 10,000 rows at most, fewer where rows are long."""
    query = ctx.parts.log_insights.find(ctx.account, ctx.region, request["queryId"])
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["GetQueryResults", ctx.account, ctx.region, query.id]
    token = request.get("nextToken")
    (offset,) = tokens.unseal(secret, question, token) if token else (0,)
    size = request.get("maxItems") or PAGE_MAX
    rows, following = ctx.parts.log_insights.rows(query, offset, size, PAGE_BYTES_MAX)
    answer: Members = {
        "queryLanguage": "CWLI",
        "results": [[{"field": name, "value": value} for name, value in row] for row in rows],
        "statistics": {
            "recordsMatched": float(query.counts.matched),
            "recordsScanned": float(query.counts.scanned),
            "estimatedRecordsSkipped": 0.0,
            "bytesScanned": float(query.counts.bytes),
            "estimatedBytesSkipped": 0.0,
            "logGroupsScanned": float(len(query.plan.groups)),
            "resultCount": float(query.rows),
        },
        "status": query.status,
    }
    if following is not None:
        answer["nextToken"] = tokens.seal(secret, question, (following,))
    return answer


@operation("StopQuery")
def stop_query(ctx: Context, request: Members) -> Members:
    """ "If the query has already ended, the operation returns an error": botocore's documentation."""
    query = ctx.parts.log_insights.find(ctx.account, ctx.region, request["queryId"])
    try:
        ctx.parts.log_insights.stop(query)
    except Conflict as error:
        raise Invalid(error.message, field="queryId") from None
    return {"success": True}


@operation("DescribeQueries", reads=True)
def describe_queries(ctx: Context, request: Members) -> Members:
    """The newest first."""
    group, status = request.get("logGroupName"), request.get("status")
    secret = records.page_secret(ctx.parts.database.reader)
    language = request.get("queryLanguage", "CWLI")
    question: list[Any] = ["DescribeQueries", ctx.account, ctx.region, group, status, language]
    token = request.get("nextToken")
    queries, following = ctx.parts.log_insights.page(
        ctx.account,
        ctx.region,
        group=group,
        status=status,
        after=tokens.unseal(secret, question, token) if token else None,
        limit=request.get("maxResults", DESCRIBE_DEFAULT),
    )
    answer: Members = {"queries": [_shown(query) for query in queries] if language == "CWLI" else []}
    if following is not None:
        answer["nextToken"] = tokens.seal(secret, question, following)
    return answer


@operation("ListLogGroupsForQuery", reads=True)
def list_log_groups_for_query(ctx: Context, request: Members) -> Members:
    query = ctx.parts.log_insights.find(ctx.account, ctx.region, request["queryId"])
    return {"logGroupIdentifiers": [group_arn(ctx, name) for name in query.plan.groups]}


def require_query(text: str) -> set[str]:
    """Which kinds of commands it has. Raises ``MalformedQueryException``, which tells where the error is."""
    from cloche.engines.log_insights.language import QueryError, read_query

    try:
        return {type(command).__name__ for command in read_query(text)}
    except QueryError as error:
        raise _malformed(error.message, error.start, error.end) from None


def _malformed(message: str, start: int, end: int) -> AwsError:
    location = {"startCharOffset": start, "endCharOffset": end}
    return AwsError(
        "MalformedQueryException",
        message,
        fields={"queryCompileError": {"location": location, "message": message}},
    )


def _groups(ctx: Context, request: Members) -> list[str]:
    given = [name for name in ("logGroupName", "logGroupNames", "logGroupIdentifiers") if request.get(name)]
    if len(given) != 1:
        raise Invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given.")
    value = request[given[0]]
    listed: list[str] = [value] if isinstance(value, str) else value
    if len(listed) > GROUPS_MAX:
        raise Invalid(f"A query can be of {GROUPS_MAX} log groups at most.", field=given[0])
    return list(dict.fromkeys(group_of_identifier(ctx, text) for text in listed))


def _is_before(group: LogGroup, end_ms: int, now_ms: int) -> bool:
    if group.retention_days is not None and end_ms < now_ms - group.retention_days * _DAY_MS:
        return True
    return end_ms < group.created_ms - PAST_MS


def _shown(query: Query) -> Members:
    return {
        "queryLanguage": "CWLI",
        "queryId": query.id,
        "queryString": query.plan.query,
        "status": query.status,
        "createTime": query.created_ms,
        "logGroupName": query.plan.groups[0] if len(query.plan.groups) == 1 else None,
        "queryDuration": int(query.seconds * 1000),
        "bytesScanned": float(query.counts.bytes),
        "userIdentity": query.plan.caller or None,
    }
