"""Tells soon that a runner has ended.

A pidfd becomes readable when its process ends, whoever started it; where there are no pidfds the processes are looked
at ten times a second. A runner that was made ahead has a pipe to say it through, before it has left its memory.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
from collections.abc import Callable
from typing import Final

from cloche.compute.local.processes import is_alive

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.1


class Watcher:
    """``ended(id)`` is called from the watcher's thread, once for each ``watch``."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._lock = threading.Lock()
        self._looked_at: dict[str, tuple[int, str]] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None
        self._closed = False
        self._pending: list[tuple[str, int]] = []
        self._gone: list[str] = []

    def watch(self, id: str, pid: int, known_as: str) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                self._pending.append((id, os.pidfd_open(pid)))
            except ProcessLookupError:
                self._gone.append(id)
            except (OSError, AttributeError):
                self._looked_at[id] = (pid, known_as)
            else:
                if not is_alive(pid, known_as):  # it has ended, or its pid is a stranger's
                    os.close(self._pending.pop()[1])
                    self._gone.append(id)
            self._go_on()

    def listen(self, id: str, descriptor: int) -> None:
        """Something is to be read from ``descriptor``, which is closed then, or nobody writes there any more, once the
        process has ended."""
        with self._lock:
            if self._closed:
                os.close(descriptor)
                return
            self._pending.append((id, descriptor))
            self._go_on()

    def _go_on(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="process-watcher", daemon=True)
            self._thread.start()
        os.write(self._waker, b"w")

    def close(self) -> None:
        """Watch no longer. Processes go on."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
        os.write(self._waker, b"w")
        if thread is not None:
            thread.join()
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                os.close(key.fd)
        for _, descriptor in self._pending:
            os.close(descriptor)
        self._selector.close()
        os.close(self._wake)
        os.close(self._waker)

    def _run(self) -> None:
        while not self._closed:
            with self._lock:
                pending, self._pending = self._pending, []
                gone, self._gone = self._gone, []
            for id, descriptor in pending:
                self._selector.register(descriptor, selectors.EVENT_READ, id)
            for id in gone:
                self._tell(id)
            ready = self._selector.select(LOOK_SECONDS if self._looked_at else None)
            for key, _ in ready:
                if key.data is None:
                    os.read(self._wake, 512)
                else:
                    self._selector.unregister(key.fd)
                    os.close(key.fd)
                    self._tell(key.data)
            self._look()

    def _look(self) -> None:
        for id, (pid, known_as) in list(self._looked_at.items()):
            if not is_alive(pid, known_as):
                with self._lock:
                    del self._looked_at[id]
                self._tell(id)

    def _tell(self, id: str) -> None:
        try:
            self._ended(id)
        except Exception:
            log.exception("a listener to the end of %s failed", id)
