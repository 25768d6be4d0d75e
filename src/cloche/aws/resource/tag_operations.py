"""The three operations on tags by ARN that most services have, made from how a service finds what has the tags."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.foundation.errors import Invalid, LimitReached
from cloche.storage.metadata import tags

Handler = Callable[[Context, Members], Members]
Locate = Callable[[Context, sqlite3.Connection, Members], str]


def tag_operations(
    locate: Locate,
    *,
    members: tuple[str, str] = ("Tags", "TagKeys"),
    names: tuple[str, str, str] = ("TagResource", "UntagResource", "ListTagsForResource"),
    as_map: bool = False,
    refused: Callable[[Invalid | LimitReached], Exception] | None = None,
) -> tuple[Handler, Handler, Handler]:
    """Handlers that add, remove and list tags, under ``names``.

    ``locate`` answers the ARN of what a request is about and raises the service's own error where there is no such
    thing. ``members`` are the service's words for tags and their keys; ``as_map`` says that it writes tags as a map
    rather than a list. ``refused`` makes the service's error of one that breaks AWS's rules for tags.
    """
    given, keys = members

    def pairs_of(request: Members) -> list[tuple[str, str]]:
        listed = [{"Key": key, "Value": value} for key, value in request[given].items()] if as_map else request[given]
        return tagging.tag_pairs(listed)

    @operation(names[0])
    def tag(ctx: Context, request: Members) -> Members:
        try:
            pairs = pairs_of(request)
            ctx.parts.database.write(lambda tx: tagging.add_tags(tx, locate(ctx, tx, request), pairs))
        except (Invalid, LimitReached) as error:
            if refused is None:
                raise
            raise refused(error) from None
        return {}

    @operation(names[1])
    def untag(ctx: Context, request: Members) -> Members:
        ctx.parts.database.write(lambda tx: tags.remove(tx, locate(ctx, tx, request), request[keys]))
        return {}

    @operation(names[2], reads=True)
    def listed(ctx: Context, request: Members) -> Members:
        reader = ctx.parts.database.reader
        held = tags.read(reader, locate(ctx, reader, request))
        return {given: dict(held) if as_map else tagging.tag_members(held)}

    return tag, untag, listed
