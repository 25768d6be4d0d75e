"""Streaming bytes into a data file while they are hashed."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from cloche.storage.objects.checksums import Digest, digest
from cloche.storage.objects.files import DataFiles, copy_range, write_all

READ_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """A data file under its final name that no row holds yet. ``md5`` is hexadecimal, checksums base64."""

    file: str
    size: int
    md5: str
    checksums: Mapping[str, str] = field(default_factory=dict)


class FileWriter:
    """One data file in the making. ``write`` from one thread at a time, or ``store`` from one and ``digest`` from
    another, each in the order of the bytes; ``abort`` may come from any.

    As a context manager it aborts what was not finished.
    """

    def __init__(self, files: DataFiles, algorithms: Iterable[str] = ()) -> None:
        self.size = 0
        self._files = files
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._digests: dict[str, Digest] = {name: digest(name) for name in algorithms}
        self._lock = threading.Lock()
        self._open = True
        self._file, self._descriptor = files.create()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Store and digest."""
        self.store(data)
        self.digest(data)

    def store(self, data: bytes | bytearray | memoryview) -> None:
        """Write to the file."""
        with self._lock:
            self._assert_open()
            write_all(self._descriptor, data)
            self.size += len(data)

    def digest(self, data: bytes | bytearray | memoryview) -> None:
        """Take into the hashes. Every byte that is stored must be digested, too, before ``finish``."""
        self._md5.update(data)
        for made in self._digests.values():
            made.update(data)

    def write_from(self, source: BinaryIO, length: int | None = None) -> None:
        """Take all that ``source`` still has, or ``length`` bytes of it (fewer are an ``OSError``)."""
        left = length
        while left != 0 and (data := source.read(READ_BYTES if left is None else min(left, READ_BYTES))):
            self.write(data)
            left = None if left is None else left - len(data)
        if left:
            raise OSError(errno.EIO, "the source ends early")

    def append(self, source: Path, offset: int, length: int) -> None:
        """Take bytes of another data file inside the kernel, **without hashing them**: finish with an MD5 of
        your own."""
        with self._lock:
            self._assert_open()
            descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
            try:
                copy_range(descriptor, self._descriptor, offset, length)
            finally:
                os.close(descriptor)
            self.size += length

    def md5(self) -> str:
        """The hexadecimal MD5 of what was written so far."""
        return self._md5.hexdigest()

    def checksums(self) -> dict[str, str]:
        """The base64 checksums of what was written so far."""
        return {name: made.base64() for name, made in self._digests.items()}

    def finish(self, *, md5: str = "") -> Written:
        """Make the file durable under its final name. Call ``ObjectStore.commit`` (or the like) next."""
        with self._lock:
            self._assert_open()
            os.fsync(self._descriptor)
            self._files.publish(self._file)
            self._close()
        return Written(self._file, self.size, md5 or self.md5(), self.checksums())

    def abort(self) -> None:
        """Leave nothing. Does nothing after ``finish`` or when called again."""
        with self._lock:
            if self._open:
                self._close()
                self._files.remove([self._file])

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _assert_open(self) -> None:
        if not self._open:
            raise OSError(errno.EBADF, "the data file has been finished or aborted")

    def _close(self) -> None:
        os.close(self._descriptor)
        self._open = False


def finish_temporary(files: DataFiles, file: str, algorithms: Iterable[str] = ()) -> Written:
    """Hash a whole file that lies in ``tmp``, make it durable and read-only under its final name."""
    path = files.temporary(file)
    md5 = hashlib.md5(usedforsecurity=False)
    digests = {name: digest(name) for name in algorithms}
    size = 0
    with path.open("rb") as source:
        while data := source.read(READ_BYTES):
            size += len(data)
            md5.update(data)
            for made in digests.values():
                made.update(data)
        os.fchmod(source.fileno(), 0o400)
        os.fsync(source.fileno())
    files.publish(file)
    return Written(file, size, md5.hexdigest(), {name: made.base64() for name, made in digests.items()})
