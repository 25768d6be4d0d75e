"""Tags by ARN as most services have them, made from how a service finds what has the tags."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from cloche.aws.operation import Context, Members
from cloche.aws.resource import tagging
from cloche.foundation.errors import Invalid, LimitReached
from cloche.storage.metadata import tags


@dataclass(frozen=True, slots=True)
class TagsByArn:
    """What the three operations on tags do. A service names them; this answers."""

    locate: Callable[[Context, sqlite3.Connection, Members], str]
    """The ARN of what a request is about. Raises the service's own error where there is no such thing."""
    tags: str = "Tags"
    keys: str = "TagKeys"
    as_map: bool = False
    """Does the service write tags as a map, rather than as a list?"""
    refused: Callable[[Invalid | LimitReached], Exception] | None = None
    """The service's error for what breaks AWS's rules of tags, where it has one of its own."""

    def add(self, ctx: Context, request: Members) -> Members:
        given = request[self.tags]
        listed = [{"Key": key, "Value": value} for key, value in given.items()] if self.as_map else given
        try:
            pairs = tagging.tag_pairs(listed)
            ctx.parts.database.write(lambda tx: tagging.add_tags(tx, self.locate(ctx, tx, request), pairs))
        except (Invalid, LimitReached) as error:
            if self.refused is None:
                raise
            raise self.refused(error) from None
        return {}

    def remove(self, ctx: Context, request: Members) -> Members:
        ctx.parts.database.write(lambda tx: tags.remove(tx, self.locate(ctx, tx, request), request[self.keys]))
        return {}

    def held(self, ctx: Context, request: Members) -> Members:
        reader = ctx.parts.database.reader
        found = tags.read(reader, self.locate(ctx, reader, request))
        return {self.tags: dict(found) if self.as_map else tagging.tag_members(found)}
