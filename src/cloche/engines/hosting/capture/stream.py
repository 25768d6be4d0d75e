"""An answer that is passed on in pieces, gathered for its record."""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter

from cloche.engines.hosting.answer import Answer, Headers
from cloche.engines.hosting.capture.heard import Heard
from cloche.engines.hosting.capture.recorder import Recorder
from cloche.foundation.limits import INVOKE_BODY_BYTES_MAX

log = logging.getLogger(__name__)


class Captured:
    """``add`` each piece, and at the end ``end``; without that nothing is captured."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """A longer answer than any that is not streamed has no record: it would be held in memory for minutes."""
        self._size += len(piece)
        if self._size <= INVOKE_BODY_BYTES_MAX:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    async def end(self, heard: Heard, status: int, headers: Headers) -> None:
        """The answer is complete: returns once its record is written."""
        if self._size > INVOKE_BODY_BYTES_MAX:
            log.warning("a streamed answer of %d bytes is too long to be captured", self._size)
            return
        answer = Answer(status, headers, b"".join(self._pieces))
        if self._recorder.take_chosen(heard, answer, perf_counter()):
            return
        written = asyncio.get_running_loop().create_future()

        def given(variant: str, answer: Answer) -> None:
            if not written.done():
                written.set_result(None)

        self._recorder.take_apart(heard, answer, given)
        await written
