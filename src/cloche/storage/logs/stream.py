"""The files of one stream: segments named by the ordinal of their first event, of which the last is written to.

An append is one ``write`` and one ``fdatasync``; appends that arrive while another is being synced share the
next one. Any thread may append or read.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloche.foundation.errors import Broken
from cloche.storage.logs import frames
from cloche.storage.logs.frames import Frame, Sieve

SEGMENT_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogEvent:
    """``ordinal`` counts the stream's events in the order they were taken in, from 0."""

    timestamp_ms: int
    ingested_ms: int
    message: str
    ordinal: int


def event_id(stream_id: int, ordinal: int) -> str:
    """Of an event, for ever: 56 digits, as CloudWatch's have."""
    return f"{stream_id:018d}{ordinal:038d}"


@dataclass(slots=True)
class _Segment:
    path: Path
    fd: int
    frames: list[Frame]


@dataclass(frozen=True, slots=True)
class Held:
    """What a stream's files hold altogether. While there is nothing, the times are ``None`` (``last_ms``: 0)."""

    first_ms: int | None = None
    last_ms: int = 0
    ingested_ms: int | None = None
    stored_bytes: int = 0

    def with_frame(self, frame: Frame) -> Held:
        return Held(
            frame.earliest_ms if self.first_ms is None else min(self.first_ms, frame.earliest_ms),
            max(self.last_ms, frame.latest_ms),
            max(self.ingested_ms or 0, frame.ingested_ms),
            self.stored_bytes + frame.stored_bytes,
        )


