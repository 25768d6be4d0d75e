"""Processes made before they are needed: one for each kind of process that was started lately.

What makes one process fit another's start is its *shape* (``shape``). After a start whose shape may stand by, one of
that shape is made in the background; the next start of it costs a message (``handing_over``) instead of a sandbox, an
interpreter and its imports. ``runner/standing_by.py`` is the process itself.

Each is used once and holds nobody's files. There are few, the machine must have memory to spare, and one that nobody
needed for a while goes. With the server they all go.
"""

from __future__ import annotations

import fcntl
import logging
import marshal
import os
import queue
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cloche.compute.local.handing_over import INPUTS
from cloche.compute.local.nursery import Nursery
from cloche.compute.local.runner.launching import sized
from cloche.compute.local.shape import PROGRAM, Shape
from cloche.compute.runtime import Mount, ProcessSpec
from cloche.foundation.apart import keep_apart
from cloche.foundation.descriptors import is_readable, is_writable

log = logging.getLogger(__name__)

HOSTS_MAX: Final = 4
DEPTH_MAX: Final = 3
"""Of one shape that imports nothing: it is quickly made and takes little room. Of any other there is one."""
IDLE_SECONDS_MAX: Final = 600.0
FREE_BYTES_MIN: Final = 1 << 30
COMING_SECONDS_MAX: Final = 0.1
READY_SECONDS_MAX: Final = 60.0
END_SECONDS_MAX: Final = 3.0
ANSWER_SECONDS_MAX: Final = 10.0


@dataclass(slots=True)
class Ready:
    """One who stands by. Its folder holds ``ml``, ``inputs`` and the runner's own files."""

    shape: Shape
    token: str
    folder: Path
    pid: int
    ask: int
    answer: int
    since: float

    def take(self, document: dict[str, Any]) -> bool:
        """Tell the runner that its folder is a process's now, and what that is to do; whether it has claimed it."""
        try:
            _tell(self.ask, document)
            return is_readable(self.answer, ANSWER_SECONDS_MAX) and os.read(self.answer, 1) == b"+"
        except OSError:
            return False

    def let_go(self) -> int:
        """It has become a process. Answers the descriptor by which it tells that this has ended."""
        os.close(self.ask)
        return self.answer

    def end(self) -> None:
        """It is not needed; nothing of it is left after a moment."""
        os.close(self.ask)
        if not self._has_ended(END_SECONDS_MAX):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.answer)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """It cannot be relied on."""
        if not self._has_ended(0.0):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.ask)
        os.close(self.answer)

    def _has_ended(self, seconds: float) -> bool:
        """It alone holds the other end of ``answer``: as long as that is open, its pid is nobody else's."""
        while is_readable(self.answer, seconds):
            if not os.read(self.answer, 1):
                return True
        return False


Make = Callable[[ProcessSpec, str, Path], dict[str, Any]]
"""(spec, token, folder) → the document its runner reads."""


