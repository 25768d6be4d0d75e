"""Tags, by ARN: of dashboards and alarms."""

from __future__ import annotations

import sqlite3

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.engines.alarms import KIND as ALARM
from cloche.foundation.errors import Invalid, LimitReached
from cloche.services.cloudwatch.dashboard import KIND as DASHBOARD
from cloche.services.cloudwatch.errors import invalid_value
from cloche.storage.metadata import records, tags


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    arn = request["ResourceARN"]
    try:
        pairs = tagging.tag_pairs(request["Tags"])

        def change(tx: sqlite3.Connection) -> None:
            _require(tx, ctx, arn)
            tagging.add_tags(tx, arn, pairs)

        ctx.parts.database.write(change)
    except (Invalid, LimitReached) as error:
        raise invalid_value(error.message) from None
    return {}


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    arn = request["ResourceARN"]

    def change(tx: sqlite3.Connection) -> None:
        _require(tx, ctx, arn)
        tags.remove(tx, arn, request["TagKeys"])

    ctx.parts.database.write(change)
    return {}


@operation("ListTagsForResource", reads=True)
def list_tags_for_resource(ctx: Context, request: Members) -> Members:
    arn, reader = request["ResourceARN"], ctx.parts.database.reader
    _require(reader, ctx, arn)
    return {"Tags": tagging.tag_members(tags.read(reader, arn))}


def _require(connection: sqlite3.Connection, ctx: Context, arn: str) -> None:
    found = records.find_arn(connection, arn)
    if found is None or found.kind not in (ALARM, DASHBOARD) or found.account != ctx.account:
        raise AwsError("ResourceNotFoundException", f"There is no resource {arn} with tags", 404)
