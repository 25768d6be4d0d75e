"""Who lets connections in: everybody at once, or, for one of several workers, nobody while it computes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from cloche_jobs.serving.model import Question

if TYPE_CHECKING:
    from cloche_jobs.serving.http import Connection
    from cloche_jobs.serving.prompt import PromptSelector
    from cloche_jobs.serving.worker import Worker


class Door:
    """Every connection is welcome and may ask again and again."""

    once = False
    """A connection is closed with its first answer."""

    def __init__(self, worker: Worker, selector: PromptSelector) -> None:
        self.connections: set[Connection] = set()
        self._worker = worker
        self._selector = selector

    def enter(self, connection: Connection) -> None:
        """The transport of ``connection`` has begun to read: it is read where the loop waits instead."""
        self._selector.prompt(connection.descriptor, connection.serve)

    def submit(self, question: Question, asker: Connection) -> None:
        """Have ``question`` answered in the worker thread, which tells ``asker`` in the event loop."""
        self._worker.submit(question, asker)

    def answered(self) -> None:
        """What was submitted has been answered."""


class NarrowDoor(Door):
    """One of several on ``listener``: it accepts only while its worker has nothing to do, so that whoever waits in the
    kernel's queue goes to a worker that is free."""

    once = True

    def __init__(
        self, worker: Worker, selector: PromptSelector, listener: socket.socket, made: Callable[[], Connection]
    ) -> None:
        super().__init__(worker, selector)
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._made = made
        self._busy = 0
        self._entering: set[asyncio.Task[object]] = set()
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def submit(self, question: Question, asker: Connection) -> None:
        self._busy += 1
        if self._busy == 1:
            self._loop.remove_reader(self._listener)
        super().submit(question, asker)

    def answered(self) -> None:
        self._busy -= 1
        if self._busy == 0 and self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker was quicker
            accepted, _ = self._listener.accept()
            entering = self._loop.create_task(self._loop.connect_accepted_socket(self._made, accepted))
            self._entering.add(entering)
            entering.add_done_callback(self._entering.discard)