class Standby:
    """``folder`` is below the runtime's, so that a folder can become a process's by being renamed."""

    def __init__(self, folder: Path, make: Make, nursery: Nursery) -> None:
        self._folder = folder
        self._make = make
        self._nursery = nursery
        self._ready: list[Ready] = []
        """Oldest first."""
        self._coming: list[Shape] = []
        """What is being made, or will be next."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._wanted: queue.Queue[tuple[Shape, ProcessSpec] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._closed = False
        folder.mkdir(mode=0o700, exist_ok=True)
        keep_apart(folder)
        _sweep(folder)

    def take(self, shape: Shape, folder: Path) -> Ready | None:
        """One of that shape, whose folder has become ``folder``; ``None`` where there is none. One that is quickly made
        is waited for where it is on its way: it will be there before another could be."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_there(shape) or shape not in self._coming,
                0.0 if shape.modules else COMING_SECONDS_MAX,
            )
            found = next((each for each in self._ready if each.shape == shape), None)
            if found is None:
                return None
            self._ready.remove(found)
        try:
            found.folder.rename(folder)
        except OSError:  # there is something already
            found.end()
            return None
        found.folder = folder
        return found

    def want(self, shape: Shape, spec: ProcessSpec) -> None:
        """Make of that shape soon what there should be."""
        with self._lock:
            if self._closed or self._enough(shape):
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="standby", daemon=True)
                self._thread.start()
            self._coming.append(shape)
        self._wanted.put((shape, spec))

    def _enough(self, shape: Shape) -> bool:
        return sum(each.shape == shape for each in self._ready) >= (1 if shape.modules else DEPTH_MAX)

    def wait(self, shape: Shape, seconds: float) -> bool:
        """Whether one of that shape stands by, within ``seconds``."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_there(shape), seconds)

    def _is_there(self, shape: Shape) -> bool:
        return any(each.shape == shape for each in self._ready)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            ready, self._ready = self._ready, []
            thread = self._thread
        self._wanted.put(None)
        for each in ready:
            each.end()
        if thread is not None:
            thread.join(READY_SECONDS_MAX)

    def _run(self) -> None:
        while True:
            try:
                wanted = self._wanted.get(timeout=IDLE_SECONDS_MAX / 4)
            except queue.Empty:
                self._retire()
                continue
            if wanted is None or self._closed:
                return
            try:
                while self._begin(*wanted):
                    pass
            except OSError:
                log.exception("a process that was to stand by could not be started")
            finally:
                with self._changed:
                    self._coming.remove(wanted[0])
                    self._changed.notify_all()

    def _retire(self) -> None:
        now = time.monotonic()
        with self._lock:
            gone = [each for each in self._ready if now - each.since > IDLE_SECONDS_MAX]
            self._ready = [each for each in self._ready if each not in gone]
        for each in gone:
            each.end()

    def _begin(self, shape: Shape, spec: ProcessSpec) -> bool:
        """Make one; whether that was useful and worked."""
        with self._lock:
            if self._closed or self._enough(shape):
                return False
        if _available_bytes() < FREE_BYTES_MIN:
            return False
        made = self._made(shape, spec)
        if made is None:
            return False
        with self._lock:
            self._ready.append(made)
            until = len(self._ready) if self._closed else max(0, len(self._ready) - HOSTS_MAX)
            gone, self._ready = self._ready[:until], self._ready[until:]
            self._changed.notify_all()
        for each in gone:
            each.end()
        return made not in gone

    def _made(self, shape: Shape, spec: ProcessSpec) -> Ready | None:
        token = secrets.token_hex(16)
        folder = self._folder / token
        for name in ("", "ml", "inputs"):
            (folder / name).mkdir(mode=0o700)
        waiting = replace(
            spec,
            id=f"standby-{token}",
            argv=_waiting(shape),
            environment=dict(shape.environment),
            ml_root=folder / "ml",
            mounts=(*shape.mounts, Mount(folder / "inputs", INPUTS)),
            directory="/",
            max_runtime_seconds=None,
            limits=shape.limits,
            notice="",
        )
        document = self._make(waiting, token, folder)
        pid, ask, answer = self._started(folder, document)
        is_up = is_readable(answer, READY_SECONDS_MAX)
        made = Ready(shape, token, folder, pid, ask, answer, time.monotonic())
        if is_up and os.read(answer, 1) == b"+":
            return made
        log.info("a process that was to stand by did not come up: %s", folder)
        made.end()
        return None

    def _started(self, folder: Path, document: dict[str, Any]) -> tuple[int, int, int]:
        asked, ask = os.pipe()
        answer, tell = os.pipe()
        os.set_blocking(ask, False)
        try:
            pid = self._nursery.runner("stand-by", folder, asked, tell)
            _tell(ask, document)
        except OSError:
            os.close(ask)
            os.close(answer)
            raise
        finally:
            os.close(asked)
            os.close(tell)
        return pid, ask, answer


def _tell(ask: int, document: dict[str, Any]) -> None:
    """Raises ``OSError`` where nobody listens."""
    data = memoryview(sized(marshal.dumps(document)))
    while data:
        try:
            data = data[os.write(ask, data) :]
        except BlockingIOError:
            if not is_writable(ask, ANSWER_SECONDS_MAX):
                raise


def _waiting(shape: Shape) -> tuple[str, ...]:
    """The command line of the interpreter that waits; empty where none does."""
    return (shape.python, "-P", *shape.options, PROGRAM, ",".join(shape.modules) or "-") if shape.python else ()


def _available_bytes() -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def _sweep(folder: Path) -> None:
    """Remove what those left behind whose server was killed; a runner that lives holds its lock."""
    for each in folder.iterdir():
        with suppress(OSError):
            lock = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(each, ignore_errors=True)
            finally:
                os.close(lock)
