"""XML to members and back: what rest-xml, query and ec2 share.

Reading goes through expat, the one XML parser of the standard library that lets a caller refuse a DOCTYPE the
moment it begins: no entity is ever defined, so none can be expanded or fetched. Depth and number of elements are
bounded while the parser runs, not after. Namespaces are ignored, as AWS ignores them: only local names count.

Writing appends pieces to a list and joins once. A carriage return is written ``&#xD;`` because every XML parser
turns a bare one into a line feed; S3 keys may hold one. Control characters, which XML 1.0 cannot carry at all,
are written as numbers, as S3 does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat

from cloche.aws.protocols import scalars
from cloche.aws.protocols.codec import OUTSIDE, LazyMembers, Read, check_strict
from cloche.foundation.limits import NESTING_DEPTH_MAX, PARSED_BODY_BYTES_MAX, XML_ELEMENTS_MAX

if TYPE_CHECKING:
    from cloche.aws.model.shape import Shape

Write = Callable[[list[str], str, Any], None]
"""Append an element called as told, with the value."""


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
    "integer": scalars.integer_from_text,
    "long": scalars.integer_from_text,
    "short": scalars.integer_from_text,
    "byte": scalars.integer_from_text,
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
    return own


# --- writing -----------------------------------------------------------------------------------------------

_SPECIAL: Final = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\x85\u2028]')
_WRITTEN: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(text: str) -> str:
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _WRITTEN.get(found[0]) or f"&#x{ord(found[0]):X};", text)


class XmlWriter:
    """Closures from members to XML, one per shape, kept. ``moments`` writes a time with no format of its own."""

    def __init__(self, strict: bool, moments: Callable[[Any], str] = scalars.iso) -> None:
        self._made: dict[tuple[str, ...], Write] = {}
        self._strict = strict
        self._moments = moments

    def of(self, shape: Shape) -> Write:
        traits = shape.serialization
        key = (shape.name, str(traits.get("timestampFormat")), str(traits.get("flattened")), namespace_of(shape))
        if key not in self._made:
            self._made[key] = self._compile(shape)
        return self._made[key]

    def _compile(self, shape: Shape) -> Write:
        if shape.type_name == "structure":
            return self.element(shape)
        if shape.type_name == "list":
            return self._list(shape)
        if shape.type_name == "map":
            return self._map(shape)
        return _text_element(self.text(shape), namespace_of(shape))

    def text(self, shape: Shape) -> Callable[[Any], str]:
        """A scalar as text, not yet escaped."""
        return text_writer(shape, self._moments)

    def element(self, shape: Shape, default_namespace: str = "") -> Write:
        """A structure with its element around it; ``default_namespace`` where the shape declares none."""
        content = self.content(shape)
        namespace = namespace_of(shape) or default_namespace
        attributes = {
            name: member.serialization.get("name", name)
            for name, member in shape.members.items()
            if member.serialization.get("xmlAttribute")
        }

        def write(out: list[str], tag: str, value: Any) -> None:
            written = "".join(
                f' {wire}="{escape(str(value[name]))}"'
                for name, wire in attributes.items()
                if value.get(name) is not None
            )
            out.append(f"<{tag}{namespace}{written}>")
            content(out, value)
            out.append(f"</{tag}>")

        return write

    def content(self, shape: Shape) -> Callable[[list[str], Any], None]:
        """The members' elements, without one around them. Members bound elsewhere are left out."""

        def build(name: str) -> tuple[str, Write] | None:
            member = shape.members.get(name)
            if member is None or member.serialization.get("location") in OUTSIDE:
                return None
            if member.serialization.get("xmlAttribute"):
                return None
            return wire_name(member, name), self.of(member)

        members = LazyMembers(build)
        strict = self._strict

        def write(out: list[str], value: Any) -> None:
            if strict:
                check_strict(shape, value)
            for name, item in value.items():
                if item is not None and (member := members[name]) is not None:
                    member[1](out, member[0], item)

        return write

    def _list(self, shape: Shape) -> Write:
        item_of = self.of(shape.member)
        if shape.serialization.get("flattened"):

            def write_flat(out: list[str], tag: str, value: Any) -> None:
                for item in value:
                    item_of(out, tag, item)

            return write_flat
        item_tag = shape.member.serialization.get("name", "member")
        namespace = namespace_of(shape)

        def write(out: list[str], tag: str, value: Any) -> None:
            out.append(f"<{tag}{namespace}>")
            for item in value:
                item_of(out, item_tag, item)
            out.append(f"</{tag}>")

        return write

    def _map(self, shape: Shape) -> Write:
        key_tag = shape.key.serialization.get("name", "key")
        value_tag = shape.value.serialization.get("name", "value")
        key_of, value_of = self.of(shape.key), self.of(shape.value)
        flattened = bool(shape.serialization.get("flattened"))
        namespace = namespace_of(shape)

        def write(out: list[str], tag: str, value: Any) -> None:
            entry = tag if flattened else "entry"
            if not flattened:
                out.append(f"<{tag}{namespace}>")
            for key, item in value.items():
                out.append(f"<{entry}>")
                key_of(out, key_tag, key)
                if item is not None:
                    value_of(out, value_tag, item)
                out.append(f"</{entry}>")
            if not flattened:
                out.append(f"</{tag}>")

        return write


def _text_element(text_of: Callable[[Any], str], namespace: str) -> Write:
    def write(out: list[str], tag: str, value: Any) -> None:
        out.append(f"<{tag}{namespace}>{escape(text_of(value))}</{tag}>")

    return write


def text_writer(shape: Shape, moments: Callable[[Any], str]) -> Callable[[Any], str]:
    """A scalar as text (in XML, a header, a query): ``moments`` writes a time with no format of its own."""
    kind = shape.type_name
    if kind == "timestamp":
        return scalars.MOMENT_WRITERS.get(str(shape.serialization.get("timestampFormat")), moments)
    return _TEXT_WRITERS.get(kind, str)


_TEXT_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "boolean": scalars.boolean_text,
    "blob": scalars.blob_text,
    **dict.fromkeys(("integer", "long", "short", "byte", "float", "double"), scalars.number_text),
}


def namespace_of(shape: Shape) -> str:
    """The attribute that declares a shape's own namespace, with a blank before it; or nothing."""
    declared = shape.serialization.get("xmlNamespace")
    if not declared:
        return ""
    if isinstance(declared, str):
        return f' xmlns="{escape(declared)}"'
    prefix = declared.get("prefix")
    return f' xmlns{":" + prefix if prefix else ""}="{escape(declared["uri"])}"'


def document(pieces: list[str]) -> bytes:
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(pieces)).encode("utf-8", "xmlcharrefreplace")
