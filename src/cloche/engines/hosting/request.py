"""A request to a model server as it goes over the wire."""

from __future__ import annotations

from typing import Final

from cloche.engines.hosting.connection import Data

APART_BYTES_MIN: Final = 64 * 1024


def request_head(headers: list[tuple[bytes, bytes]]) -> bytes:
    """What a ``POST /invocations`` begins with: all but the body's length. Raises ``ValueError`` for a header value
    that would end its line."""
    lines = [b"POST /invocations HTTP/1.1\r\nhost: localhost\r\n"]
    for name, value in headers:
        if b"\n" in value or b"\r" in value:
            raise ValueError("a header's value may not contain a line break")
        lines += (name, b": ", value, b"\r\n")
    return b"".join(lines)


def request_bytes(head: bytes, body: bytes) -> Data:
    """The whole request, in pieces to be written one after another: a long body is not copied for it."""
    if len(body) > APART_BYTES_MIN:
        return b"%bcontent-length: %d\r\n\r\n" % (head, len(body)), body
    return (b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body),)


def headers_of(data: Data) -> list[tuple[bytes, bytes]]:
    """The headers that ``request_head`` was given."""
    lines = data[0].partition(b"\r\n\r\n")[0].split(b"\r\n")[2:-1]
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]


def body_of(data: Data) -> bytes:
    """The body that ``request_bytes`` was given."""
    return data[1] if len(data) > 1 else data[0].partition(b"\r\n\r\n")[2]
