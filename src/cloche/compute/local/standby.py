"""Processes made before they are needed: one for each kind of process that was started lately.

What makes one process fit another's start is its *shape*: interpreter, imports, fixed mounts and environment, network
and limits. After a start whose shape may stand by, one of that shape is made in the background; the next start of it
costs a message instead of a sandbox, an interpreter and its imports. ``runner/standing_by.py`` is the process itself.

Each is used once and holds nobody's files. There are few, the machine must have memory to spare, and one that nobody
needed for a while goes. With the server they all go.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import dropwhile
from pathlib import Path
from typing import Any, Final

from cloche.compute.runtime import Mount, ProcessSpec
from cloche.foundation.descriptors import is_readable

log = logging.getLogger(__name__)

HOSTS_MAX: Final = 4
DEPTH_MAX: Final = 3
"""Of one shape that imports nothing: it is quickly made and takes little room. Of any other there is one."""
IDLE_SECONDS_MAX: Final = 600.0
FREE_BYTES_MIN: Final = 1 << 30
READY_SECONDS_MAX: Final = 60.0
END_SECONDS_MAX: Final = 3.0
ANSWER_SECONDS_MAX: Final = 10.0
ML_ROOT: Final = "/opt/ml"
INPUTS: Final = "/run/inputs"
"""Where the folders that will be bound into ``/opt/ml`` pass through."""
PROGRAM: Final = "/opt/cloche/cloche_jobs/standby.py"
_OPTIONS: Final = ("-P", "-u")


@dataclass(frozen=True, slots=True)
class Shape:
    """``python`` is an absolute path; ``mounts`` are those outside ``/opt/ml``."""

    python: str
    options: tuple[str, ...]
    modules: tuple[str, ...]
    mounts: tuple[Mount, ...]
    environment: tuple[tuple[str, str], ...]
    network: bool
    host_name: str
    limits: Any


def shape_of(spec: ProcessSpec) -> Shape | None:
    """``None`` for a process that nobody who stands by can become."""
    wanted = spec.standby
    if wanted is None or spec.more_hosts or spec.companions or spec.socket is not None:
        return None
    python = _python(spec)
    if python is None or any(mount.writable for mount in spec.mounts):
        return None
    words = list(dropwhile(_OPTIONS.__contains__, spec.argv[1:]))
    if not words or (words[0].startswith("-") and words[0] not in ("-m", "-c")):
        return None
    if not _is_there(spec):
        return None
    fixed = tuple(mount for mount in spec.mounts if not _is_below(mount.target, ML_ROOT))
    if not any(_is_below(PROGRAM, mount.target) for mount in fixed):
        return None
    environment = tuple(sorted((k, v) for k, v in spec.environment.items() if k not in wanted.later))
    limits = replace(spec.limits, disk_bytes=None)
    options = ("-u",) if "-u" in spec.argv[1 : len(spec.argv) - len(words)] else ()
    return Shape(python, options, wanted.modules, fixed, environment, spec.network, spec.host_name, limits)


def _is_there(spec: ProcessSpec) -> bool:
    """Whether the folder it is to work in is one that we know of."""
    if not _is_below(spec.directory, ML_ROOT):
        return False
    return (spec.ml_root / spec.directory.removeprefix(ML_ROOT).lstrip("/")).is_dir()


def _python(spec: ProcessSpec) -> str | None:
    """The interpreter a command line names; ``None`` for another program."""
    assert spec.standby is not None
    name = spec.argv[0]
    if name.startswith("/"):
        return name if Path(name).name.startswith("python") else None
    return (spec.standby.python or None) if name in ("python", "python3") else None


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


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
    groups: Any

    def take(self) -> bool:
        """Tell the runner that its folder is a process's now; whether it has claimed it."""
        try:
            os.write(self.ask, b"g")
            return is_readable(self.answer, ANSWER_SECONDS_MAX) and os.read(self.answer, 1) == b"+"
        except OSError:
            return False

    def let_go(self) -> None:
        """No more is heard of it: it has become a process, or ends."""
        os.close(self.ask)
        os.close(self.answer)

    def end(self) -> None:
        """It is not needed; nothing of it is left after a moment."""
        self.let_go()
        deadline = time.monotonic() + END_SECONDS_MAX
        with suppress(ChildProcessError):
            while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
                if time.monotonic() > deadline:
                    os.kill(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                    break
                time.sleep(0.005)
        shutil.rmtree(self.folder, ignore_errors=True)


Make = Callable[[ProcessSpec, str, Path], dict[str, Any]]
"""(spec, token, folder) → the document its runner reads."""


class Standby:
    """``folder`` is below the runtime's, so that a folder can become a process's by being renamed."""

    def __init__(self, folder: Path, make: Make, runner_command: list[str]) -> None:
        self._folder = folder
        self._make = make
        self._runner_command = runner_command
        self._ready: list[Ready] = []
        """Oldest first."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._wanted: queue.Queue[tuple[Shape, ProcessSpec] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._closed = False
        folder.mkdir(mode=0o700, exist_ok=True)
        _sweep(folder)

    def take(self, shape: Shape, folder: Path) -> Ready | None:
        """One of that shape, whose folder has become ``folder``; ``None`` where there is none."""
        with self._lock:
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
        self._wanted.put((shape, spec))

    def _enough(self, shape: Shape) -> bool:
        return sum(each.shape == shape for each in self._ready) >= (1 if shape.modules else DEPTH_MAX)

    def wait(self, shape: Shape, seconds: float) -> bool:
        """Whether one of that shape stands by, within ``seconds``."""
        with self._changed:
            return self._changed.wait_for(lambda: any(each.shape == shape for each in self._ready), seconds)

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
            argv=(shape.python, "-P", *shape.options, PROGRAM, ",".join(shape.modules) or "-"),
            environment=dict(shape.environment),
            ml_root=folder / "ml",
            mounts=(*shape.mounts, Mount(folder / "inputs", INPUTS)),
            directory="/",
            max_runtime_seconds=None,
            limits=shape.limits,
        )
        document = self._make(waiting, token, folder)
        groups = document["hosts"][0]["groups"]
        pid, ask, answer = self._spawned(folder, document)
        is_up = is_readable(answer, READY_SECONDS_MAX)
        made = Ready(shape, token, folder, pid, ask, answer, time.monotonic(), groups)
        if is_up and os.read(answer, 1) == b"+":
            return made
        log.info("a process that was to stand by did not come up: %s", folder)
        made.end()
        return None

    def _spawned(self, folder: Path, document: dict[str, Any]) -> tuple[int, int, int]:
        import marshal

        (folder / "spec").write_bytes(marshal.dumps(document))
        asked, ask = os.pipe()
        answer, tell = os.pipe()
        line = [*self._runner_command, "stand-by", str(folder.resolve())]
        try:
            pid = os.posix_spawn(
                line[0],
                line,
                {"PATH": os.defpath},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, asked, 0),
                    (os.POSIX_SPAWN_DUP2, tell, 1),
                    (os.POSIX_SPAWN_OPEN, 2, str(folder / "trouble"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                ],
                setsigmask=[],
                setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE],
            )
        except OSError:
            os.close(ask)
            os.close(answer)
            raise
        finally:
            os.close(asked)
            os.close(tell)
        return pid, ask, answer


@contextmanager
def moved_in(folder: Path, spec: ProcessSpec) -> Iterator[list[tuple[str, str]]]:
    """The process's own folder becomes that of the one who stood by, under its old path; its inputs pass through
    ``folder`` while they are bound. Answers what is to be bound where, as seen inside."""
    ready, place = folder / "ml", spec.ml_root
    ready.chmod(place.stat().st_mode & 0o7777)
    for child in place.iterdir():
        child.rename(ready / child.name)
    place.rmdir()
    ready.rename(place)
    passing: list[tuple[Path, Path]] = []
    orders: list[tuple[str, str]] = []
    dynamic = [mount for mount in spec.mounts if _is_below(mount.target, ML_ROOT)]
    try:
        for number, mount in enumerate(sorted(dynamic, key=lambda each: each.target.count("/"))):
            inside = place / mount.target.removeprefix(ML_ROOT).lstrip("/")
            if mount.source.is_dir():
                inside.mkdir(parents=True, exist_ok=True)
            else:
                inside.parent.mkdir(parents=True, exist_ok=True)
                inside.touch()
            through = folder / "inputs" / str(number)
            mount.source.rename(through)
            passing.append((through, mount.source))
            orders.append((f"{INPUTS}/{number}", mount.target))
        yield orders
    finally:
        for through, source in passing:
            through.rename(source)


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
            lock = os.open(each / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(each, ignore_errors=True)
            finally:
                os.close(lock)


def order_of(spec: ProcessSpec, job: Mapping[str, Any]) -> bytes:
    """What ``cloche_jobs/standby.py`` reads."""
    import json

    named = {name: job[name] for name in ("environment", "directory", "limits")}
    prefix = spec.standby.prefix if spec.standby is not None else ""
    return json.dumps({"argv": list(spec.argv), "prefix": prefix, **named}).encode()
