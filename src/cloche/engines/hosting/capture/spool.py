"""A file of captured lines that is still being written, and the way to read one again.

The first line says where the rest belongs (``Label``). It is written together with the first records, so a file
whose first line is not whole holds nothing that anybody was answered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
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
    """An open file, mapped into memory: to add a record is to copy it, and what was copied is the kernel's, whatever
    becomes of this process. Its blocks are reserved when it is made, so that a disk that gets full is told then and not
    by a signal. Between the last record and the end of the file there are zeros, until it is closed.
    """

    __slots__ = ("_map", "_seen", "add", "label", "opened_at", "path")

    def __init__(self, path: Path, label: Label, data: bytes) -> None:
        """``data`` is the first record. Raises ``OSError``."""
        self.path = path
        self.label = label
        self.opened_at = time.monotonic()
        first = label.line() + data
        length = max(len(first), FILE_BYTES_MAX)
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
        self.add(first)
        self._seen = 0, self.opened_at

    @property
    def size(self) -> int:
        return self._map.tell()

    def quiet_seconds(self, now: float) -> float:
        """For how long whoever asks this now and then has found the same size. ``now`` as ``opened_at``."""
        size, since = self._seen
        if size != self.size:
            self._seen = size, since = self.size, now
        return now - since

    def close(self) -> None:
        """Cut it to its size. Nothing is added any more."""
        size = self.size
        self._map.close()
        os.truncate(self.path, size)


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
    lines = path.read_bytes().split(b"\n")[:-1]
    kept = [line for line in lines if _is_whole(line)]
    if len(kept) < 2 or kept[0] != lines[0] or _label(kept[0]) is None:
        path.unlink()
        return False
    if (whole := b"\n".join(kept) + b"\n") != path.read_bytes():
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
