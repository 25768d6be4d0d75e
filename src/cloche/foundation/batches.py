"""Batches taken from a queue for ever, several on their way at once: what a Lambda mapping and a pipe do alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cloche.foundation.errors import ClocheError

T = TypeVar("T")

TAKEN_AT_ONCE: Final = 10
"""As many as a queue hands out at once (API_ReceiveMessage.html: MaxNumberOfMessages)."""
BATCHES_AT_ONCE: Final = 5
"""docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html: it begins with five."""
WAIT_SECONDS: Final = 20.0
"""The longest that a queue lets somebody wait for its first message."""
PAUSE_SECONDS: Final = 1.0
"""After what went wrong: the queue's timeout brings its messages again."""


class AtWork:
    """Counts batches of which something was taken and that are not handled yet."""

    def __init__(self) -> None:
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0


@dataclass(frozen=True, slots=True)
class Polling(Generic[T]):
    take: Callable[[int, float], Awaitable[Sequence[T]]]
    """Up to so many, waiting so many seconds for the first. Raises a ``ClocheError`` where it cannot."""
    hand_over: Callable[[list[T]], Awaitable[None]]
    """Does what is to be done with a batch, its failures included."""
    at_work: AtWork
    batch_size: int
    window_seconds: float
    """How long a batch that is not full waits for more, in the machine's time."""
    at_once: int = BATCHES_AT_ONCE

    async def run(self) -> None:
        """Until it is cancelled. Batches that are on their way then are still handed over."""
        room = asyncio.Semaphore(self.at_once)
        under_way: set[asyncio.Future[None]] = set()

        def handed_over(task: asyncio.Future[None]) -> None:
            under_way.discard(task)
            self.at_work.count -= 1
            room.release()

        while True:
            await room.acquire()
            batch = await self._batch()
            if not batch:
                room.release()
                continue
            task = asyncio.ensure_future(self.hand_over(batch))
            under_way.add(task)
            task.add_done_callback(handed_over)

    async def _batch(self) -> list[T]:
        """What is there; with a window, what comes in that time, until the batch is full. At work where not empty."""
        batch: list[T] = []
        loop = asyncio.get_running_loop()
        try:
            batch += await self.take(min(self.batch_size, TAKEN_AT_ONCE), WAIT_SECONDS)
            self.at_work.count += bool(batch)
            until = loop.time() + self.window_seconds
            while batch and len(batch) < self.batch_size and (left := until - loop.time()) > 0:
                batch += await self.take(min(self.batch_size - len(batch), TAKEN_AT_ONCE), left)
        except ClocheError:
            if not batch:
                await asyncio.sleep(PAUSE_SECONDS)
        except BaseException:
            self.at_work.count -= bool(batch)
            raise
        return batch
