"""Event frames, however they are cut; what was read must come back from the writer."""

from __future__ import annotations

from datetime import datetime

from cloche.aws.protocols import eventstream


def frames(data: bytes, size: int) -> list[eventstream.Frame] | None:
    decoder = eventstream.FrameDecoder()
    try:
        seen = [frame for at in range(0, len(data), size) for frame in decoder.feed(data[at : at + size])]
        decoder.close()
    except eventstream.MalformedFrame:
        return None
    return seen


def one(data: bytes) -> None:
    size = data[0] % 31 + 1 if data else 1
    whole = frames(data[1:], 1 << 20)
    assert whole == frames(data[1:], size)
    for frame in whole or ():
        if not any(isinstance(value, datetime | int) for value in frame.headers.values()):
            again = eventstream.encode_frame(frame.headers, frame.payload)
            assert frames(again, 1 << 20) == [frame]
    _resealed(data[1:])


def _resealed(data: bytes) -> None:
    """The same with checksums made right, so that what lies behind them is reached."""
    if len(data) < 12:
        return
    try:
        eventstream._decode_headers(data)
    except (IndexError, ValueError, eventstream.struct.error):
        pass  # what ``_decode`` turns into MalformedFrame
