"""Subscription filters of log groups (how events are handed on is in ``engines/log_subscriptions``).

docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.arn import Arn
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.filter_patterns import compile_pattern
from cloche.engines.functions import LATEST, Owner
from cloche.engines.functions.registry import resolve
from cloche.foundation.errors import Invalid, LimitReached, NotFound, NotSupported
from cloche.services.logs.log_group import require_class
from cloche.services.logs.naming import group_arn
from cloche.storage.logs import filters
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

FILTERS_MAX: Final = 2  # "Each log group can have up to two subscription filters associated with it"
DESCRIBE_DEFAULT: Final = 50
_STREAMS: Final = ("kinesis", "firehose")


@operation("PutSubscriptionFilter")
def put_subscription_filter(ctx: Context, request: Members) -> Members:
    """A filter of the same name is replaced, and goes on from where it was; a new one is about what comes now."""
    for member in ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFields"):
        if request.get(member):
            raise NotSupported(f"PutSubscriptionFilter does not support {member} in Cloche")
    group, name = request["logGroupName"], request["filterName"]
    compile_pattern(request["filterPattern"])
    require_class(ctx, group, "PutSubscriptionFilter")
    _check_destination(ctx, request["destinationArn"])
    if request.get("roleArn"):
        raise Invalid("destinationArn for vendor lambda cannot be used with roleArn")  # cloudtools/troposphere#413
    arn = _arn(ctx, group, name)
    kept = {"distribution": "ByLogStream", **request}
    ends, at = ctx.parts.logs.following.ends(ctx.account, ctx.region, group), ctx.now.timestamp()

    def change(tx: sqlite3.Connection) -> None:
        if records.find_arn(tx, arn) is not None:
            records.replace_request(tx, arn, kept, at)
            return
        if filters.count(tx, filters.SUBSCRIPTION, ctx.account, ctx.region, group) >= FILTERS_MAX:
            raise LimitReached("Resource limit exceeded.")
        records.insert(
            tx,
            account=ctx.account,
            region=ctx.region,
            kind=filters.SUBSCRIPTION,
            name=filters.filed_name(group, name),
            arn=arn,
            at=at,
            request=kept,
        )
        ctx.parts.log_subscriptions.begin(tx, ctx.account, arn, ends)

    ctx.parts.database.write(change)
    ctx.parts.log_subscriptions.changed()
    return {}


def _check_destination(ctx: Context, text: str) -> None:
    """Raises ``Invalid``, and ``NotSupported`` for the streams that Cloche has not."""
    arn = Arn.try_parse(text)
    if arn is not None and (arn.service in _STREAMS or (arn.service == "logs" and ":destination:" in text)):
        raise NotSupported(f"PutSubscriptionFilter supports Lambda functions in Cloche, not {arn.service}")
    if arn is None or arn.service != "lambda" or not arn.resource.startswith("function:"):
        # Words: aws-samples/aws-centralize-logs-using-cdk#2
        vendor = arn.service if arn else text[:64]
        raise Invalid(f"PutSubscriptionFilter operation cannot work with destinationArn for vendor {vendor}")
    parts = text.split(":")
    try:
        if (arn.region, arn.account) != (ctx.region, ctx.account):
            raise NotFound("another account's or region's")
        owner, qualifier = Owner(ctx.account, ctx.region, parts[6]), parts[7] if len(parts) > 7 else LATEST
        resolve(ctx.parts.database.reader, owner, qualifier)
    except NotFound:
        # Words: dougmoscrop/serverless-plugin-log-subscription#6
        raise Invalid(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
            "your function."
        ) from None


@operation("DescribeSubscriptionFilters", reads=True)
def describe_subscription_filters(ctx: Context, request: Members) -> Members:
    group, prefix = request["logGroupName"], request.get("filterNamePrefix", "")
    ctx.parts.logs.group(ctx.account, ctx.region, group)
    start, reader = filters.filed_name(group, prefix), ctx.parts.database.reader
    secret, token = records.page_secret(reader), request.get("nextToken")
    question: list[Any] = ["DescribeSubscriptionFilters", ctx.account, ctx.region, start]
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?", "substr(name, 1, ?) = ?"),
        arguments=(ctx.account, ctx.region, filters.SUBSCRIPTION, len(start), start),
    )
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("limit", DESCRIBE_DEFAULT))
    answer: Members = {"subscriptionFilters": [_shown(records.from_row(row)) for row in page.rows]}
    if page.last is not None:
        answer["nextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("DeleteSubscriptionFilter")
def delete_subscription_filter(ctx: Context, request: Members) -> Members:
    ctx.parts.logs.group(ctx.account, ctx.region, request["logGroupName"])
    arn = _arn(ctx, request["logGroupName"], request["filterName"])

    def change(tx: sqlite3.Connection) -> None:
        if records.find_arn(tx, arn) is None:
            raise NotFound("The specified subscription filter does not exist.")
        records.remove(tx, arn)
        ctx.parts.log_subscriptions.forget(tx, arn)

    ctx.parts.database.write(change)
    ctx.parts.log_subscriptions.changed()
    return {}


def _arn(ctx: Context, group: str, name: str) -> str:
    return f"{group_arn(ctx, group)}:subscription-filter:{name}"


def _shown(record: Record) -> Members:
    return {**record.request, "creationTime": int(record.created_at * 1000)}
