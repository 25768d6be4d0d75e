"""Streams that another process reads by itself, and an event that such a process has pointed at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloche.storage.logs.files import OpenStreams
from cloche.storage.logs.stream import LogEvent


@dataclass(frozen=True, slots=True)
class LogSource:
    """The files of a stream for another process to read: what is older than ``start_ms`` is not to be seen."""

    number: int
    stream: str
    directory: Path
    start_ms: int


def event_at(files: OpenStreams, number: int, ordinal: int) -> LogEvent | None:
    """The event of that number in that stream, if it is there still."""
    with files.use(number) as held:
        frames = [frame for frame in held.frames if frame.first <= ordinal <= frame.last]
        return next((event for frame in frames for event in held.events(frame) if event.ordinal == ordinal), None)
