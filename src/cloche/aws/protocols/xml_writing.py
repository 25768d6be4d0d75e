"""Members to XML: what rest-xml, query and ec2 write.

Writing appends pieces to a list and joins once. A carriage return is written ``&#xD;`` because every XML parser
turns a bare one into a line feed; S3 keys may hold one. Control characters, which XML 1.0 cannot carry at all,
are written as numbers, as S3 does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from cloche.aws.operation import Elements
from cloche.aws.protocols import scalars
from cloche.aws.protocols.codec import OUTSIDE, LazyMembers, check_strict
from cloche.aws.protocols.xml_reading import wire_name

if TYPE_CHECKING:
    from cloche.aws.model.shape import Shape

Write = Callable[[list[str], str, Any], None]
"""Append an element called as told, with the value."""

_SPECIAL: Final = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\x85\u2028]')
_CONTROL: Final = re.compile("[\r\x00-\x08\x0b\x0c\x0e-\x1f\x85\u2028]")


def escape(text: str) -> str:
    if _SPECIAL.search(text) is None:
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return _CONTROL.sub(lambda found: f"&#x{ord(found[0]):X};", text)


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
            strict = self._strict

            def write_flat(out: list[str], tag: str, value: Any) -> None:
                if isinstance(value, Elements) and not strict:
                    out.append(value.xml(tag))
                    return
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
