"""The one thread that runs what may take long, so that the event loop always answers ``/ping``.

A plain queue and ``call_soon_threadsafe``: an executor with futures costs twice as much a question.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

from cloche_jobs.serving.http import answer_to
from cloche_jobs.serving.model import Answer, Model, Question


class Worker:
    def __init__(self, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        self.model, self.loop = model, loop
        self.waiting: queue.SimpleQueue[tuple[Question, Callable[[Answer], None]] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="model", daemon=True)
        self.thread.start()

    def submit(self, question: Question, done: Callable[[Answer], None]) -> None:
        """Answer ``question`` in the thread, then call ``done`` in the event loop."""
        self.waiting.put((question, done))

    def stop(self) -> None:
        self.waiting.put(None)

    def _run(self) -> None:
        while (item := self.waiting.get()) is not None:
            question, done = item
            answer = answer_to(self.model, question)
            try:
                self.loop.call_soon_threadsafe(done, answer)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
