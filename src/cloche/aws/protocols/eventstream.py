"""``application/vnd.amazon.eventstream``: answers and requests that are a sequence of framed events.

A frame is: total length, length of its headers, CRC-32 of those eight bytes; the headers; the payload; CRC-32 of
everything before. Both checksums are written and, in reading, verified before a byte is believed
(smithy.io/2.0/aws/amazon-eventstream.html).

A handler answers the event member with an async iterator of events, each a dict with the one union member that is
set: ``{"PayloadPart": {"Bytes": b"…"}}``. If the iterator raises an ``AwsError``, the stream ends with an
exception frame (where the union models that error) or an error frame, which is how a client learns of a failure
after the status line has long been sent.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.aws.operation import Members
from cloche.aws.protocols import scalars
from cloche.foundation.limits import EVENT_FRAME_BYTES_MAX

if TYPE_CHECKING:
    from botocore.model import OperationModel

    from cloche.aws.model.shape import Shape
    from cloche.aws.protocols.codec import Codec

HeaderValue = bool | int | bytes | str | datetime | uuid.UUID
_PRELUDE: Final = 12
_OVERHEAD: Final = 16
_INTEGERS: Final = {2: 1, 3: 2, 4: 4, 5: 8}


class MalformedFrame(ValueError):
    """Bytes that are not an event frame: a wrong checksum, an impossible length, an unknown header type."""


@dataclass(frozen=True, slots=True)
class Frame:
    headers: dict[str, HeaderValue]
    payload: bytes


# --- frames --------------------------------------------------------------------------------------------------


def encode_frame(headers: dict[str, HeaderValue], payload: bytes) -> bytes:
    head = b"".join(_encode_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", _OVERHEAD + len(head) + len(payload), len(head))
    start = prelude + struct.pack(">I", zlib.crc32(prelude))
    crc = zlib.crc32(payload, zlib.crc32(head, zlib.crc32(start)))
    return b"".join((start, head, payload, struct.pack(">I", crc)))


def _encode_header(name: str, value: HeaderValue) -> bytes:
    raw = name.encode("utf-8")
    return bytes((len(raw),)) + raw + _encode_value(value)


def _encode_value(value: HeaderValue) -> bytes:
    if isinstance(value, bool):
        return b"\x00" if value else b"\x01"
    if isinstance(value, int):
        return b"\x05" + struct.pack(">q", value) if abs(value) >= 2**31 else b"\x04" + struct.pack(">i", value)
    if isinstance(value, bytes):
        return b"\x06" + struct.pack(">H", len(value)) + value
    if isinstance(value, datetime):
        return b"\x08" + struct.pack(">q", round(scalars.seconds(value) * 1000))
    if isinstance(value, uuid.UUID):
        return b"\x09" + value.bytes
    raw = value.encode("utf-8")
    return b"\x07" + struct.pack(">H", len(raw)) + raw


class FrameDecoder:
    """Feed it bytes as they arrive; it gives whole frames. Raises ``MalformedFrame``."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._held += data
        while len(self._held) >= _PRELUDE:
            total, head = struct.unpack_from(">II", self._held)
            (crc,) = struct.unpack_from(">I", self._held, 8)
            if crc != zlib.crc32(self._held[:8]):
                raise MalformedFrame("the prelude's checksum is wrong")
            if total > EVENT_FRAME_BYTES_MAX + _OVERHEAD + 128 * 1024 or head > 128 * 1024:
                raise MalformedFrame("the frame is too large")
            if head + _OVERHEAD > total:
                raise MalformedFrame("the headers are longer than the frame")
            if len(self._held) < total:
                return
            frame = bytes(self._held[:total])
            del self._held[:total]
            yield _decode(frame, head)

    def close(self) -> None:
        """Raises ``MalformedFrame`` when the stream ended inside a frame."""
        if self._held:
            raise MalformedFrame("the stream ended inside a frame")


def _decode(frame: bytes, head: int) -> Frame:
    (crc,) = struct.unpack_from(">I", frame, len(frame) - 4)
    if crc != zlib.crc32(memoryview(frame)[:-4]):
        raise MalformedFrame("the frame's checksum is wrong")
    try:
        headers = _decode_headers(frame[_PRELUDE : _PRELUDE + head])
    except (IndexError, struct.error, ValueError) as error:
        raise MalformedFrame(f"unreadable headers: {error}") from None
    return Frame(headers, frame[_PRELUDE + head : -4])


def _decode_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    while at < len(data):
        size = data[at]
        name = data[at + 1 : at + 1 + size].decode("utf-8")
        kind = data[at + 1 + size]
        at += 2 + size
        value, at = _decode_value(kind, data, at)
        if name in headers:
            raise MalformedFrame("the same header twice")
        headers[name] = value
    return headers


def _decode_value(kind: int, data: bytes, at: int) -> tuple[HeaderValue, int]:
    if kind in (0, 1):
        return kind == 0, at
    if kind in _INTEGERS:
        size = _INTEGERS[kind]
        return int.from_bytes(_piece(data, at, size), "big", signed=True), at + size
    if kind in (6, 7):
        size = int.from_bytes(_piece(data, at, 2), "big")
        piece = _piece(data, at + 2, size)
        return (piece if kind == 6 else piece.decode("utf-8")), at + 2 + size
    if kind == 8:
        (milliseconds,) = struct.unpack_from(">q", data, at)
        return scalars.moment_from_seconds(milliseconds / 1000), at + 8
    if kind == 9:
        return uuid.UUID(bytes=_piece(data, at, 16)), at + 16
    raise MalformedFrame(f"a header of unknown type {kind}")


