"""Tags of rules and buses."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.engines.events.rules import DEFAULT_BUS
from cloche.foundation.errors import NotFound
from cloche.services.events.naming import bus_arn
from cloche.storage.metadata import records, tags


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    pairs = tagging.tag_pairs(request["Tags"])

    def add(tx: sqlite3.Connection) -> None:
        tagging.add_tags(tx, _known(ctx, tx, request), pairs)

    ctx.parts.database.write(add)
    return {}


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    ctx.parts.database.write(lambda tx: tags.remove(tx, _known(ctx, tx, request), request["TagKeys"]))
    return {}


@operation("ListTagsForResource", reads=True)
def list_tags_for_resource(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    return {"Tags": tagging.tag_members(tags.read(reader, _known(ctx, reader, request)))}


def _known(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    arn = str(request["ResourceARN"])
    if arn == bus_arn(ctx, DEFAULT_BUS):
        return arn
    prefix = f"arn:aws:events:{ctx.region}:{ctx.account}:"
    if not arn.startswith(prefix) or records.find_arn(connection, arn) is None:
        raise NotFound(f"Resource {arn} does not exist.")
    return arn
