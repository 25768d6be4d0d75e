"""REST operations, whatever their bodies are written in.

An operation's input is its labels, query, headers and one of: a raw payload (bytes or text, possibly streaming),
a structure as payload, or the members that are bound nowhere else. Its output likewise. A payload that streams is
handed on untouched in both directions: ``request.stream`` (or the body, where there is none) goes to the handler,
and what the handler gives, bytes, a slice of a file or an async iterator, becomes the response's body.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from cloche.aws.http import Body, HttpRequest, HttpResponse
from cloche.aws.operation import Members
from cloche.aws.protocols.codec import Codec, check_strict, refuse
from cloche.aws.protocols.eventstream import event_stream_body, read_event_stream
from cloche.aws.protocols.http_bindings import RequestBindings, ResponseBindings

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from cloche.aws.model.shape import Shape

Parse = Callable[[HttpRequest], Members]
Write = Callable[[Members], HttpResponse]


class RestCodec(Codec):
    all_in_query_map: ClassVar[bool]
    """See ``RequestBindings``."""

    def __init__(self, service: ServiceModel, strict: bool = False) -> None:
        super().__init__(service, strict)
        self._parsers: dict[str, Parse] = {}
        self._writers: dict[str, Write] = {}

    # What rest-json and rest-xml each say for themselves:

    @abstractmethod
    def read_members(self, shape: Shape) -> Callable[[bytes], Members]:
        """Reads a body that holds the members bound nowhere else."""

    @abstractmethod
    def write_members(self, operation: OperationModel, shape: Shape) -> Callable[[Members], bytes]:
        """Writes one."""

    @abstractmethod
    def id_headers(self, request_id: str) -> list[tuple[str, str]]:
        """The headers that carry the request id."""

    # The rest is common.

    def parse(self, operation: OperationModel, request: HttpRequest) -> Members:
        parse = self._parsers.get(operation.name)
        if parse is None:
            parse = self._parsers[operation.name] = self._compile_parser(operation)
        return parse(request)

    def _compile_parser(self, operation: OperationModel) -> Parse:
        bindings = RequestBindings(operation, self.all_in_query_map)
        shape = operation.input_shape
        body = self._body_parser(operation, shape) if shape is not None else None

        def parse(request: HttpRequest) -> Members:
            out: Members = {}
            if body is not None:
                body(request, out)
            bindings.read(request, out)
            return out

        return parse

    def _body_parser(self, operation: OperationModel, shape: Shape) -> Callable[[HttpRequest, Members], None] | None:
        payload = shape.serialization.get("payload")
        if payload is not None:
            return self._payload_parser(operation, payload, shape)
        if all(member.serialization.get("location") for member in shape.members.values()):
            return None
        read = self.read_members(shape)

        def take(request: HttpRequest, out: Members) -> None:
            if request.body:
                out.update(read(request.body))

        return take

    def _payload_parser(
        self, operation: OperationModel, name: str, shape: Shape
    ) -> Callable[[HttpRequest, Members], None]:
        member = shape.members[name]
        if member.serialization.get("eventstream"):
            return lambda request, out: out.update({name: read_event_stream(self, member, request)})
        if member.type_name == "blob":
            always = operation.has_streaming_input or name in shape.required_members
            return _blob_payload(name, always)
        read = _text if member.type_name in ("string", "character") else self.body_reader(member)

        def take(request: HttpRequest, out: Members) -> None:
            if request.body:
                out[name] = read(request.body)

        return take

    def serialize(
        self, operation: OperationModel, result: Members, request: HttpRequest, request_id: str
    ) -> HttpResponse:
        write = self._writers.get(operation.name)
        if write is None:
            write = self._writers[operation.name] = self._compile_writer(operation)
        answer = write(result)
        answer.headers[:0] = self.id_headers(request_id)
        return answer

    def _compile_writer(self, operation: OperationModel) -> Write:
        shape = operation.output_shape
        bindings = ResponseBindings(shape, int(operation.http.get("responseCode", 200)))
        body = self._body_writer(operation, shape) if shape is not None else None
        strict = self.strict

        def write(result: Members) -> HttpResponse:
            if strict and shape is not None:
                check_strict(shape, result)
            status, headers = bindings.write(result)
            content: Body = b""
            if body is not None:
                content, content_type = body(result)
                if content_type and not any(name.lower() == "content-type" for name, _ in headers):
                    headers.append(("Content-Type", content_type))
            return HttpResponse(status, headers, content)

        return write

    def _body_writer(self, operation: OperationModel, shape: Shape) -> Callable[[Members], tuple[Body, str]]:
        if operation.has_event_stream_output:
            return lambda result: (
                event_stream_body(self, operation, result),
                "application/vnd.amazon.eventstream",
            )
        payload = shape.serialization.get("payload")
        if payload is None:
            write = self.write_members(operation, shape)
            return lambda result: (write(result), self.body_type)
        member = shape.members[payload]
        if member.type_name == "blob":
            return lambda result: (_raw(result.get(payload)), "application/octet-stream")
        if member.type_name in ("string", "character"):
            return lambda result: (_raw(result.get(payload)), "text/plain")
        write_payload = self.body_writer(member)

        def write_structure(result: Members) -> tuple[Body, str]:
            value = result.get(payload)
            return (b"", "") if value is None else (write_payload(value), self.body_type)

        return write_structure


def _blob_payload(name: str, always: bool) -> Callable[[HttpRequest, Members], None]:
    def take(request: HttpRequest, out: Members) -> None:
        if request.stream is not None:
            out[name] = request.stream
        elif request.body or always:
            out[name] = request.body

    return take


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return refuse("The payload is not UTF-8.")


def _raw(value: Any) -> Body:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    body: Body = value
    return body
