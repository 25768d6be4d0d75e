"""Heads of requests, read. Anything doubtful (two lengths, a length beside chunks, folded or nameless headers) is
refused, so that no second request can hide in a first.

The heads that a server sends for one client are the same but for the body's length, so the short ones are remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

HEADERS_MAX: Final = 200
KNOWN_BYTES_MAX: Final = 512


class BadRequest(Exception):
    """The connection cannot go on; ``status`` is its last answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True, slots=True)
class Head:
    """``headers``: names in lower case; copy it before handing it on. ``length`` is 0 where the body is ``chunked``."""

    method: bytes
    target: bytes
    """Without its query."""
    headers: dict[str, str]
    length: int
    chunked: bool
    chunks_go: bool
    """The client speaks HTTP/1.1: it can be answered in chunks."""
    closes: bool
    """The connection ends with the answer."""
    awaits: bool
    """The client wants ``100 Continue`` before it sends the body."""


def head_of(raw: bytes) -> Head:
    """``raw`` without its empty line. Raises ``BadRequest``."""
    return _known(raw) if len(raw) <= KNOWN_BYTES_MAX else _read(raw)


def _read(raw: bytes) -> Head:
    lines = raw.split(b"\r\n")
    parts = lines[0].split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
        raise BadRequest(400, "malformed request line")
    if len(lines) > HEADERS_MAX:
        raise BadRequest(431, "the request has too many headers")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name[-1:].isspace() or name[:1].isspace():
            raise BadRequest(400, "malformed header")
        key = name.lower().decode("latin-1")
        if key in headers and key in ("content-length", "transfer-encoding", "host"):
            raise BadRequest(400, f"two {key} headers")
        headers[key] = value.strip().decode("latin-1")
    chunks_go = parts[2] == b"HTTP/1.1"
    length, chunked = _body(headers)
    return Head(
        parts[0],
        parts[1].partition(b"?")[0],
        headers,
        length,
        chunked,
        chunks_go,
        closes=not chunks_go or headers.get("connection", "").lower() == "close",
        awaits=headers.get("expect", "").lower() == "100-continue",
    )


_known = lru_cache(maxsize=256)(_read)


def _body(headers: dict[str, str]) -> tuple[int, bool]:
    encoding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if encoding is not None:
        if encoding.lower() != "chunked" or length is not None:
            raise BadRequest(400, "a body is either chunked or has a length")
        return 0, True
    if length is None:
        return 0, False
    if not (length.isascii() and length.isdigit() and len(length) < 16):
        raise BadRequest(400, "malformed Content-Length")
    return int(length), False
