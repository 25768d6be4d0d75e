"""Tags of topics."""

from __future__ import annotations

import sqlite3

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.engines.topics import TOPIC
from cloche.foundation.errors import Invalid, LimitReached
from cloche.services.sns.errors import invalid
from cloche.storage.metadata import records, tags


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    members = request["Tags"]
    if len({each["Key"] for each in members}) != len(members):
        raise invalid("Duplicated keys are not allowed.")
    try:
        pairs = tagging.tag_pairs(members)
    except Invalid as error:
        raise invalid(f"Tags Reason: {error.message}") from None

    def add(tx: sqlite3.Connection) -> None:
        tagging.add_tags(tx, _known(ctx, tx, request), pairs)

    try:
        ctx.parts.database.write(add)
    except LimitReached as error:
        raise AwsError("TagLimitExceeded", error.message) from None
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
    arn = str(request["ResourceArn"])
    found = records.find_arn(connection, arn)
    if found is None or found.kind != TOPIC or found.account != ctx.account:
        raise AwsError("ResourceNotFound", "Resource does not exist", 404)
    return arn
