"""Reading HTTP/1.1 answers of model servers, without I/O: bytes in, answers or a reason out.

A model server runs the user's code, so what it sends is not trusted: heads, bodies and chunk lines are bounded,
and whatever is ambiguous (two lengths, a length beside chunks, bytes nobody asked for) ends the connection.
Nearly every answer arrives whole in one piece and with a length; that case is looked at first. A body is copied
once, out of the piece or the pieces it came in.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cloche.foundation.limits import HEADER_BYTES_MAX, HEADER_COUNT_MAX, INVOKE_BODY_BYTES_MAX

CHUNK_LINE_BYTES_MAX: Final = 4_096
KNOWN_BYTES_MAX: Final = 512
CLOSED_EARLY: Final = "the connection was closed before the answer was complete"
HEAD_TOO_LONG: Final = "the head of the answer is too long"


class BadAnswer(Exception):
    """What came was no HTTP answer, or one that cannot be read in only one way."""


Headers = list[tuple[bytes, bytes]]
"""Names in lower case, values as they came."""


class Head:
    """What comes before a body, and how the body ends: after ``length`` bytes, with the last chunk, or (neither) with
    the connection. ``reusable``: the connection may carry another request after it."""

    __slots__ = ("chunked", "headers", "length", "reusable", "status")

    def __init__(self, status: int, headers: Headers, length: int | None, *, chunked: bool, close: bool) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self.chunked = chunked
        self.reusable = not close and (length is not None or chunked)


class Answer:
    """Status, headers and the whole body. ``instance`` is the process that gave it; ``containers`` are those of a row
    that were asked, each with the microseconds it took."""

    __slots__ = ("body", "containers", "headers", "instance", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.instance = ""
        self.containers: list[tuple[str, float]] | None = None

    def header(self, name: bytes) -> bytes | None:
        return header_of(self.headers, name)


def header_of(headers: Headers, name: bytes) -> bytes | None:
    for key, value in headers:
        if key == name:
            return value
    return None


class AnswerReader:
    """Feed it what a connection receives. One answer at a time; ``reset`` begins the next.

    ``feed`` and ``end`` give the answer once it is complete, else ``None``; they raise ``BadAnswer``.
    ``reusable`` tells whether the connection may carry another request.
    """

    __slots__ = ("_buffer", "_chunks", "_head", "_headers", "_length", "_pieces", "_status", "_taken", "reusable")

    def __init__(self) -> None:
        self._clear()

    def reset(self) -> None:
        if self._head and not self._buffer:
            return  # the answer came whole: nothing was kept of it
        self._clear()

    def _clear(self) -> None:
        self._buffer = bytearray()
        self._head = True
        self._status = 0
        self._headers: Headers = []
        self._length: int | None = None
        self._chunks: list[bytes] | None = None
        self._pieces: list[bytes] = []
        """Of a body with a length: joined once, when all are there."""
        self._taken = 0
        self.reusable = True

    def feed(self, data: bytes) -> Answer | None:
        if self._pieces:
            return self._piece(data)
        buffer = self._buffer
        if not buffer and self._head:
            end = data.find(b"\r\n\r\n")
            if 0 < end <= KNOWN_BYTES_MAX:
                known = _known_head(data[:end])
                if known is not None and known.length == len(data) - end - 4:
                    self.reusable = known.reusable
                    return Answer(known.status, known.headers, data[end + 4 :])
            if end > 0:
                self._read_head(data[:end])
                if not self._status:  # an interim answer (1xx): the real one follows
                    rest = data[end + 4 :]
                    return self.feed(rest) if rest else None
                if self._length is not None:
                    return self._piece(data[end + 4 :])
                buffer += data[end + 4 :]
                return self._body()
        buffer += data
        while self._head:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(buffer) > HEADER_BYTES_MAX:
                    raise BadAnswer(HEAD_TOO_LONG)
                return None
            head = bytes(buffer[:end])
            del buffer[: end + 4]
            self._read_head(head)
        return self._body()

    def end(self) -> Answer | None:
        """The peer closed. That ends a body without a length; anything else is cut off."""
        if not self._head and self._length is None and self._chunks is None:
            return Answer(self._status, self._headers, bytes(self._buffer))
        raise BadAnswer(CLOSED_EARLY)

    @property
    def begun(self) -> bool:
        return not self._head or bool(self._buffer)

    def _read_head(self, raw: bytes) -> None:
        head = _known_head(raw) if len(raw) <= KNOWN_BYTES_MAX else read_head(raw)
        if head is None:
            return
        if head.length is not None and head.length > INVOKE_BODY_BYTES_MAX:
            raise BadAnswer("the answer is too long")
        self._status = head.status
        self._headers = head.headers
        self._head = False
        self._length = head.length
        self._chunks = [] if head.chunked else None
        self.reusable = head.reusable

    def _body(self) -> Answer | None:
        buffer = self._buffer
        if self._chunks is not None:
            return self._chunked()
        if self._length is None:
            if len(buffer) > INVOKE_BODY_BYTES_MAX:
                raise BadAnswer("the answer is too long")
            return None
        piece = bytes(buffer)
        buffer.clear()
        return self._piece(piece)

    def _piece(self, data: bytes) -> Answer | None:
        """Some of a body whose length is known."""
        assert self._length is not None
        self._taken += len(data)
        if self._taken < self._length:
            self._pieces.append(data)
            return None
        if self._taken > self._length:
            raise BadAnswer("bytes follow the answer")
        body = b"".join((*self._pieces, data)) if self._pieces else data
        return Answer(self._status, self._headers, body)

    def _chunked(self) -> Answer | None:
        buffer, chunks = self._buffer, self._chunks
        assert chunks is not None
        while True:
            end = buffer.find(b"\r\n")
            if end < 0 or end > CHUNK_LINE_BYTES_MAX:
                if len(buffer) > CHUNK_LINE_BYTES_MAX:
                    raise BadAnswer("a chunk's size is malformed")
                return None
            size = chunk_size(bytes(buffer[:end]))
            if size == 0:
                return self._trailer(end + 2)
            if self._taken + size > INVOKE_BODY_BYTES_MAX:
                raise BadAnswer("the answer is too long")
            if len(buffer) < end + 2 + size + 2:
                return None
            if buffer[end + 2 + size : end + 4 + size] != b"\r\n":
                raise BadAnswer("a chunk does not end where it says")
            chunks.append(bytes(buffer[end + 2 : end + 2 + size]))
            self._taken += size
            del buffer[: end + 4 + size]

    def _trailer(self, at: int) -> Answer | None:
        """After the last chunk: trailing headers, which nobody asked for, and an empty line."""
        buffer = self._buffer
        if buffer[at : at + 2] == b"\r\n":
            done = at + 2
        else:
            end = buffer.find(b"\r\n\r\n", at)
            if end < 0:
                if len(buffer) - at > HEADER_BYTES_MAX:
                    raise BadAnswer("the trailer of the answer is too long")
                return None
            done = end + 4
        if len(buffer) > done:
            raise BadAnswer("bytes follow the answer")
        return Answer(self._status, self._headers, b"".join(self._chunks or ()))


def read_head(raw: bytes) -> Head | None:
    """The head without its empty line, read; ``None`` for an interim answer (1xx), which another head follows.
    Raises ``BadAnswer``."""
    lines = raw.split(b"\r\n")
    if len(raw) > HEADER_BYTES_MAX or len(lines) > HEADER_COUNT_MAX:
        raise BadAnswer(HEAD_TOO_LONG)
    status = _status(lines[0])
    if status < 200:
        if status == 101:
            raise BadAnswer("the answer changes the protocol")
        return None
    headers: Headers = []
    length: int | None = None
    chunked = False
    close = lines[0][7:8] == b"0"
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.strip(b" \t") != name:
            raise BadAnswer("a header of the answer is malformed")
        name, value = name.lower(), value.strip(b" \t")
        if name == b"content-length":
            length = _length(value, length)
        elif name == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                raise BadAnswer("the answer's Transfer-Encoding is not known")
            chunked = True
        elif name == b"connection":
            close = close or b"close" in value.lower()
        headers.append((name, value))
    if chunked and length is not None:
        raise BadAnswer("the answer has both a Content-Length and a Transfer-Encoding")
    if status in (204, 304):
        length, chunked = 0, False
    return Head(status, headers, length, chunked=chunked, close=close)


_known_head = lru_cache(maxsize=256)(read_head)
"""A model's heads are alike but for a length; nobody changes what was read of one."""


def _status(line: bytes) -> int:
    """The status of a status line; what is no such line is refused."""
    if line[:9] not in (b"HTTP/1.1 ", b"HTTP/1.0 ") or line[12:13] not in (b" ", b"") or not line[9:12].isdigit():
        raise BadAnswer("what came does not begin like an HTTP answer")
    status = int(line[9:12])
    if len(line) < 12 or status < 100:
        raise BadAnswer("what came does not begin like an HTTP answer")
    return status


def _length(value: bytes, before: int | None) -> int:
    if not value.isdigit() or len(value) > 12 or (before is not None and before != int(value)):
        raise BadAnswer("the answer's Content-Length is malformed")
    return int(value)


def chunk_size(line: bytes) -> int:
    """Of a chunk's first line. Raises ``BadAnswer``."""
    digits = line.partition(b";")[0].strip(b" \t")
    if not 0 < len(digits) <= 8 or digits.strip(b"0123456789abcdefABCDEF"):
        raise BadAnswer("a chunk's size is malformed")
    return int(digits, 16)
