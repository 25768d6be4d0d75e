"""Events in the order of their time, forwards or backwards, without reading more than is asked for.

Batches are chronological inside but may overlap each other (a late writer). A frame tells the span of its
times, so frames are taken in the order of their earliest (backwards: latest) time, and an event is given out
once no frame still unread can hold one before it.

A place in a stream is a *boundary*: the gap before the event of that (timestamp, ordinal). A forward token and
a backward token are both boundaries, and an empty read leaves them where they are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

from cloche.storage.logs.stream import LogEvent, StreamFiles, walk_backward, walk_forward

Boundary = tuple[int, int]
END: Final[Boundary] = (2**62, 0)


def forward(files: StreamFiles, start: Boundary) -> Iterator[LogEvent]:
    """Events at or after ``start``, earliest first."""
    heap: list[tuple[Boundary, LogEvent]] = []
    for frame in walk_forward(files, start[0]):
        while heap and heap[0][0][0] < frame.earliest_ms:
            yield heapq.heappop(heap)[1]
        for event in files.events(frame):
            key = (event.timestamp_ms, event.ordinal)
            if key >= start:
                heapq.heappush(heap, (key, event))
    while heap:
        yield heapq.heappop(heap)[1]


def backward(files: StreamFiles, end: Boundary) -> Iterator[LogEvent]:
    """Events before ``end``, latest first."""
    heap: list[tuple[Boundary, LogEvent]] = []
    for frame in walk_backward(files, end[0]):
        while heap and -heap[0][0][0] > frame.latest_ms:
            yield heapq.heappop(heap)[1]
        for event in files.events(frame):
            key = (event.timestamp_ms, event.ordinal)
            if key < end:
                heapq.heappush(heap, ((-event.timestamp_ms, -event.ordinal), event))
    while heap:
        yield heapq.heappop(heap)[1]
