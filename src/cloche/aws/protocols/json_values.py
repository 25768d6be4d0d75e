"""JSON text to members and back: what the json and rest-json protocols share.

orjson parses; the closures here then check every type, rename, and turn numbers and texts into moments and
bytes. What orjson lets pass is refused here: more nesting than the limit, more containers than the limit, and
the same name twice in one object, where two readers of one request (a signature check and a handler, say) might
believe different things. Looking for doubles costs two scans of the bytes in the common case: every name ends in
``":``, so if the text has no more of these than the tree has names, no name was lost.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.operation import Encoded, Kept, Shared
from cloche.aws.protocols import scalars
from cloche.aws.protocols.codec import OUTSIDE, LazyMembers, Read, check_strict, refuse
from cloche.foundation.limits import CONTAINERS_MAX, NESTING_DEPTH_MAX, PARSED_BODY_BYTES_MAX

if TYPE_CHECKING:
    from cloche.aws.model.shape import Shape

_HOLE: Final = b"\0"
_COLONS: Final = re.compile(rb'"[ \t\r\n]*:')
# What AWS says of a wrong type differs by service and is often nothing; these words are Cloche's, the code
# (SerializationException, 400) is AWS's.
_NAMES: Final = {str: "STRING_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE", bool: "TRUE_VALUE"}


def load(body: bytes, most: int = PARSED_BODY_BYTES_MAX) -> Any:
    """The tree of ``body``. Raises ``SerializationException`` for anything but one sound JSON value."""
    if len(body) > most:
        raise AwsError("RequestEntityTooLarge", "The request body is too large.", 413)
    opened = body.count(b"{") + body.count(b"[")
    if opened > CONTAINERS_MAX:
        refuse("Too many structures and lists.")
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        refuse("")
    names = _count_names(tree, opened > NESTING_DEPTH_MAX)
    if body.count(b":") > names and _colons(body) > names:
        _refuse_doubles(body)
    return tree


def _colons(body: bytes) -> int:
    if b" :" in body or b"\n:" in body or b"\t:" in body or b"\r:" in body:
        return sum(1 for _ in _COLONS.finditer(body))
    return body.count(b'":')


def _count_names(tree: Any, check_depth: bool) -> int:
    names, depth, level = 0, 0, [tree]
    while level:
        depth += 1
        if check_depth and depth > NESTING_DEPTH_MAX + 1:
            refuse("Nested too deep.")
        below: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is dict:
                names += len(value)
                below += value.values()
            elif kind is list:
                below += value
        level = below
    return names


def _refuse_doubles(body: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> None:
        if len(pairs) > 1 and len({name for name, _ in pairs}) != len(pairs):
            refuse("The same name stands twice in one structure.")

    json.loads(body, object_pairs_hook=unique)


# --- reading -----------------------------------------------------------------------------------------------


class JsonReader:
    """Closures from JSON trees to members, one per shape, kept."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Read] = {}

    def of(self, shape: Shape) -> Read:
        style = str(shape.serialization.get("timestampFormat", ""))
        key = (shape.name, style if shape.type_name == "timestamp" else "")
        if key not in self._made:
            self._made[key] = self._compile(shape)
        return self._made[key]

    def _compile(self, shape: Shape) -> Read:
        kind = shape.type_name
        if kind == "structure":
            return read_any if getattr(shape, "is_document_type", False) else self.structure(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        if kind in scalars.RANGES:
            return _integer(*scalars.RANGES[kind])
        return _SCALARS.get(kind, read_string)

    def structure(self, shape: Shape, *, located: bool = True) -> Read:
        """``located=False`` leaves out members that travel elsewhere (headers, query, URI)."""
        by_wire = {}
        documents = set()  # their null is a value
        for name, member in shape.members.items():
            if located or not member.serialization.get("location"):
                wire = member.serialization.get("name", name)
                by_wire[wire] = name
                if getattr(member, "is_document_type", False):
                    documents.add(wire)

        def build(wire: str) -> tuple[str, Read] | None:
            name = by_wire.get(wire)
            return (name, self.of(shape.members[name])) if name is not None else None

        members = LazyMembers(build)
        union = bool(getattr(shape, "is_tagged_union", False))

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                refuse(_unexpected(value, "structure"))
            out = {}
            for wire, item in value.items():
                if (item is not None or wire in documents) and (member := members[wire]) is not None:
                    out[member[0]] = member[1](item)
            if union and (len(out) != 1 or sum(i is not None for w, i in value.items() if w != "__type") > 1):
                refuse("Exactly one member of a union must be set.")
            return out

        return read

    def _list(self, shape: Shape) -> Read:
        item_of = self.of(shape.member)

        def read(value: Any) -> list[Any]:
            if type(value) is not list:
                refuse(_unexpected(value, "list"))
            return [None if item is None else item_of(item) for item in value]

        return read

    def _map(self, shape: Shape) -> Read:
        item_of = self.of(shape.value)

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                refuse(_unexpected(value, "map"))
            return {key: None if item is None else item_of(item) for key, item in value.items()}

        return read


def _unexpected(value: Any, wanted: str) -> str:
    if isinstance(value, dict):
        return "Start of structure or map found where not expected."
    if isinstance(value, list):
        return "Start of list found where not expected."
    return f"Unexpected token ({_NAMES.get(type(value), 'NULL')}): expected a {wanted}."


def _scalar(value: Any, wanted: str) -> str:
    if isinstance(value, dict | list):
        return _unexpected(value, wanted)
    name = "FALSE_VALUE" if value is False else _NAMES.get(type(value), "VALUE_NULL")
    return f"{name} can not be converted to {'an' if wanted[0] in 'AEIO' else 'a'} {wanted}"


def read_any(value: Any) -> Any:
    return value


def read_string(value: Any) -> str:
    if type(value) is not str:
        refuse(_scalar(value, "String"))
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        refuse(_scalar(value, "Boolean"))
    return value


def _integer(low: int, high: int) -> Read:
    def read(value: Any) -> int:
        if type(value) is not int:
            if type(value) is float and value.is_integer() and abs(value) < 2**53:
                value = int(value)  # JavaScript and Lua write 5 as 5.0
            else:
                refuse(_scalar(value, "Integer"))
        if not low <= value <= high:
            refuse("NUMBER_VALUE is out of range.")
        return value  # type: ignore[no-any-return]

    return read


def _float(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    if type(value) is str and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return refuse(_scalar(value, "Double"))


def _moment(value: Any) -> Any:
    try:
        if type(value) is int or type(value) is float:
            return scalars.moment_from_seconds(value)
        if type(value) is str:
            return scalars.moment_from_text(value)
    except ValueError:
        pass
    return refuse(_scalar(value, "Timestamp"))


def _blob(value: Any) -> bytes:
    if type(value) is str:
        try:
            return scalars.blob_from_text(value)
        except ValueError:
            pass
    return refuse(_scalar(value, "Blob"))


_SCALARS: Final[dict[str, Read]] = {
    "string": read_string,
    "character": read_string,
    "boolean": _boolean,
    "float": _float,
    "double": _float,
    "timestamp": _moment,
    "blob": _blob,
}


# --- writing -----------------------------------------------------------------------------------------------


class JsonWriter:
    """Closures from members to trees that orjson can write, one per shape, kept."""

    def __init__(self, strict: bool) -> None:
        self._made: dict[tuple[str, str], Read] = {}
        self._strict = strict

    def of(self, shape: Shape) -> Read:
        style = str(shape.serialization.get("timestampFormat", ""))
        key = (shape.name, style if shape.type_name == "timestamp" else "")
        if key not in self._made:
            self._made[key] = self._compile(shape, style)
        return self._made[key]

    def _compile(self, shape: Shape, style: str) -> Read:
        kind = shape.type_name
        if kind == "structure":
            return read_any if getattr(shape, "is_document_type", False) else self.structure(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        if kind == "timestamp":
            return scalars.MOMENT_WRITERS[style] if style in ("iso8601", "rfc822") else scalars.seconds
        if kind == "blob":
            return scalars.blob_text
        if kind in ("float", "double"):
            return _write_float
        return _write_string if kind in ("string", "character") else read_any

    def structure(self, shape: Shape, *, located: bool = True) -> Read:
        def build(name: str) -> tuple[str, Read] | None:
            member = shape.members.get(name)
            if member is None or (not located and member.serialization.get("location") in OUTSIDE):
                return None
            return member.serialization.get("name", name), self.of(member)

        members = LazyMembers(build)
        strict = self._strict

        def write(value: Any) -> Any:
            if located and not strict and type(value) is Kept:
                return _write_kept(value, tree)
            return tree(value)

        def tree(value: Any) -> dict[str, Any]:
            if strict:
                check_strict(shape, value)
            out = {}
            for name, item in value.items():
                if item is not None and (member := members[name]) is not None:
                    out[member[0]] = member[1](item)
            return out

        return write

    def _list(self, shape: Shape) -> Read:
        item_of = self.of(shape.member)
        strict = self._strict

        def write(value: Any) -> Any:
            if type(value) is Shared and not strict:
                return _write_shared(value, tree)
            return tree(value)

        def tree(value: Any) -> list[Any]:
            return [None if item is None else item_of(item) for item in value]

        return write

    def _map(self, shape: Shape) -> Read:
        item_of = self.of(shape.value)
        return lambda value: {str(key): None if item is None else item_of(item) for key, item in value.items()}


class _Hole:
    """In the place of a ``Shared`` list, which orjson does not know and hands to ``default``."""

    __slots__ = ("encoded",)

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded


def _write_shared(value: Shared, tree: Read) -> _Hole:
    encoded = value.encoded.get("json")
    if encoded is None:
        encoded = value.encoded["json"] = orjson.dumps(tree(value))
    return _Hole(encoded)


def _filled(value: Any) -> orjson.Fragment:
    if type(value) is _Hole:
        return orjson.Fragment(value.encoded)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _write_kept(value: Kept, tree: Read) -> orjson.Fragment:
    """What was encoded once is put into the answer as it is."""
    encoded = value.encoded
    if encoded is None or encoded.protocol != "json":
        encoded = _around_shared(tree(value.members))
        value.keep(encoded)
    pieces = encoded.pieces
    return orjson.Fragment(pieces[0] if len(pieces) == 1 else b"".join(pieces))


def _around_shared(tree: Any) -> Encoded:
    """``tree`` as pieces of JSON, of which those of ``Shared`` lists are the very same bytes in every answer. A raw
    NUL, which no JSON text has, marks where they go."""
    shared: list[bytes] = []

    def hole(value: Any) -> orjson.Fragment:
        if type(value) is not _Hole:
            return _filled(value)
        shared.append(value.encoded)
        return orjson.Fragment(_HOLE)

    own = orjson.dumps(tree, default=hole)
    if not shared:
        return Encoded("json", (own,), len(own))
    pieces: list[bytes] = []
    for piece, filling in zip(own.split(_HOLE), (*shared, b""), strict=True):
        pieces += (piece, filling)
    return Encoded("json", tuple(pieces), len(own))


def _write_float(value: Any) -> Any:
    return value if math.isfinite(value) else scalars.special_float(value)


def _write_string(value: Any) -> Any:
    return value if isinstance(value, str) else str(value)


def dump(tree: Any) -> bytes:
    return orjson.dumps(tree, default=_filled)
