"""A file of captured lines that is still being written, and the way to read one again.

The first line says where the rest belongs (``Label``). It is written together with the first record, so a file
whose first line is not whole holds nothing that anybody was answered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from mmap import mmap
from pathlib import Path
from typing import Final

import orjson

SUFFIX: Final = ".jsonl"
LABEL_BYTES_MAX: Final = 16 * 1024
FILE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Of a file with more than one record."""


@dataclass(frozen=True, slots=True)
class Label:
    """Where a file's records go: one object."""

    account: str
    endpoint: str
    """Its ARN."""
    bucket: str
    key: str

    def line(self) -> bytes:
        return orjson.dumps(asdict(self)) + b"\n"


class Spool:
    """A file mapped into memory: to add a record is to copy it, and what was copied is the kernel's, whatever becomes
    of this process. Behind the last record there are zeros. Its blocks are reserved when it is made, so that a disk
    that gets full is told then and not by a signal.

    It is used again and again: the first touch of a page costs as much as to copy eight records to it, and one page
    has room for five. ``begin``, ``add`` what follows, deliver ``records``, ``clear``.
    """

    __slots__ = ("_begin", "_map", "_seen", "add", "label", "opened_at", "path")

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
        self.add: Callable[[bytes], object] = self._map.write
        """Raises ``ValueError``, and nothing is added, where there is no room."""

    def begin(self, label: Label, data: bytes) -> None:
        """With the first record. ``ValueError`` as ``add``."""
        first = label.line()
        self.add(first + data)
        self.label = label
        self._begin = len(first)
        self.opened_at = time.monotonic()
        self._seen = 0, self.opened_at

    @property
    def size(self) -> int:
        return self._map.tell()

    @property
    def length(self) -> int:
        return len(self._map)

    def quiet_seconds(self, now: float) -> float:
        """For how long whoever asks this now and then has found the same size. ``now`` as ``opened_at``."""
        size, since = self._seen
        if size != self.size:
            self._seen = size, since = self.size, now
        return now - since

    @contextmanager
    def records(self) -> Iterator[memoryview]:
        """All that was added, where it lies. Nothing is added meanwhile."""
        with memoryview(self._map) as whole, whole[self._begin : self.size] as records:
            yield records

    def clear(self) -> None:
        """Make it empty. The label goes first: a kill on the way leaves a file that holds nothing."""
        self._map[0] = 0
        self._overwrite(self.size)
        self._map.seek(0)

    def touch(self) -> None:
        """Have the kernel give it all its pages, so that who adds need not wait for them. It is empty."""
        self._overwrite(len(self._map))

    def _overwrite(self, size: int) -> None:
        """With zeros, without the interpreter's lock."""
        with Path("/dev/zero").open("rb", buffering=0) as zeros, memoryview(self._map) as whole:
            done = 0
            while done < size:
                done += zeros.readinto(whole[done:size])

    def close(self) -> None:
        """Cut it to its size. Nothing is added any more."""
        size = self.size
        self._map.close()
        os.truncate(self.path, size)

    def remove(self) -> None:
        self._map.close()
        self.path.unlink()


def nowhere(data: bytes) -> None:
    """The ``add`` of no file."""
    raise ValueError("there is no file to add to")


def write_whole(path: Path, label: Label, record: bytes) -> int:
    """A file of one record, closed; its size. Raises ``OSError``, and then there is none."""
    first = label.line()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(first)
            file.write(record)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return len(first) + len(record)


def mend(path: Path) -> bool:
    """Cut off what a server that was killed had not written whole; ``False`` where nothing is left. Only whole lines
    of JSON stay: what a power failure left in between goes, too."""
    found = path.read_bytes()
    lines = found.split(b"\n")[:-1]
    kept = [line for line in lines if _is_whole(line)]
    if len(kept) < 2 or kept[0] != lines[0] or _label(kept[0]) is None:
        path.unlink()
        return False
    if (whole := b"\n".join(kept) + b"\n") != found:
        part = path.with_suffix(".part")
        part.write_bytes(whole)
        part.replace(path)
    return True


def read_label(path: Path) -> tuple[Label, int]:
    """The label of a file that was closed, or mended, and where its records begin."""
    with path.open("rb") as file:
        line = file.readline(LABEL_BYTES_MAX)
    label = _label(line)
    assert label is not None, path
    return label, len(line)


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except ValueError:
        return False


def _label(line: bytes) -> Label | None:
    try:
        return Label(**orjson.loads(line))
    except (ValueError, TypeError):
        return None
