"""A request's body between the connection and whoever reads it: uvicorn's cycle, without its copies. And files on
their way out (``straight``).

uvicorn gathers what arrives in one buffer, copies that for each message, and stops reading at 64 KiB, so that a large
upload stands still at every turn of the loop. Here large pieces are handed on as they came, and reading goes on while
some more of them wait. Small ones are put together, for each alone would cost more than it holds.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from cloche.foundation.at_once import descriptor_of
from cloche.foundation.limits import KIB, MIB
from cloche.server.sending import ZERO_COPY
from cloche.server.straight import sent_from

HELD_BYTES_MAX: Final = MIB
"""Reading pauses beyond this, a connection."""
_SMALL_BYTES: Final = 16 * KIB
_GATHERED_BYTES: Final = 64 * KIB


class Pieces:
    """Bytes in the pieces they came in; ``+=`` adds one, ``take`` is the first and takes it away."""

    __slots__ = ("_held", "_pieces")

    def __init__(self) -> None:
        self._pieces: deque[bytes | bytearray] = deque()
        self._held = 0

    def __iadd__(self, piece: bytes) -> Pieces:
        self._held += len(piece)
        if len(piece) >= _SMALL_BYTES:
            self._pieces.append(piece)
        elif self._pieces and isinstance(last := self._pieces[-1], bytearray) and len(last) < _GATHERED_BYTES:
            last += piece
        else:
            self._pieces.append(bytearray(piece))
        return self

    def __len__(self) -> int:
        return self._held

    def take(self) -> bytes:
        """Empty where there is none."""
        if not self._pieces:
            return b""
        piece = self._pieces.popleft()
        self._held -= len(piece)
        return bytes(piece)


class Written:
    """A transport whose first two writes become one. uvicorn writes the head of an answer and then its body; a server
    that is killed between the two has told a client that all went well, and not what."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        if len(self._pieces) == 2:
            self.flush()

    def flush(self) -> None:
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            self._transport.write(b"".join(pieces))

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Cycle(RequestResponseCycle):
    """``body`` is in pieces, and a message holds one. After the last, ``receive`` waits for the client to go. The head
    of an answer of known length is sent with what follows it."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.body = Pieces()  # type: ignore[assignment]
        self._has_told_end = False
        self._head: Any = None
        self.unsent = 0
        """Bytes of a file that the client has still to take (``straight``)."""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and any(
            name == b"content-length" for name, _ in message["headers"]
        ):
            self._head = message
            return
        if message["type"] == ZERO_COPY:
            await self._send_file(message)
            return
        if self._head is None:
            await super().send(message)
            return
        head, self._head = self._head, None
        transport = self.transport
        written = Written(transport)
        self.transport = written  # type: ignore[assignment]
        try:
            await super().send(head)
            await super().send(message)
        finally:
            self.transport = transport
            written.flush()

    async def _send_file(self, message: Any) -> None:
        """The whole body from ``file``, once nothing written before it waits in the transport."""
        head, self._head = self._head, None
        transport = self.transport
        transport.set_write_buffer_limits(high=0)
        await super().send(head)
        await self.flow.drain()
        transport.set_write_buffer_limits()
        if self._has_left():
            return
        count = message["count"]
        if count != self.expected_content_length:
            raise RuntimeError("a file of another length than Content-Length")
        file, offset = message["file"].fileno(), message["offset"]
        sending = sent_from(descriptor_of(transport), file, offset, count, self.message_event)
        try:
            async with contextlib.aclosing(sending):
                async for self.unsent in sending:
                    if self._has_left():
                        return
        except (ConnectionError, TimeoutError):
            transport.abort()
            self.disconnected = True
            return
        self.expected_content_length = 0
        await super().send({"type": "http.response.body", "body": b"", "more_body": False})

    def _has_left(self) -> bool:
        return self.disconnected

    async def receive(self) -> Any:
        pieces: Any = self.body
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        while not (pieces or self.disconnected or self.response_complete or self._ends()):
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        piece = pieces.take()
        if len(pieces) <= HELD_BYTES_MAX // 2:
            self.flow.resume_reading()
        self._has_told_end = self._ends()
        return {"type": "http.request", "body": piece, "more_body": not self._has_told_end}

    def _ends(self) -> bool:
        """Is the end of the body all that is left to tell?"""
        return not (self.more_body or self.body or self._has_told_end)
