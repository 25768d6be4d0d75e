"""An answer that is passed on while the model server still makes it.

Every stream has a connection of its own, closed with it: what is sent for seconds need not share a warm one. Pieces
are what came in one read; the reader's pace is the model's, since nothing is read ahead of whoever iterates (but for
one buffer). A model server is user code, so heads, chunk lines and time are bounded here as in ``answer``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from time import perf_counter
from typing import Final

from cloche.engines.hosting.answer import (
    CHUNK_LINE_BYTES_MAX,
    CLOSED_EARLY,
    HEAD_TOO_LONG,
    BadAnswer,
    Head,
    chunk_size,
    header_of,
    read_head,
)
from cloche.engines.hosting.capture import Captured, Heard
from cloche.engines.hosting.choosing import (
    LOOK_SECONDS,
    REFUSALS,
    Choosing,
    NothingServes,
)
from cloche.engines.hosting.connection import Data, TimedOut, Unanswered, Unreachable
from cloche.engines.hosting.invocation import Invoker, Outcome, count_failure
from cloche.engines.hosting.router import Key, NotStreamed, Target, Wanted
from cloche.foundation.limits import HEADER_BYTES_MAX, INVOKE_BODY_BYTES_MAX
from cloche_jobs.contract.sockets import way_to

PIECE_BYTES_MAX: Final = 64 * 1024


class AnswerStream:
    """The head is there; ``pieces`` is the body. ``close`` must be called, ``pieces`` does so at its end.

    One that is captured has its record written when the model has said all, before the caller learns of the end.
    """

    def __init__(
        self,
        head: Head,
        choosing: Choosing,
        target: Target,
        connection: _Connection,
        sent_at: float,
        ends_at: float,
        heard: Heard,
    ) -> None:
        self.head = head
        self.status = head.status
        self.variant = choosing.name
        self.instance = target.instance
        self._choosing = choosing
        self._target = target
        self._connection = connection
        self._sent_at = sent_at
        self._ends_at = ends_at
        self._heard = heard
        self._counted = False

    def header(self, name: bytes) -> bytes | None:
        return header_of(self.head.headers, name)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Raises ``TimedOut`` and ``Unanswered``, also after some pieces."""
        body = self._connection.body(self.head)
        assert self._choosing.variant is not None
        recorder = self._choosing.variant.recorder
        captured = Captured(recorder) if recorder is not None and recorder.wants(self.status) else None
        try:
            while True:
                async with asyncio.timeout_at(self._ends_at):
                    piece = await anext(body, None)
                if piece is None:
                    if captured is not None:
                        await captured.end(self._heard, self.status, self.head.headers)
                    return
                if captured is not None:
                    captured.add(piece)
                yield piece
        except TimeoutError:
            raise self._failed(TimedOut("the answer was not complete in time")) from None
        except (OSError, EOFError, BadAnswer) as error:
            raise self._failed(Unanswered(_why(error))) from None
        finally:
            self.close()

    async def whole(self) -> bytes:
        """All of a short body, at most what any answer may have."""
        body = b""
        async for piece in self.pieces():
            body += piece
            if len(body) > INVOKE_BODY_BYTES_MAX:
                break
        return body

    def close(self) -> None:
        """The model server sees its reader go."""
        if not self._counted:
            self._counted = True
            assert self._choosing.variant is not None
            model, overhead = perf_counter() - self._sent_at, self._sent_at - self._choosing.started_at
            container = self._choosing.container
            self._choosing.variant.traffic.count(self.status, model * 1e6, overhead * 1e6, container)
        if self._connection.close():
            self._target.streams -= 1

    def _failed(self, error: TimedOut | Unanswered) -> TimedOut | Unanswered:
        self._counted = True
        count_failure(self._choosing, error)
        return error


