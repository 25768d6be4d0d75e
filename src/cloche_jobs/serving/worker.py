"""The one thread that runs what may take long, so that the event loop always answers ``/ping``.

A plain queue and ``call_soon_threadsafe``: an executor with futures costs twice as much a question.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from contextlib import suppress

from cloche_jobs.serving.answers import answer_to, error_answer
from cloche_jobs.serving.http import Connection
from cloche_jobs.serving.model import Model, Question, Stream
from cloche_jobs.serving.streaming import Outflow

log = logging.getLogger("cloche_jobs.serving")


class Worker:
    def __init__(self, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        self.model, self.loop = model, loop
        self.waiting: queue.SimpleQueue[tuple[Question, Connection] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="model", daemon=True)
        self.thread.start()

    def submit(self, question: Question, asker: Connection) -> None:
        """Answer ``question`` in the thread, then tell ``asker`` in the event loop."""
        self.waiting.put((question, asker))

    def stop(self) -> None:
        self.waiting.put(None)

    def _run(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            while (item := self.waiting.get()) is not None:
                question, asker = item
                answer = answer_to(self.model, question)
                if isinstance(answer, Stream):
                    self._stream(answer, asker)
                else:
                    self.loop.call_soon_threadsafe(asker.answered, answer)

    def _stream(self, stream: Stream, asker: Connection) -> None:
        pieces = stream.pieces
        try:
            first = next(pieces, b"")
        except Exception as error:
            self.loop.call_soon_threadsafe(asker.answered, error_answer(error))
            return
        outflow = Outflow(stream, self.loop)
        self.loop.call_soon_threadsafe(asker.begin_stream, outflow)
        complete = False
        try:
            complete = outflow.send(first) and all(map(outflow.send, pieces))
        except Exception:
            log.exception("Exception on /invocations [POST], while the answer was being sent")
        finally:
            if (close := getattr(pieces, "close", None)) is not None:
                with suppress(Exception):
                    close()
        self.loop.call_soon_threadsafe(asker.end_stream, outflow, complete)
