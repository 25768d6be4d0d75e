"""The data directory: its layout, and the lock that keeps it to one server.

    cloche.db            metadata (SQLite)
    objects/ logs/       bytes of objects; log streams
    insights/            results of Logs Insights queries
    functions/           packages of Lambda functions and layers
    captured/            what endpoints captured and is not yet in S3
    registry/            blobs of container images, an OCI image layout
    rootfs/              container images, unpacked for jobs (a cache)
    run/                 what running jobs and model servers need
    models/              AWS's service models, stripped (a cache)
    keys/      (0700)    ca.pem, ca.key, bundle.pem, root.json, console.token: private files, 0600
    clock.json           how Cloche's time differs from the machine's, once somebody has turned it
    server.json          who serves this directory now: pid, its start time, port
    lock                 held (flock) while a server runs

The kernel lets go of the lock when its holder dies, however it dies; so a stale one cannot be.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloche.foundation.errors import Conflict, Invalid


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are under ``root``."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "cloche.db"

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def captured(self) -> Path:
        return self.root / "captured"

    @property
    def registry(self) -> Path:
        return self.root / "registry"

    @property
    def rootfs(self) -> Path:
        return self.root / "rootfs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def processes(self) -> Path:
        return self.run / "processes"

    @property
    def clock(self) -> Path:
        return self.root / "clock.json"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def server(self) -> Path:
        return self.root / "server.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def prepare(self) -> None:
        """Make what is missing. Raises ``Invalid`` with a sentence for people where it cannot be written."""
        try:
            for folder in (self.root, self.keys, self.objects, self.logs, self.run, self.models):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.keys.chmod(0o700)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise Invalid(
                f"the data directory {self.root} cannot be written ({error.strerror}); "
                "make it writable or choose another with --data",
                field="data",
            ) from None


class DirectoryLock:
    """Held by the one server of a data directory. ``release`` or death ends it."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.lock
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise Conflict(
                f"another Cloche (process {holder}) already serves the data directory {layout.root}; "
                "stop it with `cloche down`, or choose another with --data"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.ftruncate(self._file, 0)
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Running:
    """What ``server.json`` says of the server that runs (or ran)."""

    pid: int
    started: str
    """The process's start time in the kernel's clock: with the pid it names one process for ever."""
    host: str
    port: int
    account: str
    region: str
    version: str
    jobs: str = ""
    """How jobs are kept apart, in a sentence."""
    secure: str = ""
    """The URL of its HTTPS, where it has one."""
    certificate: str = ""
    """The file of the certificate that the user gave for it."""
    fallback: str = ""
    """The server that services which Cloche does not speak are passed on to."""
    file_systems: list[list[str]] = field(default_factory=list)
    """(id, directory) of each file system that jobs may name."""

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{'[' + host + ']' if ':' in host else host}:{self.port}"

    def is_alive(self) -> bool:
        return process_start(self.pid) == self.started != ""


def write_running(layout: Layout, running: Running) -> None:
    write_private(layout.server, json.dumps({name: getattr(running, name) for name in running.__slots__}, indent=1))


def read_running(layout: Layout) -> Running | None:
    """The server that runs on this directory, or ``None``."""
    try:
        said: dict[str, Any] = json.loads(layout.server.read_text())
        running = Running(**{name: said[name] for name in Running.__slots__})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if running.is_alive() else None


def process_start(pid: int) -> str:
    """When a process started, as the kernel counts; empty where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _start_elsewhere(pid)
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


def _start_elsewhere(pid: int) -> str:
    """Where there is no /proc (macOS)."""
    if Path("/proc/self/stat").exists():
        return ""
    import subprocess

    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
