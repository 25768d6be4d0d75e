"""Tags of groups: schedules have none (API_TagResource.html)."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource.tag_operations import TagsByArn
from cloche.engines.events.scheduling import GROUP
from cloche.foundation.errors import NotFound
from cloche.services.scheduler.naming import DEFAULT_GROUP, group_arn
from cloche.storage.metadata import records


def _known(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    arn = str(request["ResourceArn"])
    if arn == group_arn(ctx, DEFAULT_GROUP):
        return arn
    if records.find_held(connection, arn, GROUP, ctx.account, ctx.region) is None:
        raise NotFound(f"Resource {arn} does not exist.")
    return arn


TAGS = TagsByArn(_known)


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.add(ctx, request)


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.remove(ctx, request)


@operation("ListTagsForResource", reads=True)
def list_tags_for_resource(ctx: Context, request: Members) -> Members:
    return TAGS.held(ctx, request)
