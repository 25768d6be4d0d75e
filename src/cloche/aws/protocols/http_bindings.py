"""Where the members of REST operations travel: URI labels, query, headers, status, payload.

rest-json and rest-xml differ in their bodies only. What is bound outside the body is read and written here, by
one list of small closures per operation, made when the operation is first called. Labels are matched on the path
as it came, still percent-encoded, and decoded after: a key that holds ``/``, ``%2F`` or ``..`` is that key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, is_header_name, is_header_value
from cloche.aws.operation import Members
from cloche.aws.protocols import form, scalars
from cloche.aws.protocols.codec import serialization_error
from cloche.aws.protocols.xml_reading import text_reader
from cloche.aws.protocols.xml_writing import text_writer

if TYPE_CHECKING:
    from botocore.model import OperationModel

    from cloche.aws.model.shape import Shape

Query = dict[str, list[str]]
Take = Callable[[HttpRequest, Members], None]
_LABEL: Final = re.compile(r"\{([^}+]+)(\+?)\}")
# rest-json services whose query maps hold what no other member takes. API_ListScrapers.html: "filters" are names of
# scraper fields, not ``nextToken``; API_PutRestApi.html: "custom header parameters", beside ``mode`` and
# ``failonwarnings``; API_route53globalresolver_ListFirewallRules.html: "filters" of the list, beside its page token.
_MAPS_OF_THE_REST: Final = frozenset(("amp", "apigateway", "route53globalresolver"))


# --- the path ----------------------------------------------------------------------------------------------


def path_pattern(uri: str) -> re.Pattern[str]:
    """The expression that a request's encoded path must match whole; groups are ``l0``, ``l1`` … in order."""
    path = uri.partition("?")[0]
    out, at, count = [], 0, 0
    for found in _LABEL.finditer(path):
        out.append(re.escape(path[at : found.start()]))
        out.append(f"(?P<l{count}>.+)" if found[2] else f"(?P<l{count}>[^/]+)")
        at, count = found.end(), count + 1
    out.append(re.escape(path[at:]))
    greedy_end = path.endswith("+}")
    return re.compile("".join(out) + ("" if greedy_end or path.endswith("/") else "/?"), re.DOTALL)


def label_names(uri: str) -> list[str]:
    return [found[1] for found in _LABEL.finditer(uri.partition("?")[0])]


def decode_label(text: str) -> str:
    """Raises ``ValueError`` for what is not UTF-8."""
    return unquote_to_bytes(text).decode("utf-8") if "%" in text else text


# --- reading -----------------------------------------------------------------------------------------------


class RequestBindings:
    """Everything of an operation's input that is not in its body.

    A map bound to the query takes ``all_in_map`` parameters or only those that no other member is bound to:
    smithy's tests want the first of rest-json servers (RestJsonServersQueryParamsStringListMap in
    smithy-aws-protocol-tests/model/restJson1/http-query.smithy) and the second of rest-xml (AllQueryStringTypes
    in restXml/http-query.smithy).
    """

    def __init__(self, operation: OperationModel, all_in_map: bool) -> None:
        uri = operation.http.get("requestUri", "/")
        shape = operation.input_shape
        all_in_map = all_in_map and operation.service_model.service_name not in _MAPS_OF_THE_REST
        self._takes: list[Take] = []
        self._headers: list[tuple[str, str, Callable[[str], Any]]] = []
        self._queries: list[Callable[[Query, Members], None]] = []
        if shape is None:
            return
        by_label: dict[str, tuple[str, Shape]] = {}
        bound = {piece.partition("=")[0] for piece in uri.partition("?")[2].split("&") if piece}
        query_maps: list[tuple[str, Shape]] = []
        for name, member in shape.members.items():
            where = member.serialization.get("location")
            wire = member.serialization.get("name", name)
            if where == "uri":
                by_label[wire] = (name, member)
            elif where == "header":
                self._headers.append((wire.lower(), name, _header_reader(member)))
            elif where == "headers":
                self._takes.append(_take_prefixed(name, member.serialization.get("name", "").lower()))
            elif where == "querystring" and member.type_name == "map":
                query_maps.append((name, member))
            elif where == "querystring":
                if not all_in_map:
                    bound.add(wire)
                self._queries.append(_take_query(name, wire, member))
        self._queries += [_take_query_map(name, member, bound) for name, member in query_maps]
        if by_label:
            self._takes.insert(0, _take_labels(uri, by_label))

    def read(self, request: HttpRequest, out: Members) -> None:
        """Raises ``SerializationException`` for a value that cannot be read."""
        try:
            for take in self._takes:
                take(request, out)
            headers = request.headers
            for wire, name, read in self._headers:
                if wire in headers:
                    out[name] = read(headers.get(wire))
            if self._queries and request.query:
                query: Query = {}
                for name, value in form.fields(request.query):
                    query.setdefault(name, []).append(value)
                for take_query in self._queries:
                    take_query(query, out)
        except ValueError as error:
            raise serialization_error(str(error)) from None


def _take_labels(uri: str, by_label: dict[str, tuple[str, Shape]]) -> Take:
    pattern = path_pattern(uri)
    targets = [
        (f"l{at}", by_label[label][0], text_reader(by_label[label][1]))
        for at, label in enumerate(label_names(uri))
        if label in by_label
    ]

    def take(request: HttpRequest, out: Members) -> None:
        found = pattern.fullmatch(request.path)
        if found is None:
            raise AwsError("UnknownOperationException", "", 404)
        for group, name, read in targets:
            out[name] = read(decode_label(found[group]))

    return take


