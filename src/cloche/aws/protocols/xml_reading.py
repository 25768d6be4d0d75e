"""XML to members: what rest-xml reads, and the texts and names it shares with query and ec2.

Reading goes through expat, the one XML parser of the standard library that lets a caller refuse a DOCTYPE the
moment it begins: no entity is ever defined, so none can be expanded or fetched. Depth and number of elements are
bounded while the parser runs, not after. Namespaces are ignored, as AWS ignores them: only local names count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat

from cloche.aws.protocols import scalars
from cloche.aws.protocols.codec import LazyMembers, Read
from cloche.foundation.limits import NESTING_DEPTH_MAX, PARSED_BODY_BYTES_MAX, XML_ELEMENTS_MAX

if TYPE_CHECKING:
    from cloche.aws.model.shape import Shape


class MalformedXml(ValueError):
    """The text is no XML that Cloche accepts."""


class Element:
    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self._pieces: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > XML_ELEMENTS_MAX or len(self._open) > NESTING_DEPTH_MAX:
            raise MalformedXml("too many or too deeply nested elements")
        element = Element(name.rpartition(":")[2], attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._pieces.clear()

    def end(self, _name: str) -> None:
        element = self._open.pop()
        if self._pieces:
            if not element.children:
                element.text = "".join(self._pieces)
            self._pieces.clear()

    def text(self, data: str) -> None:
        self._pieces.append(data)

    def refuse(self, *_: Any) -> None:
        raise MalformedXml("a document type is not accepted")


def load(body: bytes) -> Element:
    """The root element. Raises ``MalformedXml``."""
    if len(body) > PARSED_BODY_BYTES_MAX:
        raise MalformedXml("too large")
    builder = _Builder()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError) as error:
        raise error if isinstance(error, MalformedXml) else MalformedXml(str(error)) from error
    if builder.root is None:
        raise MalformedXml("no element")
    return builder.root


# --- reading -----------------------------------------------------------------------------------------------


def text_reader(shape: Shape) -> Read:
    """From a text (an element's, a header's, a form's) to a scalar. Raises ``ValueError``."""
    kind = shape.type_name
    if kind == "timestamp":
        return scalars.moment_from_text
    return _TEXT_READERS.get(kind, str)


_TEXT_READERS: Final[dict[str, Read]] = {
    **{kind: scalars.integer_reader(kind) for kind in scalars.RANGES},
    "float": scalars.float_from_text,
    "double": scalars.float_from_text,
    "boolean": scalars.boolean_from_text,
    "blob": scalars.blob_from_text,
}


class XmlReader:
    """Closures from elements to members, one per shape, kept. They raise ``ValueError``."""

    def __init__(self) -> None:
        self._made: dict[str, Read] = {}

    def of(self, shape: Shape) -> Read:
        """For structures and scalars, and for lists and maps *not* flattened: from the one element."""
        key = shape.name
        if key not in self._made:
            kind = shape.type_name
            if kind == "structure":
                self._made[key] = self.structure(shape)
            elif kind == "list":
                self._made[key] = self._list(shape)
            elif kind == "map":
                self._made[key] = self._map(shape)
            else:
                self._made[key] = _scalar(shape)
        return self._made[key]

    def structure(self, shape: Shape) -> Read:
        """Members bound to headers, query or URI are not looked for."""
        by_tag: dict[str, str] = {}
        attributes: dict[str, str] = {}
        for name, member in shape.members.items():
            if member.serialization.get("location"):
                continue
            if member.serialization.get("xmlAttribute"):
                attributes[member.serialization.get("name", name)] = name
            else:
                by_tag[wire_name(member, name)] = name
                by_tag.setdefault(member.serialization.get("name", name), name)

        def build(tag: str) -> tuple[str, Read, str] | None:
            name = by_tag.get(tag)
            return None if name is None else (name, *self._member(shape.members[name]))

        members = LazyMembers(build)

        def read(element: Element) -> dict[str, Any]:
            out: dict[str, Any] = {}
            for child in element.children:
                member = members[child.tag]
                if member is None:
                    continue
                name, value_of, gathered = member
                if gathered == "list":
                    out.setdefault(name, []).append(value_of(child))
                elif gathered == "map":
                    key, value = value_of(child)
                    out.setdefault(name, {})[key] = value
                else:
                    out[name] = value_of(child)
            for wire, name in attributes.items():
                if wire in element.attributes:
                    out[name] = element.attributes[wire]
            return out

        return read

    def _member(self, member: Shape) -> tuple[Read, str]:
        if member.serialization.get("flattened"):
            if member.type_name == "list":
                return self.of(member.member), "list"
            if member.type_name == "map":
                return self._entry(member), "map"
        return self.of(member), ""

    def _list(self, shape: Shape) -> Read:
        item_of = self.of(shape.member)
        tag = shape.member.serialization.get("name", "member")
        return lambda element: [item_of(child) for child in element.children if child.tag == tag]

    def _map(self, shape: Shape) -> Read:
        entry = self._entry(shape)
        return lambda element: dict(entry(child) for child in element.children if child.tag == "entry")

    def _entry(self, shape: Shape) -> Callable[[Element], tuple[str, Any]]:
        key_tag = shape.key.serialization.get("name", "key")
        value_tag = shape.value.serialization.get("name", "value")
        value_of = self.of(shape.value)

        def read(element: Element) -> tuple[str, Any]:
            key: str | None = None
            value: Any = None
            for child in element.children:
                if child.tag == key_tag:
                    key = child.text
                elif child.tag == value_tag:
                    value = value_of(child)
            if key is None:
                raise MalformedXml("a map entry without a key")
            return key, value

        return read


def _scalar(shape: Shape) -> Read:
    read = text_reader(shape)
    if shape.type_name in ("string", "character"):
        return lambda element: element.text
    return lambda element: read(element.text.strip())


def wire_name(member: Shape, name: str) -> str:
    """The tag of a member's element (of each item's, where it is flattened)."""
    own: str = member.serialization.get("name", name)
    if member.type_name == "list" and member.serialization.get("flattened"):
        return str(member.member.serialization.get("name", own))
    if member.type_name == "map" and "queryName" in member.serialization:
        return str(
            member.serialization["queryName"]
        )  # SQS's maps go by another name in the query protocol than in JSON
    return own
