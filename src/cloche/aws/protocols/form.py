"""``application/x-www-form-urlencoded`` as a tree: what query and ec2 share.

``Tags.member.1.Key=a&Tags.member.1.Value=b`` becomes ``{"Tags": {"member": {"1": {"Key": "a", "Value": "b"}}}}``
in one pass, so the cost of reading is the size of the request and not, as with searching all keys per member,
its square. A node is a text or a dictionary; one that is both keeps its text under the empty name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.aws.protocols.codec import LazyMembers, Read
from cloche.aws.protocols.xml_reading import text_reader
from cloche.foundation.limits import FORM_FIELDS_MAX, NESTING_DEPTH_MAX, PARSED_BODY_BYTES_MAX

if TYPE_CHECKING:
    from cloche.aws.model.shape import Shape

Node = dict[str, Any]
_INDEX_DIGITS_MAX = 6


def malformed(message: str) -> AwsError:
    # MalformedInput is the query services' code for parameters they cannot read; the words are Cloche's.
    return AwsError("MalformedInput", message, 400)


def decode(text: str) -> str:
    """A percent-encoded form value. Raises ``ValueError`` for what is not UTF-8."""
    if "+" in text:
        text = text.replace("+", " ")
    return unquote_to_bytes(text).decode("utf-8") if "%" in text else text


def fields(text: str) -> list[tuple[str, str]]:
    """The name and value pairs of a query string or form body. Raises ``ValueError``."""
    if not text:
        return []
    pieces = text.split("&", FORM_FIELDS_MAX + 1)
    if len(pieces) > FORM_FIELDS_MAX:
        raise ValueError("too many fields")
    found = []
    for piece in pieces:
        if piece:
            name, _, value = piece.partition("=")
            found.append((decode(name), decode(value)))
    return found


def tree(request: HttpRequest) -> Node:
    """The fields of the body and of the query string, nested. Raises ``MalformedInput``."""
    if len(request.body) > PARSED_BODY_BYTES_MAX:
        raise AwsError("RequestEntityTooLarge", "The request body is too large.", 413)
    try:
        pairs = fields(request.query) + fields(request.body.decode("utf-8"))
    except ValueError:
        raise malformed("The parameters are not sound UTF-8 form fields.") from None
    root: Node = {}
    for name, value in pairs:
        _put(root, name, value)
    return root


def _put(node: Node, name: str, value: str) -> None:
    *way, last = name.split(".", NESTING_DEPTH_MAX + 1)
    if len(way) > NESTING_DEPTH_MAX:
        raise malformed("Nested too deep.")
    for step in way:
        below = node.get(step)
        if not isinstance(below, dict):
            below = {} if below is None else {"": below}
            node[step] = below
        node = below
    if isinstance(node.get(last), dict):
        node[last][""] = value
    else:
        node[last] = value


def text_of(node: Any) -> str:
    return node if isinstance(node, str) else str(node.get("", ""))


class FormReader:
    """Closures from nodes to members, one per shape, kept; ``name_of`` and ``flat`` are the dialect's own."""

    def __init__(self, name_of: Callable[[Shape, str], str], always_flat: bool) -> None:
        self._made: dict[tuple[str, str], Read] = {}
        self._name_of = name_of
        self._always_flat = always_flat

    def of(self, shape: Shape) -> Read:
        key = (shape.name, str(shape.serialization.get("flattened")))
        if key not in self._made:
            self._made[key] = self._compile(shape)
        return self._made[key]

    def _compile(self, shape: Shape) -> Read:
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape)
        if kind == "list":
            return self._list(shape)
        return self._map(shape) if kind == "map" else _scalar(shape)

    def _structure(self, shape: Shape) -> Read:
        by_wire = {self._name_of(member, name): name for name, member in shape.members.items()}

        def build(wire: str) -> tuple[str, Read] | None:
            name = by_wire.get(wire)
            return None if name is None else (name, self.of(shape.members[name]))

        members = LazyMembers(build)

        def read(node: Any) -> dict[str, Any]:
            if isinstance(node, str):
                return {}
            out = {}
            for wire, below in node.items():
                if (member := members[wire]) is not None:
                    out[member[0]] = member[1](below)
            return out

        return read

    def _list(self, shape: Shape) -> Read:
        item_of = self.of(shape.member)
        flat = self._always_flat or bool(shape.serialization.get("flattened"))
        step = str(shape.member.serialization.get("name", "member"))

        def read(node: Any) -> list[Any]:
            if not flat and isinstance(node, dict):
                node = node.get(step, node.get("member", {}))
            return [item_of(below) for below in numbered(node)]

        return read

    def _map(self, shape: Shape) -> Read:
        flat = self._always_flat or bool(shape.serialization.get("flattened"))
        key_name = str(shape.key.serialization.get("name", "key"))
        value_name = str(shape.value.serialization.get("name", "value"))
        value_of = self.of(shape.value)

        def read(node: Any) -> dict[str, Any]:
            if not flat and isinstance(node, dict):
                node = node.get("entry", {})
            out = {}
            for entry in numbered(node):
                if not isinstance(entry, dict) or key_name not in entry:
                    raise malformed("A map entry has no key.")
                out[text_of(entry[key_name])] = value_of(entry.get(value_name, ""))
            return out

        return read


def _scalar(shape: Shape) -> Read:
    read = text_reader(shape)

    def parse(node: Any) -> Any:
        try:
            return read(text_of(node))
        except ValueError:
            raise malformed(f"Invalid value: expected {shape.type_name}.") from None

    return parse


def numbered(node: Any) -> list[Any]:
    """The items of ``{"1": a, "2": b}`` in the order of their numbers; gaps close up."""
    if isinstance(node, str):
        return []
    found: list[tuple[int, Any]] = []
    for index, below in node.items():
        if index.isascii() and index.isdigit() and len(index) <= _INDEX_DIGITS_MAX:
            found.append((int(index), below))
        elif index:
            raise malformed("A list is numbered 1, 2, 3 and so on.")
    found.sort(key=lambda pair: pair[0])
    return [below for _, below in found]
