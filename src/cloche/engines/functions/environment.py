"""One execution environment as the server's event loop knows it: a process that has called, and what it is asked.

What comes over the connection is the function's to say and is believed about the function alone: a frame that is too
long or makes no sense ends the environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cloche.engines.functions.plan import Version
from cloche_jobs.contract import frames

STARTING: Final = "starting"
IDLE: Final = "idle"
BUSY: Final = "busy"
ENDING: Final = "ending"


@dataclass(frozen=True, slots=True)
class Reply:
    head: dict[str, Any]
    body: bytes

    @property
    def failed(self) -> bool:
        return bool(self.head.get("failed"))

    def number(self, name: str) -> float:
        value = self.head.get(name)
        return float(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0.0


class Gone(Exception):
    """The process has ended, or let go of its connection."""


class TimedOut(Exception):
    """The time of the invocation is over."""


class Environment:
    """``told`` is called whenever it has become of no more use. Everything here runs on the loop."""

    def __init__(
        self,
        process: str,
        version: Version,
        stream: str,
        loop: asyncio.AbstractEventLoop,
        lost: Callable[[Environment], None],
    ) -> None:
        self.process = process
        self.version = version
        self.stream = stream
        self.state = STARTING
        self.started_at = self.idle_since = loop.time()
        self.listener: asyncio.AbstractServer | None = None
        self.ready: asyncio.Future[Reply] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        """The process has ended and all that it printed is in its file."""
        self.request = ""
        self.is_full = False
        """Its memory ran out: that is why it was ended."""
        self.memory_mb: int | None = None
        """The most it was seen to use."""
        self._lost = lost
        self._loop = loop
        self._line: _Line | None = None
        self._answer: asyncio.Future[Reply] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def called(self, line: _Line) -> bool:
        """A process has called; whether it may stay."""
        if self._line is not None or self.state == ENDING:
            return False
        self._line = line
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        return True

    def ask(self, request: str, data: bytes, seconds: float) -> asyncio.Future[Reply]:
        """Send one event; the future has the reply, ``TimedOut`` or ``Gone``."""
        self.state, self.request = BUSY, request
        answer = self._answer = self._loop.create_future()
        if self._line is None:
            answer.set_exception(Gone())
            return answer
        self._line.transport.write(data)
        self._timer = self._loop.call_later(seconds, self._fail, TimedOut())
        return answer

    def said(self, reply: Reply) -> None:
        if "hello" in reply.head:
            if not self.ready.done():
                self.ready.set_result(reply)
            return
        answer = self._answer
        if answer is None or answer.done() or reply.head.get("request") != self.request:
            return  # late, or nothing anybody has asked for
        self._clear()
        answer.set_result(reply)

    def hung_up(self) -> None:
        self._line = None
        if not self.ready.done():
            self.ready.set_exception(Gone())
            self.ready.exception()
        self._fail(Gone())
        self._lost(self)

    def close(self) -> None:
        """No more is asked of it."""
        self.state = ENDING
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        if self._line is not None:
            self._line.transport.abort()

    def _fail(self, error: Exception) -> None:
        answer = self._answer
        self._clear()
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _clear(self) -> None:
        self._answer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Line(asyncio.Protocol):
    """A connection from a function's process."""

    transport: asyncio.Transport

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._data = bytearray()
        self._taken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._taken = self._environment.called(self)
        if not self._taken:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        held = self._data
        held += data
        while len(held) >= frames.HEAD.size:
            try:
                head, body = frames.lengths(held)
                end = frames.HEAD.size + head + body
                if len(held) < end:
                    return
                told = frames.read_head(held[frames.HEAD.size : frames.HEAD.size + head])
            except frames.FrameBroken:
                self.transport.abort()
                return
            reply = Reply(told, bytes(held[frames.HEAD.size + head : end]))
            del held[:end]
            self._environment.said(reply)

    def connection_lost(self, error: Exception | None) -> None:
        if self._taken:
            self._environment.hung_up()


async def listen(environment: Environment, path: str) -> None:
    """Be there when the process calls."""
    loop = asyncio.get_running_loop()
    environment.listener = await loop.create_unix_server(lambda: _Line(environment), path)
