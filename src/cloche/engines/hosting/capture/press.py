"""A program beside the server: makes files of lines out of files of captured requests, when nobody else wants the
processor.

It is run by its path, with little of Python and nothing of the server loaded, and ends with its input. Each line of
that is a file to read, how much of it, and a file to make; each line it answers tells the size of what was made and its
CRC32. What it leaves unfinished is nobody's: the requests stay where they are until their object is stored.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
import zlib
from collections.abc import Iterable
from mmap import ACCESS_READ, PAGESIZE, mmap
from typing import Final

BUFFER_BYTES: Final = 256 * PAGESIZE
PAUSE_SECONDS: Final = 1e-4
"""After each block. A processor that works for nobody but the press is not idle to Linux, which takes over what waits
at a crowded one only when there is nothing at all to do, or at its next tick, milliseconds later."""
PARENT: Final = os.getppid()


class Sheets:
    """Writes a new file straight to the disk, in whole pages (``O_DIRECT``, where the file system knows such writes):
    it is read seldom, and pages for a copy of it in memory cost more than everything else about it."""

    def __init__(self, path: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._buffer = mmap(-1, BUFFER_BYTES)
        self._held = 0
        self.size = self.crc = 0
        self._descriptor = os.open(path, flags, 0o600)
        self._direct(True)

    def _direct(self, wanted: bool) -> None:
        flag = getattr(os, "O_DIRECT", 0)
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & ~flag
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | flag if wanted else flags)
        except OSError:
            if not wanted:
                raise

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)
        rest = memoryview(data)
        while rest:
            room = BUFFER_BYTES - self._held
            self._held += self._buffer.write(rest[:room])
            rest = rest[room:]
            if self._held == BUFFER_BYTES:
                self._out()

    def _out(self) -> None:
        with memoryview(self._buffer) as whole:
            done = 0
            while done < self._held:
                if done % PAGESIZE or self._held % PAGESIZE:
                    self._direct(False)
                try:
                    done += os.write(self._descriptor, whole[done : self._held])
                except OSError:
                    if not fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & getattr(os, "O_DIRECT", 0):
                        raise
                    self._direct(False)  # the file system wants it otherwise
        self._buffer.seek(0)
        self._held = 0

    def end(self) -> None:
        if self._held:
            self._out()
        os.fsync(self._descriptor)
        os.close(self._descriptor)


def make(source: str, size: int, target: str) -> tuple[int, int]:
    import orjson
    from lines import Lines  # type: ignore[import-not-found]

    descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    data = mmap(descriptor, size, access=ACCESS_READ)
    os.close(descriptor)
    begin = data.find(b"\n") + 1
    label = orjson.loads(data[:begin])
    lines: Iterable[bytes] = Lines(label["form"], label["drawn"]).of(data, begin)
    if os.getppid() != PARENT:
        raise SystemExit  # the server has died, and nobody would ever take the file
    sheets = Sheets(target)
    for some in lines:
        sheets.write(some)
        time.sleep(PAUSE_SECONDS)
    sheets.end()
    data.close()
    return sheets.size, sheets.crc


def main() -> None:
    *folders, priority = sys.argv[1:]
    sys.path[:0] = folders
    if priority == "idle":
        if hasattr(os, "sched_setscheduler"):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.nice(19)
    import orjson

    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(orjson.dumps(make(*orjson.loads(line))) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
