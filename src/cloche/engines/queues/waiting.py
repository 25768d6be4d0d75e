"""Who waits for a message, and telling them: long polling without looking again and again.

A change that makes a message visible wakes those who wait at its queue, once it is on the disk. Messages that become
visible by the passing of time (delays, visibility timeouts) wake nobody: who waits asks when the next one will.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator


class Waiting:
    """``listen`` on an event loop, ``wake`` from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening: defaultdict[int, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)
        self.is_closing = False

    @contextlib.contextmanager
    def listen(self, queue_id: int) -> Iterator[asyncio.Event]:
        """An event that is set when there may be something new in the queue since then."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._listening[queue_id].add(entry)
        try:
            yield entry[1]
        finally:
            with self._lock:
                self._listening[queue_id].discard(entry)
                if not self._listening[queue_id]:
                    del self._listening[queue_id]

    def wake(self, queue_id: int) -> None:
        with self._lock:
            entries = list(self._listening.get(queue_id, ()))
        _set(entries)

    def close(self) -> None:
        """The server stops: nobody waits any longer."""
        self.is_closing = True
        self.wake_all()

    def wake_all(self) -> None:
        """There may be something new in any queue: time has made it visible."""
        with self._lock:
            entries = [entry for held in self._listening.values() for entry in held]
        _set(entries)


def _set(entries: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    for loop, event in entries:
        loop.call_soon_threadsafe(event.set)
