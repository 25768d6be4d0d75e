"""The form of a log file: frames, each whole or not there.

    frame    length (u32) · CRC-32 of the payload (u32) · payload
    payload  ingested at, ms (i64) · earliest and latest timestamp, ms (i64, i64) · number of events (u32) · events
    event    timestamp, ms (i64) · length (u32) · UTF-8 text

A frame is one append. A crash leaves at most one torn frame, at the end of the newest file: it was never
acknowledged, and is cut off when the file is opened. A frame that is damaged anywhere else is an error.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cloche.foundation.errors import Broken

_HEAD: Final = struct.Struct("<II")
_BATCH: Final = struct.Struct("<qqqI")
_EVENT: Final = struct.Struct("<qI")
BATCH_BYTES: Final = _BATCH.size
PREFIX_BYTES: Final = _HEAD.size + BATCH_BYTES
FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
EVENT_OVERHEAD_BYTES: Final = 26


@dataclass(frozen=True, slots=True)
class Sieve:
    """Keeps out what is certainly not looked for, by its bytes in UTF-8."""

    screen: Callable[[bytes], bool] | None = None
    """Is asked of a message, and of more bytes that hold it among others."""
    needle: bytes = b""
    """Stands in every message that is looked for."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where one append lies, and what it spans. ``first`` is the ordinal of its first event in the stream."""

    offset: int
    length: int
    """Of the payload."""
    ingested_ms: int
    earliest_ms: int
    latest_ms: int
    count: int
    first: int

    @property
    def end(self) -> int:
        return self.offset + _HEAD.size + self.length

    @property
    def message_bytes(self) -> int:
        return self.length - BATCH_BYTES - self.count * _EVENT.size

    @property
    def last(self) -> int:
        """The ordinal of its last event."""
        return self.first + self.count - 1

    @property
    def stored_bytes(self) -> int:
        """As AWS counts: the messages in UTF-8 and 26 bytes for each event."""
        return self.length - BATCH_BYTES + self.count * (EVENT_OVERHEAD_BYTES - _EVENT.size)


def encode(events: Sequence[tuple[int, str]], ingested_ms: int) -> bytes:
    """One frame of ``(timestamp_ms, message)`` pairs, of which there is at least one."""
    times = [timestamp for timestamp, _ in events]
    parts = [_BATCH.pack(ingested_ms, min(times), max(times), len(events))]
    for timestamp, message in events:
        text = message.encode("utf-8", "replace")
        parts.append(_EVENT.pack(timestamp, len(text)))
        parts.append(text)
    payload = b"".join(parts)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def read_frames(fd: int, first: int) -> Iterator[Frame]:
    """The frames of a file by their prefixes alone; ends at the first that is not whole."""
    offset, size = 0, os.fstat(fd).st_size
    while offset + PREFIX_BYTES <= size:
        prefix = os.pread(fd, PREFIX_BYTES, offset)
        length, _ = _HEAD.unpack_from(prefix)
        ingested, earliest, latest, count = _BATCH.unpack_from(prefix, _HEAD.size)
        frame = Frame(offset, length, ingested, earliest, latest, count, first)
        if not _BATCH.size <= length <= FRAME_BYTES_MAX or frame.end > size:
            return
        yield frame
        offset, first = frame.end, first + count


def sound_frames(raw: bytes, first: int) -> Iterator[Frame]:
    """The frames of a file that has been read as a whole; their events begin ``PREFIX_BYTES`` after ``offset``. Ends
    before a frame that is being written. Raises ``Broken`` for one that is damaged."""
    offset = 0
    while offset + PREFIX_BYTES <= len(raw):
        length, checksum = _HEAD.unpack_from(raw, offset)
        ingested, earliest, latest, count = _BATCH.unpack_from(raw, offset + _HEAD.size)
        frame = Frame(offset, length, ingested, earliest, latest, count, first)
        if not _BATCH.size <= length <= FRAME_BYTES_MAX or frame.end > len(raw):
            return
        if zlib.crc32(memoryview(raw)[offset + _HEAD.size : frame.end]) != checksum:
            if frame.end == len(raw):
                return
            raise Broken("a log file is damaged", detail=f"frame at {offset} fails its checksum")
        yield frame
        offset, first = frame.end, first + count


def read_events(fd: int, frame: Frame, sieve: Sieve | None = None) -> list[tuple[int, int, str]]:
    """(place in the frame, timestamp, message) of its events; with ``sieve`` only of those it lets through. A frame
    that does not pass as a whole is not taken apart. Raises ``Broken`` if the frame is not as it was written."""
    raw = os.pread(fd, _HEAD.size + frame.length, frame.offset)
    payload = memoryview(raw)[_HEAD.size :]
    length, checksum = _HEAD.unpack_from(raw) if len(raw) >= _HEAD.size else (0, 0)
    if length != frame.length or len(payload) != length or zlib.crc32(payload) != checksum:
        raise Broken("a log file is damaged", detail=f"frame at {frame.offset} fails its checksum")
    if sieve is not None:
        if sieve.screen is not None and not sieve.screen(raw):
            return []
        if sieve.needle:
            return _events_with(raw, frame.count, sieve.needle)
    screen = None if sieve is None else sieve.screen
    events: list[tuple[int, int, str]] = []
    at = PREFIX_BYTES
    unpack, size_of_head = _EVENT.unpack_from, _EVENT.size
    for place in range(frame.count):
        timestamp, size = unpack(raw, at)
        at += size_of_head
        text = raw[at : at + size]
        at += size
        if screen is None or screen(text):
            events.append((place, timestamp, text.decode("utf-8", "replace")))
    return events


def _events_with(raw: bytes, count: int, needle: bytes) -> list[tuple[int, int, str]]:
    """Those that hold ``needle``. Only lengths are read on the way from one to the next."""
    events: list[tuple[int, int, str]] = []
    unpack, size_of_head = _EVENT.unpack_from, _EVENT.size
    at = PREFIX_BYTES
    found = raw.find(needle, at)
    for place in range(count):
        if found < 0:
            break
        timestamp, size = unpack(raw, at)
        at += size_of_head
        end = at + size
        if found < end:
            text = raw[at:end]
            if needle in text:
                events.append((place, timestamp, text.decode("utf-8", "replace")))
            found = raw.find(needle, end)
        at = end
    return events


def repair(fd: int, first: int) -> list[Frame]:
    """The sound frames of a file that may have been written to when the process ended; what follows is cut off."""
    sound: list[Frame] = []
    for frame in read_frames(fd, first):
        try:
            read_events(fd, frame)
        except Broken:
            break
        sound.append(frame)
    end = sound[-1].end if sound else 0
    if os.fstat(fd).st_size != end:
        os.ftruncate(fd, end)
        os.fsync(fd)
    return sound
