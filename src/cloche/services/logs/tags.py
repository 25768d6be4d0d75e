"""Tags of log groups, by ARN and by the older calls that take a name."""

from __future__ import annotations

import sqlite3

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.foundation.errors import LimitReached
from cloche.services.logs.naming import group_arn, group_in_arn
from cloche.storage.metadata import tags


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    return _add(ctx, group_in_arn(ctx, request["resourceArn"]), request["tags"])


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    return _remove(ctx, group_in_arn(ctx, request["resourceArn"]), request["tagKeys"])


@operation("ListTagsForResource", reads=True)
def list_tags_for_resource(ctx: Context, request: Members) -> Members:
    return _held(ctx, group_in_arn(ctx, request["resourceArn"]))


@operation("TagLogGroup")
def tag_log_group(ctx: Context, request: Members) -> Members:
    return _add(ctx, request["logGroupName"], request["tags"])


@operation("UntagLogGroup")
def untag_log_group(ctx: Context, request: Members) -> Members:
    return _remove(ctx, request["logGroupName"], request["tags"])


@operation("ListTagsLogGroup", reads=True)
def list_tags_log_group(ctx: Context, request: Members) -> Members:
    return _held(ctx, request["logGroupName"])


def _add(ctx: Context, group: str, given: dict[str, str]) -> Members:
    """The API's own exception for too many (API_TagResource.html)."""
    pairs = tagging.tag_pairs({"Key": key, "Value": value} for key, value in given.items())
    ctx.parts.logs.group(ctx.account, ctx.region, group)
    arn = group_arn(ctx, group)
    try:
        ctx.parts.database.write(lambda tx: tagging.add_tags(tx, arn, pairs))
    except LimitReached as error:
        raise AwsError("TooManyTagsException", error.message, fields={"resourceName": arn}) from None
    return {}


def _remove(ctx: Context, group: str, keys: list[str]) -> Members:
    ctx.parts.logs.group(ctx.account, ctx.region, group)

    def change(tx: sqlite3.Connection) -> None:
        tags.remove(tx, group_arn(ctx, group), keys)

    ctx.parts.database.write(change)
    return {}


def _held(ctx: Context, group: str) -> Members:
    ctx.parts.logs.group(ctx.account, ctx.region, group)
    return {"tags": dict(tags.read(ctx.parts.database.reader, group_arn(ctx, group)))}
