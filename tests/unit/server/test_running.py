"""Handlers on the loop, in threads and as coroutines; a bound on those that wait."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from cloche.aws.operation import Answer, Operation
from cloche.foundation.errors import LimitReached
from cloche.server.running import Runner

NOTHING: Any = None


def run(operation: Operation, runner: Runner | None = None) -> Answer:
    return asyncio.run((runner or Runner(2)).run(operation, NOTHING, {}))


def test_where_each_kind_runs() -> None:
    def here(ctx: Any, request: Any) -> dict[str, Any]:
        return {"thread": threading.current_thread() is threading.main_thread()}

    async def coroutine(ctx: Any, request: Any) -> dict[str, Any]:
        return here(ctx, request)

    assert run(Operation("A", here)).members == {"thread": False}
    assert run(Operation("A", here, inline=True)).members == {"thread": True}
    assert run(Operation("A", coroutine)).members == {"thread": True}


def test_nothing_is_an_empty_answer() -> None:
    assert run(Operation("A", lambda ctx, request: None)).members == {}
    assert run(Operation("A", lambda ctx, request: Answer({}, 206))).status == 206


def test_too_many_waiting_are_refused() -> None:
    release = threading.Event()
    runner = Runner(1, waiting_max=3)

    def slow(ctx: Any, request: Any) -> None:
        release.wait(10)

    async def crowd() -> list[Any]:
        waiting = [asyncio.create_task(runner.run(Operation("A", slow), NOTHING, {})) for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(LimitReached):
            await runner.run(Operation("A", slow), NOTHING, {})
        release.set()
        return await asyncio.gather(*waiting)

    assert len(asyncio.run(crowd())) == 3
    runner.close()