class _Connection:
    """One request's, over asyncio's streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._closed = False

    def close(self) -> bool:
        """``False`` where it was closed before."""
        if self._closed:
            return False
        self._closed = True
        self._writer.transport.abort()
        return True

    async def ask(self, data: Data) -> Head:
        """Raises ``Unreachable`` where the request was surely not read, ``Unanswered`` where it may have been."""
        self._writer.writelines(data)
        while True:
            try:
                raw = await self._reader.readuntil(b"\r\n\r\n")
                head = read_head(raw[:-4])
            except (ConnectionResetError, BrokenPipeError) as error:
                raise Unreachable("the connection was closed before the request was read") from error
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, BadAnswer) as error:
                if isinstance(error, asyncio.IncompleteReadError) and not error.partial and self._is_unsent():
                    raise Unreachable("the connection was closed before the request was sent") from error
                raise Unanswered(_why(error)) from error
            if head is not None:
                return head

    def _is_unsent(self) -> bool:
        """Some of the request still waits, or could not be written: then the transport closes of itself."""
        transport = self._writer.transport
        return transport.is_closing() or transport.get_write_buffer_size() > 0

    async def body(self, head: Head) -> AsyncIterator[bytes]:
        """Raises ``EOFError``, ``OSError`` and ``BadAnswer``."""
        if head.chunked:
            while left := chunk_size((await self._line())[:-2]):
                async for piece in self._bytes(left):
                    yield piece
                if await self._reader.readexactly(2) != b"\r\n":
                    raise BadAnswer("a chunk does not end where it says")
            while await self._line() != b"\r\n":  # trailing headers, which nobody asked for
                pass
        elif head.length is not None:
            async for piece in self._bytes(head.length):
                yield piece
        else:
            while piece := await self._reader.read(PIECE_BYTES_MAX):
                yield piece

    async def _line(self) -> bytes:
        try:
            line = await self._reader.readuntil(b"\r\n")
        except asyncio.LimitOverrunError:
            line = b""
        if not 0 < len(line) <= CHUNK_LINE_BYTES_MAX:
            raise BadAnswer("a chunk's size is malformed")
        return line

    async def _bytes(self, left: int) -> AsyncIterator[bytes]:
        while left:
            piece = await self._reader.read(min(left, PIECE_BYTES_MAX))
            if not piece:
                raise EOFError
            left -= len(piece)
            yield piece


def _why(error: Exception) -> str:
    """In the words that are used of whole answers."""
    if isinstance(error, asyncio.LimitOverrunError):
        return HEAD_TOO_LONG
    return str(error) if isinstance(error, BadAnswer) else CLOSED_EARLY


async def stream(
    invoker: Invoker, key: Key, wanted: Wanted, data: Data, heard: Heard
) -> tuple[str, AnswerStream | Outcome]:
    """Send ``data`` where ``wanted`` says: the variant's name and the beginning of an answer, or what came instead.
    ``heard`` is what to capture of the request."""
    choosing = invoker.choosing(key, wanted)
    try:
        while True:
            target = choosing.target()
            if target is not None:
                try:
                    return choosing.name, await _begun(invoker, choosing, target, data, heard)
                except Unreachable:
                    invoker.unreachable(key, target.instance)
                    if choosing.missed():
                        continue
            if not choosing.may_wait():
                raise NothingServes("no model server of the endpoint could be reached")
            await asyncio.sleep(LOOK_SECONDS)
    except REFUSALS as unknown:
        return "", unknown
    except (TimedOut, Unanswered, NothingServes) as error:
        count_failure(choosing, error)
        return choosing.name, error


async def _begun(invoker: Invoker, choosing: Choosing, target: Target, data: Data, heard: Heard) -> AnswerStream:
    sent_at = perf_counter()
    ends_at = asyncio.get_running_loop().time() + invoker.stream_seconds
    try:
        with way_to(_listener(choosing, target)) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=HEADER_BYTES_MAX)
    except OSError as error:
        raise Unreachable(error.strerror or str(error)) from None
    connection = _Connection(reader, writer)
    target.streams += 1
    try:
        async with asyncio.timeout_at(ends_at):
            head = await connection.ask(data)
    except BaseException as error:
        connection.close()
        target.streams -= 1
        if isinstance(error, TimeoutError):
            raise TimedOut("no answer came in time") from None
        raise
    return AnswerStream(head, choosing, target, connection, sent_at, ends_at, heard)


def _listener(choosing: Choosing, target: Target) -> str:
    """Raises ``NotStreamed`` where the answer of one container is another's request: that must be whole."""
    if not target.ways:
        return target.path
    found = next((way.path for way in target.ways if way.name == choosing.container), None)
    if found is None:
        raise NotStreamed("containers in a row do not stream")
    return found
