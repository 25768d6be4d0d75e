"""Polling: what becomes of a batch, what counts as work, and how many are on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cloche.foundation.batches import AtWork, Polling
from cloche.foundation.errors import NotFound


class Source:
    """Hands out what it was given, then waits for ever. An exception among it is raised."""

    def __init__(self, *given: list[int] | Exception) -> None:
        self.given = list(given)
        self.asked: list[int] = []

    async def take(self, most: int, seconds: float) -> Sequence[int]:
        self.asked.append(most)
        if not self.given:
            await asyncio.Event().wait()
        if isinstance(found := self.given.pop(0), Exception):
            raise found
        return found


async def _until(condition: object) -> None:
    while not condition():  # type: ignore[operator]
        await asyncio.sleep(0.001)


def test_a_window_gathers_until_the_batch_is_full() -> None:
    async def story() -> None:
        source, handed, work = Source([1, 2], [3], [4, 5]), list[list[int]](), AtWork()

        async def hand_over(batch: list[int]) -> None:
            handed.append(batch)

        task = asyncio.ensure_future(Polling(source.take, hand_over, work, 5, 60.0).run())
        await _until(lambda: handed and not work)
        task.cancel()
        assert handed == [[1, 2, 3, 4, 5]]
        assert source.asked[:3] == [5, 3, 2]

    asyncio.run(story())


def test_what_was_taken_is_work_until_it_is_handled_and_no_longer() -> None:
    async def story() -> None:
        source, done, work = Source([1], [2], [3]), asyncio.Event(), AtWork()

        async def hand_over(batch: list[int]) -> None:
            await done.wait()

        task = asyncio.ensure_future(Polling(source.take, hand_over, work, 1, 0.0, at_once=2).run())
        await _until(lambda: work.count == 2)
        await asyncio.sleep(0.01)
        assert source.given == [[3]], "a third while two are on their way"
        done.set()
        await _until(lambda: not source.given and not work)
        task.cancel()

    asyncio.run(story())


def test_ended_while_it_gathers_it_is_not_at_work() -> None:
    async def story() -> None:
        source, work = Source([1]), AtWork()

        async def hand_over(batch: list[int]) -> None: ...

        task = asyncio.ensure_future(Polling(source.take, hand_over, work, 5, 60.0).run())
        await _until(lambda: work)
        task.cancel()
        await asyncio.wait([task])
        assert not work

    asyncio.run(story())


def test_a_source_that_fails_loses_nothing_that_was_taken() -> None:
    async def story() -> None:
        source, handed, work = Source([1], NotFound("gone")), list[list[int]](), AtWork()

        async def hand_over(batch: list[int]) -> None:
            handed.append(batch)

        task = asyncio.ensure_future(Polling(source.take, hand_over, work, 5, 60.0).run())
        await _until(lambda: handed)
        task.cancel()
        assert handed == [[1]]

    asyncio.run(story())
