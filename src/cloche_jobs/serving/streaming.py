"""An answer on its way out bit by bit: made by the worker thread, written by the event loop.

The thread may be ahead of the socket by a few pieces, no more: it waits while the reader is slow, and stops making
what nobody reads any more. Pieces are chunks of HTTP/1.1; to a client of HTTP/1.0 they are the body as it comes, and
the end of the connection ends it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from cloche_jobs.serving.model import Stream

AHEAD_MAX: Final = 8
"""Pieces given to the event loop and not yet taken by the transport."""


class Outflow:
    """``send`` is the worker thread's; everything else is called in the event loop."""

    def __init__(self, stream: Stream, loop: asyncio.AbstractEventLoop) -> None:
        self.stream = stream
        self._loop = loop
        self._room = threading.Semaphore(AHEAD_MAX)
        self._owed = 0
        self._paused = False
        self._gone = False
        self.transport: asyncio.Transport | None = None
        self.chunked = True

    def send(self, piece: bytes) -> bool:
        """Hand over one piece, waiting for room; ``False`` where the reader has gone."""
        self._room.acquire()
        if self._gone:
            return False
        self._loop.call_soon_threadsafe(self._write, piece)
        return True

    def begin(self, transport: asyncio.Transport, head: bytes, *, chunked: bool) -> None:
        self.transport = transport
        self.chunked = chunked
        transport.write(head)

    def _write(self, piece: bytes) -> None:
        if self.transport is None:
            return
        if piece:
            self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunked else piece)
        if self._paused:
            self._owed += 1
        else:
            self._room.release()

    def end(self) -> None:
        """All pieces have been sent."""
        if self.transport is not None and self.chunked:
            self.transport.write(b"0\r\n\r\n")

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        for _ in range(self._owed):
            self._room.release()
        self._owed = 0

    def lost(self) -> None:
        """The reader has gone: whoever waits for room is told."""
        self._gone = True
        self.transport = None
        self._room.release(AHEAD_MAX)
