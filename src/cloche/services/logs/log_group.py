"""Log groups: create, describe, retention, delete."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.logs.naming import group_arn, group_in_arn
from cloche.storage.logs import LogGroup
from cloche.storage.metadata import records, tags

DESCRIBE_DEFAULT: Final = 50
# docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
_NOT_OFFERED: Final = ("kmsKeyId", "deletionProtectionEnabled")


@operation("CreateLogGroup")
def create_log_group(ctx: Context, request: Members) -> Members:
    for name in _NOT_OFFERED:
        if request.get(name):
            raise NotSupported(f"CreateLogGroup does not support {name} in Cloche")
    if request.get("logGroupClass", "STANDARD") != "STANDARD":
        raise NotSupported(f"CreateLogGroup does not support the class {request['logGroupClass']} in Cloche")
    pairs = tagging.tag_pairs({"Key": key, "Value": value} for key, value in (request.get("tags") or {}).items())
    name = request["logGroupName"]
    ctx.parts.logs.create_group(ctx.account, ctx.region, name)
    if pairs:
        ctx.parts.database.write(lambda tx: tagging.add_tags(tx, group_arn(ctx, name), pairs))
    return {}


@operation("DeleteLogGroup")
def delete_log_group(ctx: Context, request: Members) -> Members:
    name = request["logGroupName"]
    arn = group_arn(ctx, name)
    ctx.parts.logs.delete_group(ctx.account, ctx.region, name)

    def remove_tags(tx: sqlite3.Connection) -> None:
        tags.remove(tx, arn, [key for key, _ in tags.read(tx, arn)])

    ctx.parts.database.write(remove_tags)
    return {}


@operation("DescribeLogGroups", reads=True)
def describe_log_groups(ctx: Context, request: Members) -> Members:
    """By name, with a prefix or a part of the name. Accounts have no links here, so there are no others' groups."""
    if "logGroupNamePrefix" in request and "logGroupNamePattern" in request:
        raise Invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    if request.get("includeLinkedAccounts") or request.get("accountIdentifiers"):
        raise NotSupported("DescribeLogGroups does not support linked accounts in Cloche")
    if identifiers := request.get("logGroupIdentifiers"):
        names = [group_in_arn(ctx, text) if text.startswith("arn:") else text for text in identifiers]
        return {"logGroups": [_shown(ctx, ctx.parts.logs.group(ctx.account, ctx.region, name)) for name in names]}
    if request.get("logGroupClass", "STANDARD") != "STANDARD":
        return {"logGroups": []}  # there are none of another class
    prefix, contains = request.get("logGroupNamePrefix", ""), request.get("logGroupNamePattern", "")
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["DescribeLogGroups", ctx.account, ctx.region, prefix, contains]
    token = request.get("nextToken")
    found, following = ctx.parts.logs.groups(
        ctx.account,
        ctx.region,
        prefix=prefix,
        contains=contains,
        after=tokens.unseal(secret, question, token) if token else None,
        limit=request.get("limit", DESCRIBE_DEFAULT),
    )
    answer: Members = {"logGroups": [_shown(ctx, group) for group in found]}
    if following is not None:
        answer["nextToken"] = tokens.seal(secret, question, following)
    return answer


@operation("PutRetentionPolicy")
def put_retention_policy(ctx: Context, request: Members) -> Members:
    days = request["retentionInDays"]
    if days not in RETENTION_DAYS:
        allowed = ", ".join(map(str, RETENTION_DAYS))
        raise Invalid(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{allowed}]",
            field="retentionInDays",
        )
    ctx.parts.logs.set_retention(ctx.account, ctx.region, request["logGroupName"], days)
    return {}


@operation("DeleteRetentionPolicy")
def delete_retention_policy(ctx: Context, request: Members) -> Members:
    ctx.parts.logs.set_retention(ctx.account, ctx.region, request["logGroupName"], None)
    return {}


def _shown(ctx: Context, group: LogGroup) -> Members:
    arn = group_arn(ctx, group.name)
    return {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "retentionInDays": group.retention_days,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "logGroupClass": "STANDARD",
    }
