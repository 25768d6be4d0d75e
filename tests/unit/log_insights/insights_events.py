"""Events as a query's process sees them, without files and processes."""

from __future__ import annotations

import json
from typing import Any

from cloche.engines.log_insights.scan.program import Program
from cloche.storage.logs.frames import PREFIX_BYTES, encode, sound_frames

AT = 1_764_115_200_000
"""2025-11-26 00:00:00 UTC."""
Event = tuple[int, str]


def events_of(messages: list[Any], step_ms: int = 1000) -> list[Event]:
    texts = [message if isinstance(message, str) else json.dumps(message) for message in messages]
    return [(AT + place * step_ms, text) for place, text in enumerate(texts)]


def answered(
    query: str, events: list[Event], *, limit: int | None = None, processes: int = 1, split: int = 1000
) -> list[dict[str, str]]:
    """Rows without ``@ptr``. The events lie in frames of ``split``, dealt out to so many programs."""
    programs = [Program(query, limit, AT) for _ in range(processes)]
    for place, start in enumerate(range(0, len(events), split)):
        program = programs[place % processes]
        raw = encode(events[start : start + split], AT + 10_000)
        (frame,) = sound_frames(raw, start)
        if all(needle.is_in(raw, PREFIX_BYTES, len(raw)) for needle in program.needles):
            program.scan(True, raw, PREFIX_BYTES, frame.count, start, frame.ingested_ms, 1, "s", "1:g", 0, 2**62)
        program.sink.tidy()
    first, *rest = programs
    for other in rest:
        first.sink.merge(other.sink.dump())
    rows = [dict(row) for row in first.results()]
    for row in rows:
        row.pop("@ptr", None)
    return rows
