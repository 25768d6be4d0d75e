"""From a property's name, as ``InputDataConfig.DataSource.S3DataSource.S3Uri``, to the SQL that reads it.

The way leads through the shape that search answers with, so that what is no property is refused, and each step knows
its kind: a structure is a step down a JSON path, a list is a loop over ``json_each``, and a map takes the rest of the
name as its key (``HyperParameters.eta``, ``Parameters.SageMaker.InstanceType``). Most members lie in the record's
request under their own names; a noun says where the others lie.

Names are matched without regard to case: SDK v2 sorts by ``metrics.validation:auc.max`` (ExperimentAnalytics).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from cloche.foundation.errors import Invalid, NotSupported

Kind = Literal["text", "number", "time", "flag", "loose", "hyperparameter", "whole"]
"""``loose`` is text or number as it was given, ``hyperparameter`` text that may be a number, ``whole`` a structure,
list or map, of which can be asked only whether it is there."""
KINDS: Final[dict[str, Kind]] = {
    "string": "text",
    "integer": "number",
    "long": "number",
    "float": "number",
    "double": "number",
    "timestamp": "time",
    "boolean": "flag",
}


@dataclass(frozen=True, slots=True)
class Property:
    """``sql`` reads the value (NULL: not there), in the innermost of ``loops``."""

    name: str
    kind: Kind
    sql: str
    arguments: tuple[Any, ...] = ()
    loops: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """Table expressions with their arguments, each an element of a list in a list."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member lies: a column or another expression, or a JSON document and a path in it."""

    sql: str
    path: str = "$"
    plain: bool = False
    """Not JSON: the expression is the value."""
    times: str = ""
    """What follows the path of a time: requests hold ``{"$at": seconds}``, states plain seconds."""
    arguments: tuple[Any, ...] = ()


REQUEST: Final = Place("records.request", times='."$at"')
TIMES: Final = {"creationtime": "records.created_at", "lastmodifiedtime": "records.modified_at"}
"""Of every record, also where its noun shows but one of them: all are sorted by the latter unless asked otherwise."""
Keyed = Callable[[str], Property]
"""From what follows a member's name to its property, for members that the shape does not tell."""


@dataclass(frozen=True)
class Resolver:
    """Of one noun: its shape in search's answers, the places of members that are not in the request (``Source``,
    ``ModelArtifacts.S3ModelArtifacts``), and members of their own kind."""

    shape: Any
    places: Mapping[str, Place]
    keyed: Mapping[str, Keyed]
    requested: frozenset[str]
    """Members that the request holds."""

    def resolve(self, name: str) -> Property:
        """Raises ``Invalid`` for what is no property, ``NotSupported`` for one that cannot be searched by."""
        if name.lower() in TIMES:
            return Property(name, "time", TIMES[name.lower()])
        head, _, rest = name.partition(".")
        by_key = next((keyed for each, keyed in self.keyed.items() if each.lower() == head.lower()), None)
        if by_key is not None:
            if not rest:
                raise unknown(name)
            return by_key(rest)
        member = _member(self.shape, head)
        if member is None:
            raise unknown(name)
        shape, steps = self.shape.members[member], rest.split(".") if rest else []
        if steps and shape.type_name == "structure":
            below = _member(shape, steps[0])
            if below is not None and f"{member}.{below}" in self.places:
                return _Way(name).through(shape.members[below], self.places[f"{member}.{below}"], steps[1:])
        return _Way(name).through(shape, self._place(member), steps)

    def nested(self, name: str) -> tuple[Property, Any]:
        """The list ``name`` as a loop, and the shape of its elements. Raises ``Invalid`` for what is no list."""
        member = _member(self.shape, name.partition(".")[0])
        if member is None:
            raise unknown(name)
        way = _Way(name)
        shape, place = self.shape.members[member], self._place(member)
        for step in name.split(".")[1:]:
            below = _member(shape, step) if shape.type_name == "structure" else None
            if below is None:
                raise unknown(name)
            shape, place = shape.members[below], _below(place, below)
        if shape.type_name != "list":
            raise Invalid(f"{name} is not a list of objects", field="NestedPropertyName")
        return Property(name, "whole", "", (), (way.loop(place),)), shape.member

    def _place(self, member: str) -> Place:
        if member in self.places:
            return self.places[member]
        if member not in self.requested:
            raise NotSupported(f"Search does not support the property {member} in Cloche")
        return _below(REQUEST, member)