class StreamFiles:
    """Opened, and repaired where a crash tore the end. ``close`` before another opens the same directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.uses = 0
        """Readers and writers at work, counted by the store so that it closes none of them."""
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._written = 0
        self._synced = 0
        self._failed = False
        if not directory.exists():
            directory.mkdir(parents=True, mode=0o700)
            _sync_directory(directory.parent)
        self._segments = [self._open(path) for path in sorted(directory.glob("*.log"))]
        for segment in self._segments[:-1]:
            segment.frames.extend(frames.read_frames(segment.fd, int(segment.path.stem)))
        if self._segments:
            last = self._segments[-1]
            last.frames.extend(frames.repair(last.fd, int(last.path.stem)))
        self._next = self._next_ordinal()
        self._held = self._add_up()

    @property
    def frames(self) -> list[Frame]:
        """All frames, oldest segment first (a copy)."""
        with self._lock:
            return [frame for segment in self._segments for frame in segment.frames]

    def frames_since(self, ordinal: int) -> list[Frame]:
        """Those of events counted from ``ordinal`` on, in the order they came."""
        found: list[Frame] = []
        with self._lock:
            for segment in reversed(self._segments):
                for frame in reversed(segment.frames):
                    if frame.first < ordinal:
                        return found[::-1]
                    found.append(frame)
        return found[::-1]

    @property
    def held(self) -> Held:
        return self._held

    @property
    def next_ordinal(self) -> int:
        """What the next event will be counted as; all before it have been taken in."""
        return self._next

    def append(self, events: Sequence[tuple[int, str]], ingested_ms: int) -> None:
        """Add the events as one frame. On return they are on the disk; on an exception they are not there."""
        if not events:
            return
        data = frames.encode(events, ingested_ms)
        if len(data) > frames.FRAME_BYTES_MAX:
            raise ValueError("one append is too large")
        times = [timestamp for timestamp, _ in events]
        with self._lock:
            if self._failed:
                raise Broken("a log stream could not be written", detail=str(self.directory))
            segment = self._current()
            offset = segment.frames[-1].end if segment.frames else 0
            try:
                _write_all(segment.fd, data, offset)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(segment.fd, offset)
                raise
            length = len(data) - (frames.PREFIX_BYTES - frames.BATCH_BYTES)
            frame = Frame(offset, length, ingested_ms, min(times), max(times), len(events), self._next)
            segment.frames.append(frame)
            self._held = self._held.with_frame(frame)
            self._next += len(events)
            self._written += 1
            ticket, fd = self._written, segment.fd
        self._sync(ticket, fd)

    def events(self, frame: Frame, sieve: Sieve | None = None) -> list[LogEvent]:
        """Those of the frame (that pass ``sieve``). Raises ``Broken`` if the frame is damaged. A frame that retention
        has removed meanwhile is empty."""
        with self._lock:
            segment = next((s for s in reversed(self._segments) if int(s.path.stem) <= frame.first), None)
            if segment is None or not segment.frames or frame.first > segment.frames[-1].first:
                return []
            held = frames.read_events(segment.fd, frame, sieve)
        return [LogEvent(timestamp, frame.ingested_ms, message, frame.first + at) for at, timestamp, message in held]

    def expire(self, before_ms: int) -> int:
        """Remove whole segments with nothing at or after ``before_ms``; answers how many. The counting of events goes
        on where it was: when all has expired, an empty segment keeps the place."""
        removed = 0
        with self._sync_lock, self._lock:
            if self._segments and all(_expired(segment, before_ms) for segment in self._segments):
                os.fdatasync(self._segments[-1].fd)
                self._segments.append(self._open(self.directory / f"{self._next:020d}.log"))
                _sync_directory(self.directory)
            while len(self._segments) > 1 and _expired(self._segments[0], before_ms):
                segment = self._segments.pop(0)
                os.close(segment.fd)
                segment.path.unlink()
                removed += 1
            if removed:
                self._held = self._add_up()
        return removed

    def close(self) -> None:
        with self._sync_lock, self._lock:
            for segment in self._segments:
                os.close(segment.fd)
            self._segments = []
            self._failed = True

    def settle(self) -> int:
        """Have all that was taken in on the disk; what the next event will be counted as then."""
        with self._lock:
            ticket, upto = self._written, self._next
            fd = self._segments[-1].fd if self._segments else -1
        if fd >= 0:
            self._sync(ticket, fd)
        return upto

    # -- inside ------------------------------------------------------------------------------------------

    def _sync(self, ticket: int, fd: int) -> None:
        with self._sync_lock:
            if self._synced >= ticket:
                return
            with self._lock:
                upto = self._written
            try:
                os.fdatasync(fd)
            except OSError:
                # What the kernel could not write it may have dropped: nothing after this can be trusted.
                self._failed = True
                raise
            self._synced = upto

    def _current(self) -> _Segment:
        """The segment to write to. A full one is left only once it is synced (called under the lock)."""
        if self._segments:
            last = self._segments[-1]
            if not last.frames or last.frames[-1].end < SEGMENT_BYTES:
                return last
            os.fdatasync(last.fd)
        segment = self._open(self.directory / f"{self._next:020d}.log")
        _sync_directory(self.directory)
        self._segments.append(segment)
        return segment

    def _open(self, path: Path) -> _Segment:
        return _Segment(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), [])

    def _add_up(self) -> Held:
        held = Held()
        for segment in self._segments:
            for frame in segment.frames:
                held = held.with_frame(frame)
        return held

    def _next_ordinal(self) -> int:
        if not self._segments:
            return 0
        last = self._segments[-1]
        return last.frames[-1].first + last.frames[-1].count if last.frames else int(last.path.stem)


def _expired(segment: _Segment, before_ms: int) -> bool:
    return bool(segment.frames) and all(frame.latest_ms < before_ms for frame in segment.frames)


def _write_all(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def walk_forward(files: StreamFiles, earliest_ms: int, since: int, until: int) -> list[Frame]:
    """Frames of the events counted from ``since`` up to ``until`` that may hold something at or after ``earliest_ms``,
    by their earliest timestamp. An append is never cut by such a place."""
    wanted = [f for f in files.frames if since <= f.first < until and f.latest_ms >= earliest_ms]
    return sorted(wanted, key=lambda frame: (frame.earliest_ms, frame.first))


def walk_backward(files: StreamFiles, latest_ms: int) -> list[Frame]:
    """Frames that may hold something at or before ``latest_ms``, by their latest timestamp, newest first."""
    wanted = [frame for frame in files.frames if frame.earliest_ms <= latest_ms]
    return sorted(wanted, key=lambda frame: (-frame.latest_ms, -frame.first))
