"""Tags, by ARN: of dashboards and alarms."""

from __future__ import annotations

import sqlite3

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource.tag_operations import TagsByArn
from cloche.engines.alarms import KIND as ALARM
from cloche.services.cloudwatch.dashboard import KIND as DASHBOARD
from cloche.services.cloudwatch.errors import invalid_value
from cloche.storage.metadata import records


def _known(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    arn = str(request["ResourceARN"])
    found = records.find_arn(connection, arn)
    if found is None or found.kind not in (ALARM, DASHBOARD) or found.account != ctx.account:
        raise AwsError("ResourceNotFoundException", f"There is no resource {arn} with tags", 404)
    return arn


TAGS = TagsByArn(_known, refused=lambda error: invalid_value(error.message))


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.add(ctx, request)


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.remove(ctx, request)


@operation("ListTagsForResource", reads=True)
def list_tags_for_resource(ctx: Context, request: Members) -> Members:
    return TAGS.held(ctx, request)
