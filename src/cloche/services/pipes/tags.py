"""Tags of pipes."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource.tag_operations import TagsByArn
from cloche.engines.events.schema import PIPE
from cloche.foundation.errors import NotFound
from cloche.storage.metadata import records


def _known(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    arn = str(request["resourceArn"])
    if records.find_held(connection, arn, PIPE, ctx.account, ctx.region) is None:
        raise NotFound(f"Resource {arn} does not exist.")
    return arn


TAGS = TagsByArn(_known, tags="tags", keys="tagKeys", as_map=True)


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.add(ctx, request)


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.remove(ctx, request)


@operation("ListTagsForResource", reads=True)
def list_tags_for_resource(ctx: Context, request: Members) -> Members:
    return TAGS.held(ctx, request)
