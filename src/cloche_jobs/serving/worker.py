"""The one thread that runs what may take long, so that the event loop always answers ``/ping``.

A plain queue and ``call_soon_threadsafe``: an executor with futures costs twice as much a question.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from cloche_jobs.serving.answers import answer_to, error_answer
from cloche_jobs.serving.http import Connection
from cloche_jobs.serving.model import Answer, Model, Question, Stream
from cloche_jobs.serving.streaming import Outflow

Asked = tuple[Question, Connection]
log = logging.getLogger("cloche_jobs.serving")


class Worker:
    def __init__(self, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        self.model, self.loop = model, loop
        self.since = 0.0
        """When the model began what it is at, by ``time.monotonic``; 0 while it is at nothing."""
        self.waiting: queue.SimpleQueue[Asked | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="model", daemon=True)
        self.thread.start()

    def submit(self, question: Question, asker: Connection) -> None:
        """Answer ``question`` in the thread, then tell ``asker`` in the event loop."""
        self.waiting.put((question, asker))

    def stop(self) -> None:
        self.waiting.put(None)

    def busy_seconds(self) -> float:
        """How long the model has been at what it is at. Whoever reads an answer slowly does not count for it."""
        since = self.since
        return time.monotonic() - since if since else 0.0

    def _run(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            while (first := self.waiting.get()) is not None:
                self.since = time.monotonic()
                together = self._with_those_that_wait(first) if self.model.batch_max > 1 else [first]
                answers = self.model.answer_many([question for question, _ in together]) if together[1:] else [None]
                for (question, asker), answer in zip(together, answers, strict=True):
                    self._tell(asker, answer or answer_to(self.model, question))
                self.since = 0.0

    def _with_those_that_wait(self, first: Asked) -> list[Asked]:
        found = [first]
        with suppress(queue.Empty):
            while len(found) < self.model.batch_max:
                item = self.waiting.get_nowait()
                if item is None:
                    self.stop()  # after these
                    break
                found.append(item)
        return found

    def _tell(self, asker: Connection, answer: Answer | Stream) -> None:
        if isinstance(answer, Stream):
            self._stream(answer, asker)
        else:
            self.loop.call_soon_threadsafe(asker.answered, answer)

    def _stream(self, stream: Stream, asker: Connection) -> None:
        pieces = self._timed(stream.pieces)
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
            if (close := getattr(stream.pieces, "close", None)) is not None:
                with suppress(Exception):
                    close()
        self.loop.call_soon_threadsafe(asker.end_stream, outflow, complete)

    def _timed(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Each is something the model is at."""
        while True:
            self.since = time.monotonic()
            try:
                piece = next(pieces)
            except StopIteration:
                return
            finally:
                self.since = 0.0
            yield piece
