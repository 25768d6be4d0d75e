"""Persistent connections to one model server over its Unix socket.

Requests go out whole, at once, on an idle connection; the most recently used first, so that few stay warm.
When all are busy a request waits in a bounded line. A request that a model may have read is never sent a second
time. (A Unix socket tells: whoever closes with bytes unread resets the connection, and a write to a closed one
breaks the pipe; in either case the whole request was not read. After a plain end it may have been.) Everything here
runs on one event loop and answers through callbacks, because a task and a future for every request would cost more
than the request itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from cloche.engines.hosting.answer import Answer, AnswerReader, BadAnswer
from cloche.foundation.at_once import descriptor_of, write_at_once
from cloche_jobs.contract.sockets import way_to

CONNECTIONS_MAX: Final = 64
WAITING_MAX: Final = 1_000
SWEEP_SECONDS: Final = 0.5

Data = tuple[bytes, ...]
"""A request in pieces, written one after another."""
Done = Callable[[Answer | None, Exception | None], None]


class Unreachable(Exception):
    """Nobody has read the request, so another server may be asked."""


class Unanswered(Exception):
    """The request was sent, and the connection ended (or spoke nonsense) before an answer was there."""


class TimedOut(Exception):
    """The request was sent, and no answer came in time."""


class Full(Exception):
    """All connections are busy and too many requests wait already."""


class _Request:
    __slots__ = ("data", "deadline", "done")

    def __init__(self, data: Data, done: Done, deadline: float) -> None:
        self.data = data
        self.done = done
        self.deadline = deadline


class _Connection(asyncio.Protocol):
    __slots__ = ("descriptor", "pool", "reader", "request", "transport")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.reader = AnswerReader()
        self.request: _Request | None = None
        self.transport: asyncio.Transport | None = None
        self.descriptor = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.descriptor = descriptor_of(transport)

    def send(self, request: _Request) -> None:
        self.request = request
        transport = self.transport
        assert transport is not None
        for piece in request.data:
            write_at_once(transport, self.descriptor, piece)

    def data_received(self, data: bytes) -> None:
        request = self.request
        if request is None:
            self.close()  # it speaks without having been asked
            return
        reader = self.reader
        try:
            answer = reader.feed(data)
        except BadAnswer as error:
            self._fail(Unanswered(str(error)))
            return
        if answer is not None:
            self.request = None
            if reader.reusable:
                reader.reset()
                self.pool._free(self)
            else:
                self.close()
            self.pool._finished(request, answer, None)

    def eof_received(self) -> None:
        """It ends: from here on nothing more may be sent, though ``connection_lost`` comes a turn later."""
        self.pool._lost(self)

    def connection_lost(self, exception: Exception | None) -> None:
        self.pool._lost(self)
        request, self.request = self.request, None
        if request is None:
            return
        if isinstance(exception, (BrokenPipeError, ConnectionResetError)) and not self.reader.begun:
            self.pool._finished(request, None, Unreachable("the connection was closed before the request was read"))
            return
        try:
            answer = self.reader.end()
        except BadAnswer as error:
            self.pool._finished(request, None, Unanswered(str(error)))
        else:
            self.pool._finished(request, answer, None)

    def expire(self) -> None:
        self._fail(TimedOut("no answer came in time"))

    def _fail(self, error: Exception) -> None:
        request, self.request = self.request, None
        self.close()
        if request is not None:
            self.pool._finished(request, None, error)

    def close(self) -> None:
        self.pool._lost(self)
        if self.transport is not None:
            self.transport.abort()


class Pool:
    """Connections to the server that listens at ``path``. ``outstanding`` counts requests not yet answered."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop, connections_max: int = CONNECTIONS_MAX) -> None:
        self.path = path
        self.outstanding = 0
        self.closed = False
        self._loop = loop
        self._connections_max = connections_max
        self._all: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._waiting: deque[_Request] = deque()
        self._opening = 0
        self._sweeping: asyncio.TimerHandle | None = None

    def send(self, data: Data, timeout_seconds: float, done: Done) -> None:
        """Send ``data``, a whole request, and call ``done`` once with its answer or one of the errors above."""
        request = _Request(data, done, self._loop.time() + timeout_seconds)
        if not self._idle and len(self._waiting) >= WAITING_MAX:
            done(None, Full(f"{WAITING_MAX} requests wait for the model server already"))
            return
        self.outstanding += 1
        if self._idle:
            self._idle.pop().send(request)
        else:
            self._waiting.append(request)
            if len(self._all) + self._opening < self._connections_max:
                self._open()
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def close(self) -> None:
        """Let go of idle connections now, of busy ones once they have answered."""
        self.closed = True
        for connection in list(self._idle):
            connection.close()

    def _open(self) -> None:
        self._opening += 1
        task = self._loop.create_task(self._connect())
        task.add_done_callback(lambda done: done.exception())

    async def _connect(self) -> None:
        try:
            with way_to(self.path) as address:
                _, connection = await self._loop.create_unix_connection(lambda: _Connection(self), address)
        except OSError as error:
            self._opening -= 1
            self._refused(error)
            return
        self._opening -= 1
        self._all.add(connection)
        self._free(connection)

    def _refused(self, error: OSError) -> None:
        """Nobody listens. Requests wait on while busy connections may still take them, else they go back."""
        if self._all or self._opening:
            return
        waiting, self._waiting = self._waiting, deque()
        for request in waiting:
            self._finished(request, None, Unreachable(error.strerror or str(error)))

    def _free(self, connection: _Connection) -> None:
        if self._waiting:
            connection.send(self._waiting.popleft())
        elif self.closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _lost(self, connection: _Connection) -> None:
        if connection not in self._all:
            return
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting and len(self._all) + self._opening < min(len(self._waiting), self._connections_max):
            self._open()

    def _finished(self, request: _Request, answer: Answer | None, error: Exception | None) -> None:
        self.outstanding -= 1
        request.done(answer, error)

    def _sweep(self) -> None:
        """Time-outs are looked for twice a second: a timer for each request would cost more."""
        now = self._loop.time()
        for connection in list(self._all):
            if connection.request is not None and connection.request.deadline <= now:
                connection.expire()
        while self._waiting and self._waiting[0].deadline <= now:
            self._finished(self._waiting.popleft(), None, TimedOut("no connection was free in time"))
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep) if self.outstanding else None
