"""When a job has ended: its process, its folder and its credentials go.

That is done after the end is on the disk, by a thread that nobody waits for: credentials at once, files once no job has
ended for a moment, so that what follows from the end has the processor first, be it twenty steps of a pipeline. If
the server is killed before, the next start does it: whatever bears the engine's mark and belongs to no active job goes.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from cloche.compute.runtime import Runtime
from cloche.jobs.place import Place

log = logging.getLogger(__name__)

REST_SECONDS: Final = 1.0
"""Between the last end of a job and the removal of files."""
REST_SECONDS_MAX: Final = 5.0
"""Between the end of a job and the removal of its own, however many end meanwhile."""
_STOP: Final = ""


class Cleaner:
    """``mark`` is how every process and folder of one engine begins: the compute backend is shared with others."""

    def __init__(self, mark: str, root: Path, runtime: Runtime, forget_credentials: Callable[[str], None]) -> None:
        self._mark = mark
        self._root = root
        self._runtime = runtime
        self._forget_credentials = forget_credentials
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def later(self, process: str) -> None:
        """Have the job whose process this is removed. Returns at once; from any thread."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"{self._mark}cleaner", daemon=True)
                self._thread.start()
        self._queue.put(process)

    def sweep(self, active: set[str]) -> None:
        """Remove all that belongs to no active job's process."""
        found = {path.name for path in self._root.iterdir()} if self._root.is_dir() else set()
        found |= {id for id in self._runtime.known() if id.startswith(self._mark)}
        for process in sorted(found - active):
            self.remove(process)

    def remove(self, process: str) -> None:
        self._remove_files(process)
        self._forget_credentials(process)

    def _remove_files(self, process: str) -> None:
        self._runtime.forget(process)
        Place(self._root / process).remove()

    def close(self) -> None:
        """Finish what was asked for."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(_STOP)
            thread.join()

    def _run(self) -> None:
        waiting: deque[tuple[float, str]] = deque()
        quiet_at = 0.0
        while (process := self._next(waiting, quiet_at)) != _STOP:
            now = time.monotonic()
            if process is not None:
                self._done(process, self._forget_credentials)
                waiting.append((now + REST_SECONDS_MAX, process))
                quiet_at = now + REST_SECONDS
            elif waiting:
                self._done(waiting.popleft()[1], self._remove_files)
        for _, process in waiting:
            self._done(process, self._remove_files)

    def _next(self, waiting: deque[tuple[float, str]], quiet_at: float) -> str | None:
        """What has ended next; ``None`` once it is time for the first that waits, at its own last moment or when all
        is quiet."""
        pause = max(0.0, min(waiting[0][0], quiet_at) - time.monotonic()) if waiting else None
        with suppress(queue.Empty):
            return self._queue.get(timeout=pause)
        return None

    def _done(self, process: str, what: Callable[[str], None]) -> None:
        try:
            what(process)
        except Exception:
            log.exception("what %s left could not be removed; the next start does it", process)
