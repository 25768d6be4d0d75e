"""Data files on disk: immutable, named by chance, never by a key.

A file is written in ``tmp``, made durable, and linked under its final name in ``data/xx`` while its name in
``tmp`` stays. That second name is the note "no row is known to hold me yet"; it goes once the row is committed.
So after a crash the names in ``tmp`` (and the rows of ``removals``) are the only files in doubt, however many
files the store holds, and starting costs what was under way, not what is kept.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Final, cast

from cloche.foundation.durable import fsync_folder

PAGE_BYTES: Final = mmap.PAGESIZE
COPY_BYTES: Final = 8 * 1024 * 1024
_SYNC_FILE_RANGE_WRITE: Final = 2  # linux/fs.h
NO_LINK: Final = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)


class DataFiles:
    """The folders ``tmp`` and ``data/00`` … ``data/ff`` under ``root``, made when they are not there."""

    def __init__(self, root: Path) -> None:
        self.tmp = root / "tmp"
        self.data = root / "data"
        if not (self.data / "ff").exists():
            self.tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data.mkdir(mode=0o700, exist_ok=True)
            for shard in range(256):
                (self.data / f"{shard:02x}").mkdir(mode=0o700, exist_ok=True)
            for folder in (self.data, root, root.parent):
                fsync_folder(folder)

    def path(self, file: str) -> Path:
        return self.data / file[:2] / file

    def temporary(self, file: str) -> Path:
        return self.tmp / file

    def create(self) -> tuple[str, int]:
        """A new empty file in ``tmp``: its name and a descriptor open for writing."""
        file = uuid.uuid4().hex
        return file, os.open(self.temporary(file), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)

    def publish(self, file: str) -> None:
        """Give a written and synced file its final name, durably. ``forget_temporary`` is to follow."""
        target = self.path(file)
        os.link(self.temporary(file), target)
        fsync_folder(target.parent)

    def adopt(self, source: Path) -> str:
        """Move ``source`` into ``tmp`` by rename; raises ``OSError`` (``EXDEV``) from another file system."""
        file = uuid.uuid4().hex
        source.rename(self.temporary(file))
        return file

    def link(self, source: Path) -> str | None:
        """A further name in ``tmp`` for a data file, or ``None`` where the file system gives no more links."""
        file = uuid.uuid4().hex
        try:
            os.link(source, self.temporary(file))
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            return None
        return file

    def forget_temporary(self, file: str) -> None:
        self.temporary(file).unlink(missing_ok=True)

    def remove(self, files: Iterable[str]) -> None:
        """Remove both names of each file; those that are gone already are no error."""
        for file in files:
            self.path(file).unlink(missing_ok=True)
            self.temporary(file).unlink(missing_ok=True)

    def leftovers(self) -> list[str]:
        """Names in ``tmp``: at start, the files in doubt."""
        return sorted(entry.name for entry in os.scandir(self.tmp))


def copy_range(source: int, target: int, offset: int, length: int) -> None:
    """Append ``length`` bytes of ``source`` from ``offset`` to ``target``, inside the kernel where it can."""
    while length > 0:
        done = _copy_some(source, target, offset, min(length, COPY_BYTES))
        if done == 0:
            raise OSError(errno.EIO, "a data file is shorter than its row says")
        offset += done
        length -= done


def _copy_some(source: int, target: int, offset: int, length: int) -> int:
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(source, target, length, offset)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
    data = os.pread(source, length, offset)
    write_all(target, data)
    return len(data)


def start_writing_back(descriptor: int, offset: int, length: int) -> None:
    """Have the kernel begin to put these bytes on the disk, so that the sync at the end has less to wait for. It
    promises nothing; where there is no such call, nothing happens."""
    if (call := _sync_file_range()) is not None:
        call(descriptor, offset, length, _SYNC_FILE_RANGE_WRITE)


@cache
def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    import ctypes

    try:
        call = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return cast(Callable[[int, int, int, int], int], call)


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_pages(descriptor: int, data: memoryview) -> int:
    """Write whole pages of ``data`` to the start of an empty file, from where they lie straight to the disk: no second
    copy in memory, which costs more than everything else about a file of megabytes. Answers how many bytes that were:
    none where the memory does not begin with a page (a mapped file does), or the file system wants it otherwise."""
    whole = len(data) // PAGE_BYTES * PAGE_BYTES
    direct = getattr(os, "O_DIRECT", 0)
    if not direct or data.readonly or not _begins_page(data):
        return 0
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    done = 0
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | direct)
        while done < whole and done % PAGE_BYTES == 0:
            done += os.write(descriptor, data[done:whole])
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    return done


def _begins_page(data: memoryview) -> bool:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(data)) % PAGE_BYTES == 0


def link_or_copy(source: Path, target: Path, *, link: bool) -> None:
    """Put the file at ``target``: a hard link where asked and possible, else a copy that may be written."""
    if link:
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
        else:
            return
    shutil.copyfile(source, target)


def write_copy(data: bytes, target: Path) -> None:
    """Put ``data`` at ``target``, which must not exist."""
    with target.open("xb") as file:
        file.write(data)
