"""Folders of a job and S3, kept alike while the job runs.

One thread looks at each folder every second: a file that is new or has changed becomes an object once it has stood
still between two looks and nobody has it open for writing; where removals are followed, one that the job has removed
is removed from S3 too. What changes while it is read is not stored: an object is always a file as it was at one
moment. Once the process has ended there is a last look, which takes everything. A file whose name no key can be is left
out, and told of at the end.

The folder is the job's: it may put links where files were at any moment. So it is entered by descriptors, step by step
from a root that the job cannot replace, and no link is followed.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import signal
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Final

from cloche.foundation.errors import ClocheError, Invalid, NotFound
from cloche.foundation.limits import OBJECT_KEY_BYTES_MAX
from cloche.storage.objects import ObjectStore

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
_READ_ONLY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Look = tuple[int, int, int]
"""Inode, size and time of change: what tells that a file is another."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What is kept alike: a folder of one host, and a place in S3."""

    root: Path
    """The job cannot replace it."""
    way: tuple[str, ...]
    """From there to the folder; the job may have put anything in its place."""
    bucket: str
    prefix: str
    """Of keys, without slash at its end."""
    follows_removals: bool = False
    is_restored: bool = False
    """Its files may have come from there: what S3 holds already, to the byte, is not stored again."""
    passes_over: str | None = None
    """Files whose names end so are not the folder's."""

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


def check_key(key: str) -> None:
    """Raises ``Invalid`` for what no client could name: a file's name may be any bytes."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise Invalid(f"the file name {key!a} is not UTF-8, as a key is") from None
    if size > OBJECT_KEY_BYTES_MAX:
        raise Invalid(f"the file name {key[:100]!r}... makes a key of {size} bytes; it may have {OBJECT_KEY_BYTES_MAX}")


@dataclass(slots=True)
class _Kept:
    """One folder and what of it is in S3."""

    folder: Folder
    objects: ObjectStore
    stored: dict[str, Look] = field(default_factory=dict)
    seen: dict[str, Look] = field(default_factory=dict)
    is_first: bool = True
    """Nothing is known yet of what this file and that object have in common."""
    unfit: Invalid | None = None
    """Why one of the files could not be stored, as of the last look."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, *, last: bool = False) -> None:
        with self.lock, self._entered() as descriptor:
            if descriptor is None:
                return
            found: dict[str, Look] = {}
            self.unfit = None
            for name, look, parent in _files(descriptor, self.folder.passes_over):
                try:
                    check_key(self.folder.key(name))
                except Invalid as error:
                    self.unfit = error
                    continue
                found[name] = look
                if self.stored.get(name) != look and (last or self.seen.get(name) == look):
                    self._store(name, look, parent, last=last)
            if self.folder.follows_removals:
                for name in [name for name in self.stored if name not in found]:
                    self.objects.delete(self.folder.bucket, self.folder.key(name))
                    del self.stored[name]
            self.is_first = self.is_first and not self.seen
            self.seen = found

    @contextmanager
    def _entered(self) -> Iterator[int | None]:
        opened: list[int] = []
        try:
            with suppress(OSError):
                opened.append(os.open(self.folder.root, os.O_RDONLY | os.O_DIRECTORY))
                for name in self.folder.way:
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                    opened.append(os.open(name, flags, dir_fd=opened[-1]))
            yield opened[-1] if len(opened) == len(self.folder.way) + 1 else None
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _store(self, name: str, look: Look, parent: int, *, last: bool) -> None:
        bucket, key = self.folder.bucket, self.folder.key(name)
        try:
            descriptor = os.open(name.rpartition("/")[2], _READ_ONLY, dir_fd=parent)
        except OSError:
            return  # gone, or a link by now
        with os.fdopen(descriptor, "rb") as stream:
            if _look(os.fstat(descriptor)) != look or (not last and _is_written(descriptor)):
                return
            is_there = self.folder.is_restored and self.is_first and self._is_stored(key, look, stream)
            if not is_there and not self.objects.put_stream(
                bucket, key, stream, is_whole=lambda: _look(os.fstat(descriptor)) == look
            ):
                return
        self.stored[name] = look

    def _is_stored(self, key: str, look: Look, stream: BufferedReader) -> bool:
        """Whether S3 holds the very bytes."""
        try:
            info = self.objects.head(self.folder.bucket, key)
        except NotFound:
            return False
        if info.size != look[1]:
            return False
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        stream.seek(0)
        return digest == info.etag


def _files(folder: int, passes_over: str | None) -> Iterator[tuple[str, Look, int]]:
    """(path below, look, descriptor of the folder it lies in) of every file that is to be kept."""
    for path, _, names, descriptor in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        below = path.removeprefix(".").removeprefix("/")
        for name in sorted(names):
            with suppress(OSError):
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and not (passes_over and name.endswith(passes_over)):
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


class Folders:
    """The thread that looks. It starts with the first job that has such folders."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._lock = threading.Lock()
        self._kept: dict[str, dict[Folder, _Kept]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, arn: str, folders: Sequence[Folder]) -> None:
        """Keep the job's folders from now on; once more is no harm."""
        if not folders:
            return
        with self._lock:
            self._keep(arn, folders)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="folders", daemon=True)
                self._thread.start()

    def finish(self, arn: str, folders: Sequence[Folder]) -> None:
        """Store all there is in ``folders``, once the process has ended, and look no more at any of the job's. Raises
        ``NotFound`` without the bucket, and ``Invalid`` where a file had a name that no key can be."""
        with self._lock:
            kept = self._keep(arn, folders)
        for each in kept:
            each.look(last=True)
        self.drop(arn)
        for each in kept:
            if each.unfit is not None:
                raise each.unfit

    def drop(self, arn: str) -> None:
        with self._lock:
            self._kept.pop(arn, None)

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _keep(self, arn: str, folders: Sequence[Folder]) -> list[_Kept]:
        kept = self._kept.setdefault(arn, {})
        return [kept.setdefault(folder, _Kept(folder, self._objects)) for folder in folders]

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            with self._lock:
                followed = [(arn, each) for arn, kept in self._kept.items() for each in kept.values()]
            for arn, kept in followed:
                try:
                    kept.look()
                except (OSError, ClocheError) as error:
                    log.warning("what %s wrote could not be stored; it is tried again: %s", arn, error)
                except Exception:
                    log.exception("what %s wrote could not be stored; it is tried again", arn)
