"""Tags of rules and buses."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource.tag_operations import TagsByArn
from cloche.engines.events.rules import DEFAULT_BUS
from cloche.foundation.errors import NotFound
from cloche.services.events.naming import bus_arn
from cloche.storage.metadata import records


def _known(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    arn = str(request["ResourceARN"])
    if arn == bus_arn(ctx, DEFAULT_BUS):
        return arn
    prefix = f"arn:aws:events:{ctx.region}:{ctx.account}:"
    if not arn.startswith(prefix) or records.find_arn(connection, arn) is None:
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
