"""Streaming bytes into a content while they are hashed: held in memory while they may become a blob, in a data file
once they are too many."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from cloche.storage.objects import blobs
from cloche.storage.objects.blobs import BLOB_BYTES_MAX
from cloche.storage.objects.checksums import Digest, digest
from cloche.storage.objects.files import DataFiles, copy_range, start_writing_back, write_all, write_pages

READ_BYTES: Final = 1024 * 1024
WRITE_BACK_BYTES: Final = 8 * 1024 * 1024
"""So often a growing file is begun to be put on the disk."""


@dataclass(frozen=True, slots=True)
class Written:
    """A content that no row holds yet: a data file under its final name, or ``data``, which becomes a blob with the
    row. ``md5`` is hexadecimal, checksums base64."""

    file: str
    size: int
    md5: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None

    def kept(self, tx: sqlite3.Connection) -> str:
        """The name for the row that is written in ``tx``, once."""
        return self.file if self.data is None else blobs.keep(tx, self.data)


def written_of(data: bytes, algorithms: Iterable[str] = ()) -> Written:
    """Bytes that are few enough for a blob, hashed."""
    assert len(data) <= BLOB_BYTES_MAX
    sums: dict[str, str] = {}
    for name in algorithms:
        made = digest(name)
        made.update(data)
        sums[name] = made.base64()
    return Written("", len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), sums, data)


class ContentWriter:
    """One content in the making. ``write`` from one thread at a time, or ``store`` from one and ``digest`` from
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
        self._held: list[bytes] = []
        self._file, self._descriptor = "", -1
        self._written_back = 0
        self._synced = -1

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Store and digest."""
        self.store(data)
        self.digest(data)

    def store(self, data: bytes | bytearray | memoryview) -> None:
        """Take the bytes themselves."""
        with self._lock:
            self._assert_open()
            self.size += len(data)
            if self._fits():
                self._held.append(bytes(data))
            else:
                self._to_file()
                if isinstance(data, memoryview) and self.size == len(data):
                    self._written_back = write_pages(self._descriptor, data)
                    data = data[self._written_back :]
                write_all(self._descriptor, data)
                self._write_back()

    def _write_back(self) -> None:
        if self.size - self._written_back >= WRITE_BACK_BYTES:
            start_writing_back(self._descriptor, self._written_back, self.size - self._written_back)
            self._written_back = self.size

    def _fits(self) -> bool:
        return not self._file and self.size <= BLOB_BYTES_MAX

    def _to_file(self) -> None:
        if not self._file:
            self._file, self._descriptor = self._files.create()
            held, self._held = self._held, []
            write_all(self._descriptor, b"".join(held))

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

    def append(self, source: bytes | Path) -> None:
        """Take another content, inside the kernel where it is a file, **without hashing it**: finish with an MD5 of
        your own."""
        if isinstance(source, bytes):
            self.store(source)
            return
        with self._lock:
            self._assert_open()
            descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
            try:
                length = os.fstat(descriptor).st_size
                self.size += length
                self._to_file()
                copy_range(descriptor, self._descriptor, 0, length)
                self._write_back()
            finally:
                os.close(descriptor)

    def sync(self) -> None:
        """Wait until what was stored so far is on the disk, for ``finish`` to find that done. Nothing to wait for where
        the bytes are still held in memory."""
        with self._lock:
            self._assert_open()
            if self._file:
                os.fsync(self._descriptor)
                self._synced = self.size

    def md5(self) -> str:
        """The hexadecimal MD5 of what was written so far."""
        return self._md5.hexdigest()

    def checksums(self) -> dict[str, str]:
        """The base64 checksums of what was written so far."""
        return {name: made.base64() for name, made in self._digests.items()}

    def finish(self, *, md5: str = "") -> Written:
        """Make what is in a file durable under its final name. Call ``ObjectStore.commit`` (or the like) next."""
        with self._lock:
            self._assert_open()
            data = None if self._file else b"".join(self._held)
            if self._file:
                if self._synced != self.size:
                    os.fsync(self._descriptor)
                self._files.publish(self._file)
            self._close()
        return Written(self._file, self.size, md5 or self.md5(), self.checksums(), data)

    def abort(self) -> None:
        """Leave nothing. Does nothing after ``finish`` or when called again."""
        with self._lock:
            if self._open:
                self._close()
                if self._file:
                    self._files.remove([self._file])

    def __enter__(self) -> ContentWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _assert_open(self) -> None:
        if not self._open:
            raise OSError(errno.EBADF, "the content has been finished or aborted")

    def _close(self) -> None:
        if self._file:
            os.close(self._descriptor)
        self._held = []
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


def finish_hashed(files: DataFiles, file: str) -> None:
    """The same for one whose hashes are known."""
    descriptor = os.open(files.temporary(file), os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o400)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    files.publish(file)


def opened(content: bytes | Path) -> BinaryIO:
    """A content to be read as a stream."""
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
