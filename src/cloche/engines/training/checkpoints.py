"""A job's checkpoints and S3, kept alike while the job runs.

At a start, everything below ``CheckpointConfig.S3Uri`` is copied into the job's folder. While the job runs one thread
looks at that folder every second: a file that is new or has changed becomes an object once it has stood still between
two looks and nobody has it open for writing, and one that the job has removed is removed from S3 too. What changes
while it is read is not stored: an object is always a file as it was at one moment. Once the process has ended
there is a last look, which takes everything. Each host of a job has a folder of its own; S3 has one for all of them.

The folder is the job's: it may put links where files were at any moment. So it is entered by descriptors, step by step
from the job's root, and no link is followed.

Sources: docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html; names that end in ``.sagemaker-ignore`` are
passed over, and removals followed, by ``checkpointing.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Final

from cloche.engines.training.place import Place
from cloche.engines.training.plan import CheckpointConfig, Plan
from cloche.engines.training.sources import failed, file_below
from cloche.foundation.errors import ClocheError, NotFound
from cloche.storage.objects import ObjectStore

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
IGNORED: Final = ".sagemaker-ignore"
FOLDER: Final = "checkpoints"
_READ_ONLY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Look = tuple[int, int, int]
"""Inode, size and time of change: what tells that a file is another."""


def restore(plan: Plan, place: Place, objects: ObjectStore) -> None:
    """Copy what S3 holds into the job's folder, which is made. Raises ``Unfit``."""
    config = plan.checkpoints
    if config is None:
        return
    folder = place.layout.checkpoints
    folder.mkdir(parents=True, exist_ok=True)
    start = f"{config.prefix}/" if config.prefix else ""
    try:
        for info in objects.iter_prefix(config.bucket, start):
            if not info.key.endswith("/"):
                target = file_below(folder, info.key[len(start) :], info.key)
                objects.link_into(info, target, link=False)
    except (NotFound, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise failed(f"the checkpoints below {config.uri}: {error}") from None


@dataclass(slots=True)
class _Kept:
    """One job's folder and what of it is in S3."""

    config: CheckpointConfig
    place: Place
    objects: ObjectStore
    stored: dict[str, Look] = field(default_factory=dict)
    seen: dict[str, Look] = field(default_factory=dict)
    is_first: bool = True
    """Nothing is known yet of what this file and that object have in common."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, *, last: bool = False) -> None:
        with self.lock, self._folder() as folder:
            if folder is None:
                return
            found: dict[str, Look] = {}
            for name, look, descriptor in _files(folder):
                found[name] = look
                if self.stored.get(name) != look and (last or self.seen.get(name) == look):
                    self._store(name, look, descriptor, last=last)
            for name in [name for name in self.stored if name not in found]:
                self.objects.delete(self.config.bucket, self._key(name))
                del self.stored[name]
            self.is_first = self.is_first and not self.seen
            self.seen = found

    @contextmanager
    def _folder(self) -> Iterator[int | None]:
        root = os.open(self.place.layout.root, os.O_RDONLY | os.O_DIRECTORY)
        folder = None
        try:
            with suppress(OSError):
                folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            yield folder
        finally:
            os.close(root)
            if folder is not None:
                os.close(folder)

    def _key(self, name: str) -> str:
        return f"{self.config.prefix}/{name}" if self.config.prefix else name

    def _store(self, name: str, look: Look, folder: int, *, last: bool) -> None:
        try:
            descriptor = os.open(name.rpartition("/")[2], _READ_ONLY, dir_fd=folder)
        except OSError:
            return  # gone, or a link by now
        with os.fdopen(descriptor, "rb") as stream:
            if _look(os.fstat(descriptor)) != look or (not last and _is_written(descriptor)):
                return
            if not (self.is_first and self._is_stored(name, look, stream)) and not self.objects.put_stream(
                self.config.bucket, self._key(name), stream, is_whole=lambda: _look(os.fstat(descriptor)) == look
            ):
                return
        self.stored[name] = look

    def _is_stored(self, name: str, look: Look, stream: BufferedReader) -> bool:
        """Whether S3 holds the very bytes: restored from there, or stored before this server was started."""
        try:
            info = self.objects.head(self.config.bucket, self._key(name))
        except NotFound:
            return False
        if info.size != look[1]:
            return False
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        stream.seek(0)
        return digest == info.etag


def _files(folder: int) -> Iterator[tuple[str, Look, int]]:
    """(path below, look, descriptor of the folder it lies in) of every file that is to be kept."""
    for path, _, names, descriptor in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        below = path.removeprefix(".").removeprefix("/")
        for name in sorted(names):
            with suppress(OSError):
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and not name.endswith(IGNORED):
                    yield f"{below}/{name}" if below else name, _look(status), descriptor


def _look(status: os.stat_result) -> Look:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _is_written(descriptor: int) -> bool:
    """Whether anybody has the file open for writing: then no lease on it can be had. Unknown counts as no.

    Should somebody open it in the moment in which the lease is held, its breaking is told by a signal that does
    nothing, in place of one that would end the process.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


class Checkpoints:
    """The thread that looks. It starts with the first job that has checkpoints."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._lock = threading.Lock()
        self._kept: dict[str, list[_Kept]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, plan: Plan, place: Place) -> None:
        """Keep the job's checkpoints from now on; once more is no harm."""
        if plan.checkpoints is None:
            return
        with self._lock:
            if plan.arn not in self._kept:
                places = [place.of_host(host.number) for host in plan.hosts]
                self._kept[plan.arn] = [_Kept(plan.checkpoints, each, self._objects) for each in places]
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                self._thread.start()

    def finish(self, plan: Plan, place: Place) -> None:
        """Store all there is, once the process has ended, and look no more. Raises ``NotFound`` without the bucket."""
        if plan.checkpoints is None or not place.layout.root.is_dir():
            return
        self.follow(plan, place)
        with self._lock:
            kept = self._kept[plan.arn]
        for each in kept:
            each.look(last=True)
        self.drop(plan.arn)

    def drop(self, arn: str) -> None:
        with self._lock:
            self._kept.pop(arn, None)

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            with self._lock:
                followed = [(arn, each) for arn, kept in self._kept.items() for each in kept]
            for arn, kept in followed:
                try:
                    kept.look()
                except (OSError, ClocheError) as error:
                    log.warning("the checkpoints of %s could not be stored; it is tried again: %s", arn, error)
                except Exception:
                    log.exception("the checkpoints of %s could not be stored; it is tried again", arn)
