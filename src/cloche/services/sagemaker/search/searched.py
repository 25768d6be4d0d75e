"""One kind of records as Search sees it: how they are filed, shaped and shown, and where their members lie."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cloche.aws.model.load import service_model
from cloche.aws.operation import Context, Members
from cloche.aws.resource import Resource, tagging
from cloche.aws.resource.projection import Projector, projector
from cloche.services.sagemaker.search.properties import Keyed, Place, Property, Resolver
from cloche.storage.metadata import tags
from cloche.storage.metadata.records import Record, from_row

More = Callable[[Context, sqlite3.Connection, Record], Members]
"""What is shown of a record beyond its own members."""


def nothing(ctx: Context, reader: sqlite3.Connection, record: Record) -> Members:
    return {}


def in_state(path: str) -> Place:
    """Engines publish times as plain seconds."""
    return Place("records.state", f"$.{path}")


def in_request(path: str) -> Place:
    return Place("records.request", f"$.{path}", times='."$at"')


def column(name: str) -> Place:
    return Place(f"records.{name}", plain=True)


def flag(name: str) -> Place:
    """What is not said is false, and shown so."""
    return Place(f"coalesce(json_extract(records.request, '$.{name}'), 0)", plain=True)


def _tag(key: str) -> Property:
    sql = "(SELECT value FROM tags WHERE tags.arn = records.arn AND tags.key = ?)"
    return Property(f"Tags.{key}", "text", sql, (key,))


@dataclass(frozen=True)
class Searched:
    """``member`` is the member of a SearchRecord that holds what is found."""

    kind: str
    member: str
    members: Callable[[Context, Record], Members]
    requested: frozenset[str]
    """Members that lie in the request under their own names."""
    places: Mapping[str, Place] = field(default_factory=dict)
    keyed: Mapping[str, Keyed] = field(default_factory=dict)
    more: More = nothing
    wrapped: str = ""
    """The member of the answer's structure that the noun's own members are in, where it is not that structure."""
    source: str = "records"
    """Another table with the columns of records, where these are none."""

    def read(self, reader: sqlite3.Connection, row_id: int) -> Record | None:
        row = reader.execute(f"SELECT * FROM {self.source} AS records WHERE id = ?", (row_id,)).fetchone()  # noqa: S608
        return None if row is None else from_row(row)

    @cached_property
    def shape(self) -> Any:
        record: Any = service_model("sagemaker").shape_for("SearchRecord")
        return record.members[self.member]

    @cached_property
    def _projector(self) -> Projector:
        return projector(self.shape)

    @cached_property
    def resolver(self) -> Resolver:
        return Resolver(self.shape, self.places, {"Tags": _tag, **self.keyed}, self.requested - frozenset(self.places))

    def shown(self, ctx: Context, reader: sqlite3.Connection, record: Record) -> Members:
        members = dict(self.members(ctx, record))
        members["Tags"] = tagging.tag_members(tags.read(reader, record.arn)) or None
        whole = {self.wrapped: members} if self.wrapped else members
        return {self.member: self._projector({**whole, **self.more(ctx, reader, record)})}


def searched(
    noun: type[Resource],
    member: str,
    places: Mapping[str, Place] | None = None,
    keyed: Mapping[str, Keyed] | None = None,
    *,
    more: More = nothing,
    wrapped: str = "",
) -> Searched:
    """Of a noun of the kit: what its class and the model say, and what is given besides."""
    resource, create = noun(), noun.operations[0]
    shape: Any = service_model("sagemaker").operation_model(create).input_shape
    name = noun.arn[noun.arn.index("{") + 1 : noun.arn.index("}")]
    inside = f"{wrapped}." if wrapped else ""
    found = {
        inside + name: column("name"),
        f"{inside}{create.removeprefix('Create')}Arn": column("arn"),
        **({noun.status: column("status")} if noun.status else {}),
        **(places or {}),
    }
    requested = frozenset(shape.members)
    return Searched(resource.kind, member, resource.members_of, requested, found, keyed or {}, more, wrapped)