def _piece(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise MalformedFrame("a header beyond the end")
    return data[at : at + size]


# --- answers -------------------------------------------------------------------------------------------------


async def event_stream_body(codec: Codec, operation: OperationModel, result: Members) -> AsyncIterator[bytes]:
    """The frames of an answer whose event member is an async iterator of events."""
    shape: Shape = operation.output_shape
    name = next(n for n, m in shape.members.items() if m.serialization.get("eventstream"))
    union = shape.members[name]
    if codec.protocol in ("json", "smithy-rpc-v2-cbor"):  # RPC protocols send the other members first
        rest = {k: v for k, v in result.items() if k != name and k in shape.members}
        yield _initial_response(codec, shape, rest)
    events = result[name]
    try:
        async for event in events:
            yield encode_event(codec, union, event)
    except AwsError as error:
        yield encode_error(codec, union, error)
    finally:  # also when the client has gone and the rest is not asked for
        if (close := getattr(events, "aclose", None)) is not None:
            await close()


def _initial_response(codec: Codec, shape: Shape, rest: Members) -> bytes:
    headers: dict[str, HeaderValue] = {
        ":message-type": "event",
        ":event-type": "initial-response",
        ":content-type": codec.body_type,
    }
    return encode_frame(headers, type(codec)(codec.service).body_writer(shape)(rest))


def encode_event(codec: Codec, union: Shape, event: Members) -> bytes:
    """One event. Raises ``ValueError`` unless exactly one declared member is set."""
    if len(event) != 1 or (name := next(iter(event))) not in union.members:
        raise ValueError(f"an event has exactly one member of {union.name}: {sorted(event)}")
    headers: dict[str, HeaderValue] = {":message-type": "event", ":event-type": name}
    payload = _event_content(codec, union.members[name], event[name], headers)
    return encode_frame(headers, payload)


def _event_content(codec: Codec, shape: Shape, value: Members, headers: dict[str, HeaderValue]) -> bytes:
    body: dict[str, Any] = {}
    raw: bytes | None = None
    for name, member in shape.members.items():
        item = value.get(name)
        if member.serialization.get("eventheader"):
            if item is not None:
                headers[name] = item
        elif member.serialization.get("eventpayload"):
            if member.type_name == "blob":
                headers[":content-type"] = "application/octet-stream"
                raw = bytes(item or b"")
            elif member.type_name == "string":
                headers[":content-type"] = "text/plain"
                raw = (item or "").encode("utf-8")
            elif item is not None:
                headers[":content-type"] = codec.body_type
                raw = codec.body_writer(member)(item)
        elif item is not None:
            body[name] = item
    if raw is not None:
        return raw
    if not shape.members:
        return b""
    headers[":content-type"] = codec.body_type
    return codec.body_writer(shape)(body)


def encode_error(codec: Codec, union: Shape, error: AwsError) -> bytes:
    """The frame that ends a stream by ``error``."""
    for name, member in union.members.items():
        if member.metadata.get("exception") and error.code in (name, member.name):
            fields = {**error.fields}
            fields.update({n: error.message for n in member.members if n.lower() == "message"})
            headers: dict[str, HeaderValue] = {":message-type": "exception", ":exception-type": name}
            return encode_frame(headers, _event_content(codec, member, fields, headers))
    return encode_frame({":message-type": "error", ":error-code": error.code, ":error-message": error.message}, b"")


# --- requests --------------------------------------------------------------------------------------------------


async def read_event_stream(codec: Codec, union: Shape, request: HttpRequest) -> AsyncIterator[Members]:
    """The events of a request, as they arrive. A malformed frame raises ``SerializationException``."""
    decoder = FrameDecoder()
    try:
        async for chunk in _chunks(request):
            for frame in decoder.feed(chunk):
                if (event := _read_event(codec, union, frame)) is not None:
                    yield event
        decoder.close()
    except MalformedFrame as error:
        raise AwsError("SerializationException", str(error), 400) from None


async def _chunks(request: HttpRequest) -> AsyncIterator[bytes]:
    if request.stream is None:
        yield request.body
        return
    async for chunk in request.stream:
        yield chunk


def _read_event(codec: Codec, union: Shape, frame: Frame, *, may_wrap: bool = True) -> Members | None:
    """``None`` for a frame that is no event of this union (an initial request, a future event). ``may_wrap``: a frame
    may be the signed envelope of another, but an envelope holds no envelope."""
    name = str(frame.headers.get(":event-type", ""))
    member = union.members.get(name)
    if member is None:
        if may_wrap and ":chunk-signature" in frame.headers and frame.payload:
            inner = list(FrameDecoder().feed(frame.payload))
            return _read_event(codec, union, inner[0], may_wrap=False) if inner else None
        return None
    out: Members = {}
    unbound = False
    for part, shape in member.members.items():
        if shape.serialization.get("eventheader"):
            if part in frame.headers:
                out[part] = frame.headers[part]
        elif shape.serialization.get("eventpayload"):
            out[part] = _read_payload(codec, shape, frame.payload)
        else:
            unbound = True
    if unbound:
        out.update(codec.body_reader(member)(frame.payload))
    return {name: out}


def _read_payload(codec: Codec, shape: Shape, payload: bytes) -> Any:
    if shape.type_name == "blob":
        return payload
    if shape.type_name == "string":
        return payload.decode("utf-8", "replace")
    return codec.body_reader(shape)(payload)
