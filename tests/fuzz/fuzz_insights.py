"""Queries of Logs Insights over messages: read and answered, or refused with the place. The query ends at a NUL."""

from __future__ import annotations

from cloche.engines.log_insights.language import QueryError
from cloche.engines.log_insights.scan.program import Program
from cloche.storage.logs.frames import PREFIX_BYTES, encode, sound_frames

AT = 1_764_115_200_000


def one(data: bytes) -> None:
    query, _, rest = data.partition(b"\x00")
    text = query.decode(errors="replace")
    try:
        program = Program(text, None, AT)
    except QueryError as error:
        assert 0 <= error.start <= error.end <= len(text)
        return
    if "/" in text:  # an expression may backtrack for ever: the process that runs it is killed then
        return
    messages = [line.decode(errors="replace") for line in rest.split(b"\n")]
    raw = encode([(AT + place, message) for place, message in enumerate(messages)], AT)
    (frame,) = sound_frames(raw, 0)
    program.scan(True, raw, PREFIX_BYTES, frame.count, 0, AT, 1, "s", "1:g", 0, 2**62)
    program.sink.tidy()
    for row in program.results():
        assert all(isinstance(name, str) and isinstance(value, str) for name, value in row)
