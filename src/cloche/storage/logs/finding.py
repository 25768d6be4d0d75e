"""Events of many streams that match, merged in the order of time, a page at a time.

A page ends when it is full, and also when enough has been searched: then it may be empty and still say where to go
on, as AWS's may ("You can receive an empty page with a token", API reference of FilterLogEvents). ``sieve`` lets
whole appends go by unread; what it lets through is asked ``matches``.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cloche.storage.logs.files import OpenStreams
from cloche.storage.logs.frames import EVENT_OVERHEAD_BYTES, Sieve
from cloche.storage.logs.index import LogStream
from cloche.storage.logs.order import END, backward_steps, forward_steps
from cloche.storage.logs.stream import LogEvent

PAGE_EVENTS_MAX: Final = 10_000
PAGE_BYTES_MAX: Final = 1024 * 1024
SEARCHED_BYTES_MAX: Final = 64 * 1024 * 1024
_LAST: Final = END[0]

Position = tuple[int, int, int]
"""Time, stream id, ordinal: the first event (backwards: the last) that a page may begin with."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for, in events from ``start_ms`` up to, not including, ``end_ms``."""

    matches: Callable[[str], bool]
    sieve: Sieve | None = None
    start_ms: int = 0
    end_ms: int = END[0]
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class FoundPage:
    """``next`` is where to go on, if anywhere."""

    events: list[tuple[LogStream, LogEvent]]
    next: Position | None


_Item = tuple[Position, LogStream, LogEvent | None, int]
"""With an event, or without one where bytes are about to be searched."""


def find_events(
    files: OpenStreams, streams: Sequence[LogStream], question: Question, at: Position | None, limit: int
) -> FoundPage:
    sign = -1 if question.newest_first else 1
    walk = _backwards if question.newest_first else _forwards
    walks = [walk(files, stream, question, at) for stream in streams]
    events: list[tuple[LogStream, LogEvent]] = []
    room, searched = PAGE_BYTES_MAX, 0
    for position, stream, event, cost in heapq.merge(*walks, key=lambda item: tuple(sign * part for part in item[0])):
        if event is None:
            # A page must get on: never end where it began.
            if searched > SEARCHED_BYTES_MAX and position != at:
                return FoundPage(events, position)
            searched += cost
            continue
        room -= len(event.message.encode()) + EVENT_OVERHEAD_BYTES
        if events and (room < 0 or len(events) >= limit):
            return FoundPage(events, position)
        events.append((stream, event))
    return FoundPage(events, None)


def _forwards(files: OpenStreams, stream: LogStream, question: Question, at: Position | None) -> Iterator[_Item]:
    start = (question.start_ms, 0)
    if at is not None:
        time_ms, number, ordinal = at
        beyond = (time_ms, ordinal if stream.id == number else 0) if stream.id >= number else (time_ms + 1, 0)
        start = max(start, beyond)
    if stream.first_ms is None:
        return
    # Not opened before its time comes: streams that follow each other are never open together.
    begin = (max(stream.first_ms, start[0]), stream.id, 0)
    yield (max(begin, at) if at is not None else begin), stream, None, 0
    with files.use(stream.id) as held:
        for frame, event in forward_steps(held, start, sieve=question.sieve):
            if frame is not None:
                if frame.earliest_ms >= question.end_ms:
                    return
                earliest = max((frame.earliest_ms, stream.id, frame.first), (start[0], stream.id, 0))
                yield (max(earliest, at) if at is not None else earliest), stream, None, frame.length
            elif event is not None and event.timestamp_ms >= question.end_ms:
                return
            elif event is not None and question.matches(event.message):
                yield (event.timestamp_ms, stream.id, event.ordinal), stream, event, 0


def _backwards(files: OpenStreams, stream: LogStream, question: Question, at: Position | None) -> Iterator[_Item]:
    end = (question.end_ms, 0)
    if at is not None:
        time_ms, number, ordinal = at
        before = (time_ms, ordinal + 1 if stream.id == number else 0) if stream.id >= number else (time_ms + 1, 0)
        end = min(end, before)
    if stream.first_ms is None:
        return
    begin = (min(stream.last_ms, end[0]), stream.id, _LAST)
    yield (min(begin, at) if at is not None else begin), stream, None, 0
    with files.use(stream.id) as held:
        for frame, event in backward_steps(held, end, sieve=question.sieve):
            if frame is not None:
                if frame.latest_ms < question.start_ms:
                    return
                latest = min((frame.latest_ms, stream.id, frame.last), (end[0], stream.id, _LAST))
                yield (min(latest, at) if at is not None else latest), stream, None, frame.length
            elif event is not None and event.timestamp_ms < question.start_ms:
                return
            elif event is not None and question.matches(event.message):
                yield (event.timestamp_ms, stream.id, event.ordinal), stream, event, 0
