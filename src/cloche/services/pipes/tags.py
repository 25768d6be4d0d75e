"""Tags of pipes."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.engines.events.schema import PIPE
from cloche.foundation.errors import NotFound
from cloche.storage.metadata import records, tags


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    pairs = tagging.tag_pairs({"Key": key, "Value": value} for key, value in request["tags"].items())

    def add(tx: sqlite3.Connection) -> None:
        tagging.add_tags(tx, _known(ctx, tx, request), pairs)

    ctx.parts.database.write(add)
    return {}


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    ctx.parts.database.write(lambda tx: tags.remove(tx, _known(ctx, tx, request), request["tagKeys"]))
    return {}


@operation("ListTagsForResource", reads=True)
def list_tags_for_resource(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    return {"tags": dict(tags.read(reader, _known(ctx, reader, request)))}


def _known(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    arn = str(request["resourceArn"])
    found = records.find_arn(connection, arn)
    if found is None or found.kind != PIPE or found.account != ctx.account or found.region != ctx.region:
        raise NotFound(f"Resource {arn} does not exist.")
    return arn