def inside(name: str, shape: Any, steps: list[str]) -> Property:
    """The property of an element of the one list that is looped over."""
    way = _Way(name)
    way.loops.append(("", ()))
    found = way.through(shape, Place("e1.value", times='."$at"'), steps)
    return replace(found, loops=found.loops[1:])


def unknown(name: str) -> Invalid:
    return Invalid(f"Unknown property name: {name}", field="Name")


class _Way:
    def __init__(self, name: str) -> None:
        self.name = name
        self.loops: list[tuple[str, tuple[Any, ...]]] = []

    def loop(self, place: Place) -> tuple[str, tuple[Any, ...]]:
        self.loops.append((f"json_each({place.sql}, ?) AS e{len(self.loops) + 1}", (*place.arguments, place.path)))
        return self.loops[-1]

    def through(self, shape: Any, place: Place, steps: list[str]) -> Property:
        if shape.type_name == "list":
            if not steps and shape.member.type_name == "structure":
                return self._whole(place)
            self.loop(place)
            return self.through(shape.member, Place(f"e{len(self.loops)}.value", times=place.times), steps)
        if shape.type_name == "map":
            return self._keyed(shape.value, place, steps) if steps else self._whole(place)
        if shape.type_name == "structure":
            if not steps:
                return self._whole(place)
            member = _member(shape, steps[0])
            if member is None:
                raise unknown(self.name)
            return self.through(shape.members[member], _below(place, member), steps[1:])
        if steps:
            raise unknown(self.name)
        return self._scalar(KINDS[shape.type_name], place)

    def _keyed(self, value: Any, place: Place, steps: list[str]) -> Property:
        if value.type_name != "structure":
            kind: Kind = "hyperparameter" if value.type_name == "string" else KINDS[value.type_name]
            return self._scalar(kind, _below(place, ".".join(steps)))
        member = _member(value, steps[-1]) if len(steps) > 1 else None
        key = ".".join(steps if member is None else steps[:-1])
        if member is not None:
            return self.through(value.members[member], _below(_below(place, key), member), [])
        alternatives = [_read(_below(_below(place, key), each), "text") for each in _values(value)]
        arguments = tuple(argument for _, some in alternatives for argument in some)
        sql = ", ".join(each for each, _ in alternatives)
        return self._property("loose", f"coalesce({sql}, NULL)", arguments)

    def _whole(self, place: Place) -> Property:
        if place.plain:
            return self._property("whole", place.sql, place.arguments)
        return self._property("whole", f"json_type({place.sql}, ?)", (*place.arguments, place.path))

    def _scalar(self, kind: Kind, place: Place) -> Property:
        return self._property(kind, *_read(place, kind))

    def _property(self, kind: Kind, sql: str, arguments: tuple[Any, ...]) -> Property:
        return Property(self.name, kind, sql, arguments, tuple(self.loops))


def _values(shape: Any) -> list[str]:
    """The members that are an entry's value: one of them where several exclude each other, as a parameter's."""
    required = [name for name in shape.members if name in shape.required_members]
    return required or list(shape.members)


def _read(place: Place, kind: Kind) -> tuple[str, tuple[Any, ...]]:
    if place.plain:
        return place.sql, place.arguments
    if place.sql.startswith("e") and place.path == "$":
        return place.sql, place.arguments
    path = place.path + (place.times if kind == "time" else "")
    return f"json_extract({place.sql}, ?)", (*place.arguments, path)


def _below(place: Place, key: str) -> Place:
    if '"' in key:
        raise Invalid(f"A quotation mark in a property's name is not supported: {key}", field="Name")
    stored = "$" + key if key.startswith("$") else key  # as documents are kept: storage.metadata.documents
    return replace(place, path=f'{place.path}."{stored}"')


def _member(shape: Any, name: str) -> str | None:
    if name in shape.members:
        return name
    return next((each for each in shape.members if each.lower() == name.lower()), None)