def _header_reader(member: Shape) -> Callable[[str], Any]:
    if member.serialization.get("jsonvalue"):
        return _json_value
    if member.type_name == "list":
        item_of = text_reader(member.member)
        dates = member.member.type_name == "timestamp" and (
            member.member.serialization.get("timestampFormat", "rfc822") == "rfc822"
        )
        return lambda text: [item_of(item) for item in split_list(text, dates)]
    if member.type_name in ("string", "character"):
        return _header_text
    return text_reader(member)


def _header_text(text: str) -> str:
    """Header values arrive as latin-1; clients that send UTF-8 mean UTF-8."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except ValueError:
        return text


def _json_value(text: str) -> str:
    """A document member is a text for handlers and clients alike (botocore serialises it before encoding)."""
    decoded = base64.b64decode(text, validate=True)
    value: str = orjson.loads(decoded)
    return value


def split_list(text: str, dates: bool) -> list[str]:
    """``a, "b, c", d`` → three items; a date has a comma of its own."""
    items: list[str] = []
    at, size = 0, len(text)
    while at <= size:
        while at < size and text[at] in " \t":
            at += 1
        if at < size and text[at] == '"':
            item, at = _quoted(text, at + 1)
            end = text.find(",", at)
            at = size + 1 if end < 0 else end + 1
            items.append(item)
            continue
        end = text.find(",", at)
        if dates and end >= 0:
            end = text.find(",", end + 1)
        end = size if end < 0 else end
        if item := text[at:end].strip():
            items.append(item)
        at = end + 1
    return items


def _quoted(text: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        out.append(text[at])
        at += 1
    return "".join(out), at + 1


def _take_prefixed(name: str, prefix: str) -> Take:
    def take(request: HttpRequest, out: Members) -> None:
        found: dict[str, str] = {}
        for wire, value in request.headers:
            if wire.startswith(prefix):
                key = wire[len(prefix) :]
                text = _header_text(value)
                found[key] = f"{found[key]},{text}" if key in found else text
        if found:
            out[name] = found

    return take


def _take_query(name: str, wire: str, member: Shape) -> Callable[[Query, Members], None]:
    if member.type_name == "list":
        item_of = text_reader(member.member)

        def take_list(query: Query, out: Members) -> None:
            if wire in query:
                out[name] = [item_of(item) for item in query[wire]]

        return take_list
    read = text_reader(member)
    empty_is_absent = member.type_name not in ("string", "character")

    def take(query: Query, out: Members) -> None:
        if wire in query and not (empty_is_absent and query[wire][0] == ""):
            out[name] = read(query[wire][0])

    return take


def _take_query_map(name: str, member: Shape, bound: set[str]) -> Callable[[Query, Members], None]:
    lists = member.value.type_name == "list"

    def take(query: Query, out: Members) -> None:
        found = {key: values if lists else values[0] for key, values in query.items() if key not in bound}
        if found:
            out[name] = found

    return take


# --- writing -----------------------------------------------------------------------------------------------


class ResponseBindings:
    """Everything of an output that is not in its body: headers and status."""

    def __init__(self, shape: Shape | None, success: int = 200) -> None:
        self._success = success
        self._status_member = ""
        self._headers: list[tuple[str, Callable[[Any, list[tuple[str, str]]], None]]] = []
        for name, member in shape.members.items() if shape is not None else ():
            where = member.serialization.get("location")
            wire = member.serialization.get("name", name)
            if where == "statusCode":
                self._status_member = name
            elif where == "header":
                self._headers.append((name, _put_header(wire, member)))
            elif where == "headers":
                self._headers.append((name, _put_prefixed(member.serialization.get("name", ""))))

    def write(self, result: Members) -> tuple[int, list[tuple[str, str]]]:
        headers: list[tuple[str, str]] = []
        for name, put in self._headers:
            value = result.get(name)
            if value is not None:
                put(value, headers)
        status = result.get(self._status_member) if self._status_member else None
        return int(status or self._success), headers


def header_value(text: str) -> str:
    """``text`` as a header may carry it: UTF-8 seen as latin-1. Raises ``ValueError`` for a line break or another
    control character, which would let a stored value write headers of its own."""
    if not is_header_value(text):
        raise ValueError("a header value with a control character")
    return text if text.isascii() else text.encode("utf-8").decode("latin-1")


def _put_header(wire: str, member: Shape) -> Callable[[Any, list[tuple[str, str]]], None]:
    write = _header_writer(member)

    def put(value: Any, headers: list[tuple[str, str]]) -> None:
        headers.append((wire, header_value(write(value))))

    return put


def _header_writer(member: Shape) -> Callable[[Any], str]:
    if member.serialization.get("jsonvalue"):
        return lambda value: base64.b64encode(orjson.dumps(value)).decode("ascii")
    if member.type_name == "list":
        item_of = text_writer(member.member, scalars.http_date)
        quoted = member.member.type_name == "string"
        return lambda value: ",".join(_quote(item_of(item)) if quoted else item_of(item) for item in value)
    return text_writer(member, scalars.http_date)


def _quote(text: str) -> str:
    if "," not in text and '"' not in text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _put_prefixed(prefix: str) -> Callable[[Any, list[tuple[str, str]]], None]:
    def put(value: Any, headers: list[tuple[str, str]]) -> None:
        for key, item in value.items():
            if not is_header_name(prefix + key):
                raise ValueError("a header name that is none")
            headers.append((prefix + key, header_value(str(item))))

    return put
