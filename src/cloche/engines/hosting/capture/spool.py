"""A file of captured requests that is still being written, and the way to read one again.

The first line says where the rest belongs (``Label``), and entries follow (``lines``). It is written together with the
first of them, so a file whose first line is not whole holds nothing that anybody was answered.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from mmap import PAGESIZE, mmap
from pathlib import Path
from secrets import choice
from string import ascii_uppercase
from typing import Any, Final

import orjson

from cloche.engines.hosting.capture.lines import ID_BYTES, Dividers

SUFFIX: Final = ".jsonl"
LABEL_BYTES_MAX: Final = 4 * PAGESIZE
_MADV_POPULATE_WRITE: Final = 23  # linux/mman.h, since 5.14
FILE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Of a file with more than one request."""
DRAWN_BYTES: Final = 20
ENTRY_BYTES_MAX: Final = 1024 * 1024
"""More than any that is added."""


_EMPTIED: Final = bytes(PAGESIZE)
"""What a power failure makes of a page that was not on the disk yet."""


@dataclass(frozen=True, slots=True)
class Label:
    """Where a file's records go: one object."""

    account: str
    endpoint: str
    """Its ARN."""
    bucket: str
    key: str
    form: Mapping[str, Any]
    """``CapturePlan.form``."""
    drawn: str
    """For the file's dividers, by ``draw``: see ``Dividers``."""
    boot: str
    """The machine's boot in which the file was begun (``this_boot``)."""

    def dividers(self) -> Dividers:
        return Dividers(self.drawn)

    def line(self) -> bytes:
        """It fills whole pages, for the records to begin with one: so the disk can take them from where they lie."""
        text = orjson.dumps(asdict(self))
        return text + b" " * (-(len(text) + 1) % PAGESIZE) + b"\n"


class Spool:
    """A file mapped into memory: to add a record is to copy it, and what was copied is the kernel's, whatever becomes
    of this process. Behind the last record there are zeros. Its blocks are reserved when it is made, so that a disk
    that gets full is told then and not by a signal.

    It is used again and again, for the first touch of a page costs more than all the records that one has room for.
    ``begin``, ``add`` what follows, ``seal``, deliver what ``data`` holds, ``clear``.

    It is sealed by another thread than the one that begins and adds, without a lock, which would cost a third of what
    a record costs. To add, to learn the end and to move it are each one call that keeps the interpreter's lock, and a
    sealed file stands at its very end, where nothing can be added until somebody begins it anew.
    """

    __slots__ = ("_begin", "_map", "_sealed_at", "_seen", "add", "dividers", "is_touched", "label", "opened_at", "path")

    def __init__(self, path: Path, length: int) -> None:
        """Raises ``OSError``, and then there is no file."""
        self.path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, length)
            self._map = mmap(descriptor, length)
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
        self._sealed_at = 0
        self._map.seek(0, os.SEEK_END)
        self.is_touched = False
        self.add: Callable[[bytes], object] = self._map.write
        """Raises ``ValueError``, and nothing is added, where there is no room, or it is sealed."""

    def begin(self, label: Label, dividers: Dividers, data: bytes) -> None:
        """With facts and the first request. ``ValueError`` as ``add``."""
        first = label.line()
        self._map.seek(0)
        self._sealed_at = -1
        self.add(first + data)
        self.add(dividers.mark)
        self.label, self.dividers = label, dividers
        self.is_touched = False
        self._begin = len(first)
        self.opened_at = time.monotonic()
        self._seen = 0, self.opened_at

    def seal(self) -> None:
        """Nothing is added any more. What was added since the first look at its end lies behind that: the mark of a
        request that had none yet, entries, and perhaps a last one, whose mark is refused now."""
        end = self._map.tell()
        self._map.seek(0, os.SEEK_END)
        dividers = self.dividers
        if self._map[end : end + len(dividers.mark)] == dividers.mark:
            end += len(dividers.mark)
        while (stop := dividers.end_of_entry(self._map, end, ENTRY_BYTES_MAX)) > 0:
            end = stop
        if (last := self._map.find(dividers.answered, end, end + ENTRY_BYTES_MAX)) > 0:
            end = last + len(dividers.answered) + ID_BYTES
        self._sealed_at = end

    @property
    def size(self) -> int:
        return self._map.tell() if self._sealed_at < 0 else self._sealed_at

    @property
    def length(self) -> int:
        return len(self._map)

    def quiet_seconds(self, now: float) -> float:
        """For how long whoever asks this now and then has found the same size. ``now`` as ``opened_at``."""
        size, since = self._seen
        if size != self.size:
            self._seen = size, since = self.size, now
        return now - since

    def data(self) -> tuple[bytes, int]:
        """All that it holds, and where the entries begin. It is sealed."""
        return self._map[: self.size], self._begin

    def clear(self) -> None:
        """Make it empty. The label goes first: a kill on the way leaves a file that holds nothing."""
        self._map[0] = 0
        size, done = self.size, 0
        with memoryview(self._map) as whole:
            while done < size:  # in calls that are whole and let go of the interpreter
                done += os.readv(_zeros(), [whole[done:size]])
        self._sealed_at = 0

    def touch(self) -> None:
        """Have the kernel give it all its pages, so that who adds, now or later, need not wait for them."""
        if not self.is_touched:
            self.is_touched = True
            touch_pages(self._map)

    def close(self) -> None:
        """Cut it to its size. Nothing is added any more."""
        size = self.size
        self._map.close()
        os.truncate(self.path, size)

    def remove(self) -> None:
        self._map.close()
        self.path.unlink()


