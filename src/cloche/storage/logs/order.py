"""Events in the order of their time, forwards or backwards, without reading more than is asked for.

Batches are chronological inside but may overlap each other (a late writer). A frame tells the span of its
times, so frames are taken in the order of their earliest (backwards: latest) time, and an event is given out
once no frame still unread can hold one before it; of frames with the same time the ordinals tell.

A place in time is a *boundary*: the gap before the event of that (timestamp, ordinal). Going backwards that is all
there is to know: what has been seen lies behind it.

Going forwards it is not, for an event may come in later with a timestamp that has been passed already. So a *place*
of a follower says two things: which events are being read (those counted from ``since`` up to ``until``), and the
boundary reached among them. When they are all read, the place moves on to what has been taken in since. Whoever
follows a stream sees every event once, whatever its timestamp; within what was there when a turn began, in the order
of time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Final

from cloche.storage.logs.frames import Frame, Sieve
from cloche.storage.logs.stream import LogEvent, StreamFiles, walk_backward, walk_forward

Boundary = tuple[int, int]
Place = tuple[int, int, int, int]
"""since, until, timestamp, ordinal."""
START: Final[Boundary] = (0, 0)
END: Final[Boundary] = (2**62, 0)

Step = tuple[Frame, None] | tuple[None, LogEvent]
"""A frame is about to be read, or here is an event. When a frame is announced, every event before its earliest time
and first ordinal (backwards: after its latest and last) has been given."""


def forward_steps(
    files: StreamFiles, start: Boundary, *, since: int = 0, until: int = END[0], sieve: Sieve | None = None
) -> Iterator[Step]:
    """Events at or after ``start``, earliest first, of those counted from ``since`` up to ``until``."""
    heap: list[tuple[Boundary, LogEvent]] = []
    frames = walk_forward(files, start[0], since, until)
    for at, frame in enumerate(frames):
        while heap and heap[0][0] < _first_of(frame):
            yield None, heapq.heappop(heap)[1]
        yield frame, None
        keyed = [(key_of(event), event) for event in files.events(frame, sieve)]
        if frame.earliest_ms <= start[0]:
            keyed = [pair for pair in keyed if pair[0] >= start]
        alone = not heap and (at + 1 == len(frames) or _last_of(frame) < _first_of(frames[at + 1]))
        if alone:  # nothing overlaps it: no need to sort it in among others
            keyed.sort(key=lambda pair: pair[0])
            for _, event in keyed:
                yield None, event
        else:
            for pair in keyed:
                heapq.heappush(heap, pair)
    while heap:
        yield None, heapq.heappop(heap)[1]


def backward_steps(files: StreamFiles, end: Boundary, *, sieve: Sieve | None = None) -> Iterator[Step]:
    """Events before ``end``, latest first."""
    heap: list[tuple[Boundary, LogEvent]] = []
    for frame in walk_backward(files, end[0]):
        while heap and key_of(heap[0][1]) > _last_of(frame):
            yield None, heapq.heappop(heap)[1]
        yield frame, None
        for event in files.events(frame, sieve):
            if key_of(event) < end:
                heapq.heappush(heap, ((-event.timestamp_ms, -event.ordinal), event))
    while heap:
        yield None, heapq.heappop(heap)[1]


def events_of(steps: Iterable[Step]) -> Iterator[LogEvent]:
    """The events alone."""
    for _, event in steps:
        if event is not None:
            yield event


def key_of(event: LogEvent) -> Boundary:
    return event.timestamp_ms, event.ordinal


def _first_of(frame: Frame) -> Boundary:
    """No event of the frame comes before that."""
    return frame.earliest_ms, frame.first


def _last_of(frame: Frame) -> Boundary:
    """No event of the frame comes after that."""
    return frame.latest_ms, frame.last
