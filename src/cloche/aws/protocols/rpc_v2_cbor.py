"""smithy's rpc-v2-cbor: a POST to ``/service/<name>/operation/<name>``, CBOR both ways.

What newer SDKs choose for CloudWatch and some forty other services. The type information is in the bytes, so
reading is mostly a check that each value is of the kind its shape wants; renaming does not occur (the protocol
ignores ``locationName``). The header ``smithy-protocol`` is echoed: a client refuses an answer without it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.operation import Members
from cloche.aws.protocols import cbor, scalars
from cloche.aws.protocols.codec import Codec, ErrorView, LazyMembers, Read, check_strict, refuse
from cloche.aws.protocols.eventstream import event_stream_body
from cloche.foundation.limits import PARSED_BODY_BYTES_MAX

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from cloche.aws.model.shape import Shape

_INTEGERS: Final = {"byte": 7, "short": 15, "integer": 31, "long": 63}


class RpcV2CborCodec(Codec):
    protocol = "smithy-rpc-v2-cbor"
    body_type = "application/cbor"

    def __init__(self, service: ServiceModel, strict: bool = False) -> None:
        super().__init__(service, strict)
        self._readers: dict[str, Read] = {}
        self._writers: dict[str, Read] = {}

    def parse(self, operation: OperationModel, request: HttpRequest) -> Members:
        shape = operation.input_shape
        tree = _load(request.body) if request.body else {}
        if shape is None:
            return {}
        members: Members = self._reader(shape)(tree)
        return members

    def serialize(
        self, operation: OperationModel, result: Members, request: HttpRequest, request_id: str
    ) -> HttpResponse:
        headers = _headers(request_id)
        shape = operation.output_shape
        if operation.has_event_stream_output:
            headers[-1] = ("Content-Type", "application/vnd.amazon.eventstream")
            return HttpResponse(200, headers, event_stream_body(self, operation, result))
        if shape is None:
            return HttpResponse(200, headers[:-1], b"")
        return HttpResponse(200, headers, cbor.dumps(self._writer(shape, self.strict)(result)))

    def error(self, view: ErrorView, request: HttpRequest, request_id: str) -> HttpResponse:
        query_compatible = "awsQueryCompatible" in self.service.metadata
        code = view.shape.name if query_compatible and view.shape is not None else view.code
        headers = _headers(request_id)
        if query_compatible:
            headers.append(("x-amzn-query-error", f"{view.code};{view.fault}"))
        out: dict[str, Any] = {"__type": code}
        message_at = "message"
        if view.shape is not None:
            fields = {k: v for k, v in view.error.fields.items() if k.lower() != "message"}
            out.update(self._compile_writer(view.shape, False)(fields))
            message_at = next((name for name in view.shape.members if name.lower() == "message"), "message")
        out[message_at] = view.message
        return HttpResponse(view.status, headers, cbor.dumps(out))

    def body_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        read = self._reader(shape)
        return lambda body: read(_load(body) if body else {})

    def body_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        write = self._writer(shape, self.strict)
        return lambda value: cbor.dumps(write(value))

    # --- closures ----------------------------------------------------------------------------------------

    def _reader(self, shape: Shape) -> Read:
        if shape.name not in self._readers:
            self._readers[shape.name] = self._compile_reader(shape)
        return self._readers[shape.name]

    def _compile_reader(self, shape: Shape) -> Read:
        kind = shape.type_name
        if kind == "structure":
            return self._structure_reader(shape)
        if kind == "list":
            item_of = self._reader(shape.member)
            return lambda value: [None if i is None else item_of(i) for i in _expect(value, list)]
        if kind == "map":
            value_of = self._reader(shape.value)
            return lambda value: {
                key: None if item is None else value_of(item) for key, item in _expect(value, dict).items()
            }
        if kind in _INTEGERS:
            return _integer(_INTEGERS[kind])
        return _READERS.get(kind, lambda value: _expect(value, str))

    def _structure_reader(self, shape: Shape) -> Read:
        if getattr(shape, "is_document_type", False):
            return lambda value: value

        def build(name: str) -> Read | None:
            member = shape.members.get(name)
            return None if member is None else self._reader(member)

        members = LazyMembers(build)

        def read(value: Any) -> dict[str, Any]:
            out = {}
            for name, item in _expect(value, dict).items():
                if item is not None and (member := members[name]) is not None:
                    out[name] = member(item)
            return out

        return read

    def _writer(self, shape: Shape, strict: bool) -> Read:
        if shape.name not in self._writers:
            self._writers[shape.name] = self._compile_writer(shape, strict)
        return self._writers[shape.name]

    def _compile_writer(self, shape: Shape, strict: bool) -> Read:
        kind = shape.type_name
        if kind == "structure":
            return self._structure_writer(shape, strict)
        if kind == "list":
            item_of = self._writer(shape.member, strict)
            return lambda value: [None if i is None else item_of(i) for i in value]
        if kind == "map":
            value_of = self._writer(shape.value, strict)
            return lambda value: {str(k): None if i is None else value_of(i) for k, i in value.items()}
        return _WRITERS.get(kind, lambda value: value)

    def _structure_writer(self, shape: Shape, strict: bool) -> Read:
        if getattr(shape, "is_document_type", False):
            return lambda value: value

        def build(name: str) -> Read | None:
            member = shape.members.get(name)
            return None if member is None else self._writer(member, self.strict)

        members = LazyMembers(build)

        def write(value: Any) -> dict[str, Any]:
            if strict:
                check_strict(shape, value)
            out = {}
            for name, item in value.items():
                if item is not None and (member := members[name]) is not None:
                    out[name] = member(item)
            return out

        return write


def _load(body: bytes) -> Any:
    if len(body) > PARSED_BODY_BYTES_MAX:
        raise AwsError("RequestEntityTooLarge", "The request body is too large.", 413)
    try:
        return cbor.loads(body)
    except cbor.MalformedCbor as error:
        refuse(str(error))


def _headers(request_id: str) -> list[tuple[str, str]]:
    return [
        ("x-amzn-RequestId", request_id),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("Content-Type", "application/cbor"),
    ]


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        refuse(f"Expected a {kind.__name__}.")
    return value


def _integer(bits: int) -> Read:
    low, high = -(2**bits), 2**bits - 1

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            refuse("Expected an integer within its range.")
        return value

    return read


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        refuse("Expected a number.")
    return float(value)


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if type(value) in (int, float):
        try:
            return scalars.moment_from_seconds(value)
        except ValueError:
            pass
    return refuse("Expected a timestamp.")


_READERS: Final[dict[str, Read]] = {
    "boolean": lambda value: _expect(value, bool),
    "float": _float,
    "double": _float,
    "blob": lambda value: _expect(value, bytes),
    "timestamp": _moment,
}
_WRITERS: Final[dict[str, Read]] = {
    "timestamp": scalars.as_moment,
    "float": float,
    "double": float,
    "blob": lambda value: value.encode() if isinstance(value, str) else bytes(value),
    "string": lambda value: value if type(value) is str else str(value),
}