def touch_pages(mapped: mmap) -> None:
    """Leaves what is there as it is. Where the kernel knows no such call, nothing happens."""
    import ctypes

    if sys.platform == "linux":
        first = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        # not mmap.madvise, which keeps the interpreter's lock for the milliseconds that this takes
        ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(len(mapped)), _MADV_POPULATE_WRITE)


@cache
def _zeros() -> int:
    return os.open("/dev/zero", os.O_RDONLY | os.O_CLOEXEC)


def write_whole(path: Path, label: Label, entries: bytes) -> int:
    """A file of one request, closed; its size. Raises ``OSError``, and then there is none."""
    first = label.line()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(first)
            file.write(entries)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return len(first) + len(entries)


def mend(path: Path) -> bool:
    """Cut off what a server that was killed had not written whole; ``False`` where nothing is left. If the machine has
    started anew since, what follows a block that its failure emptied goes, too: the facts about it may be missing."""
    data = path.read_bytes()
    begin = data.find(b"\n") + 1
    if label := _label(data[:begin]):
        dividers = label.dividers()
        if not label.boot or label.boot != this_boot():
            data = data[: _end_of_sound(data, begin, dividers)]
        if (last := data.rfind(dividers.mark, begin)) >= 0:
            os.truncate(path, last + len(dividers.mark))
            return True
    path.unlink()
    return False


def read_label(path: Path) -> tuple[Label, int]:
    """The label of a file that was closed, or mended, and where its entries begin."""
    with path.open("rb") as file:
        line = file.readline(LABEL_BYTES_MAX)
    label = _label(line)
    assert label is not None, path
    return label, len(line)


def draw() -> str:
    """94 bits by chance. Capitals, for a search skips what has none of its letters, and rows of numbers have few."""
    return "".join(choice(ascii_uppercase) for _ in range(DRAWN_BYTES))


@cache
def this_boot() -> str:
    """Linux's name for the time since the machine started; empty where it has none. What was written to a file in it is
    there, whichever process has been killed."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _end_of_sound(data: bytes, at: int, dividers: Dividers) -> int:
    """Of what has no hole."""
    while (stop := dividers.end_of_entry(data, at, len(data))) > 0 and _EMPTIED not in data[at:stop]:
        at = stop
    return at


def _label(line: bytes) -> Label | None:
    try:
        return Label(**orjson.loads(line))
    except (ValueError, TypeError):
        return None
