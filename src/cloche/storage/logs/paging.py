"""A page of one stream's events, forwards or backwards, and the place where the next begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from cloche.storage.logs.finding import PAGE_BYTES_MAX
from cloche.storage.logs.frames import EVENT_OVERHEAD_BYTES
from cloche.storage.logs.order import END, START, Boundary, Place, backward_steps, events_of, forward_steps, key_of
from cloche.storage.logs.stream import LogEvent, StreamFiles


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order of time, the boundary before the first, and the place to go on forwards."""

    events: list[LogEvent]
    first: Boundary
    last: Place


def read_forward(
    files: StreamFiles, start: Boundary, end: Boundary, at: tuple[int, ...] | None, limit: int
) -> EventPage:
    since, until, *reached = at or (0, 0, *START)
    while True:
        if until <= since:
            until = files.next_ordinal
        beginning = max(start, (reached[0], reached[1]))
        steps = events_of(forward_steps(files, beginning, since=since, until=until))
        walk = takewhile(lambda event: key_of(event) < end, steps)
        events, more = _fill(walk, limit)
        if events:
            last = events[-1]
            beyond = (since, until, last.timestamp_ms, last.ordinal + 1) if more else (until, until, *START)
            return EventPage(events, key_of(events[0]), beyond)
        if until >= files.next_ordinal:
            # The end: "it returns the same token you passed in".
            rest = (until, until, *START) if at is None else (at[0], at[1], at[2], at[3])
            return EventPage([], end, rest)
        since, reached = until, [*START]


def read_backward(
    files: StreamFiles, start: Boundary, end: Boundary, at: tuple[int, ...] | None, limit: int
) -> EventPage:
    newest = at is None and end == END
    boundary = end if at is None else min(end, (at[0], at[1]))
    until = files.next_ordinal
    steps = events_of(backward_steps(files, boundary))
    events, _ = _fill(takewhile(lambda event: key_of(event) >= start, steps), limit)
    events.reverse()
    if newest:
        last: Place = (until, until, *START)
    elif events:
        last = (0, until, events[-1].timestamp_ms, events[-1].ordinal + 1)
    else:
        last = (0, until, *boundary)
    first = key_of(events[0]) if events else (at[0], at[1]) if at is not None else start
    return EventPage(events, first, last)


def _fill(events: Iterator[LogEvent], limit: int) -> tuple[list[LogEvent], bool]:
    """As many as fit a page (at least one, if there is one), and whether any is left."""
    taken: list[LogEvent] = []
    room = PAGE_BYTES_MAX
    for event in events:
        room -= len(event.message.encode()) + EVENT_OVERHEAD_BYTES
        if taken and (room < 0 or len(taken) >= limit):
            return taken, True
        taken.append(event)
    return taken, False
