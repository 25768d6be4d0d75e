"""Tags of functions."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource.tag_operations import TagsByArn
from cloche.engines.functions import LATEST, Owner, rows
from cloche.foundation.errors import Invalid, NotFound, NotSupported


def _arn(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    """The function's. Raises ``NotFound``, ``Invalid`` for a version, ``NotSupported`` for what else has tags."""
    arn = str(request["Resource"])
    parts = arn.split(":")
    if parts[5] != "function":
        raise NotSupported(f"Tags of {parts[5]} are not supported in Cloche: functions have tags")
    if len(parts) > 7:
        raise Invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
    if (parts[3], parts[4]) != (ctx.region, ctx.account):
        raise NotFound(f"Function not found: {arn}")
    owner = Owner(ctx.account, ctx.region, parts[6])
    rows.version(connection, owner, LATEST)
    return owner.arn


TAGS = TagsByArn(_arn, as_map=True)


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.add(ctx, request)


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.remove(ctx, request)


@operation("ListTags", reads=True)
def list_tags(ctx: Context, request: Members) -> Members:
    return TAGS.held(ctx, request)
