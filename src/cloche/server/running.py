"""Running handlers: on the loop, in the bounded pool of threads, or as coroutines."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from cloche.aws.operation import Answer, Context, Kept, Members, Operation
from cloche.foundation.errors import LimitReached
from cloche.foundation.limits import HANDLER_QUEUE_MAX, HANDLER_THREADS

T = TypeVar("T")


class Runner:
    """``pool`` is shared by handlers and by whatever else of the server must not block the loop."""

    def __init__(self, threads: int = HANDLER_THREADS, waiting_max: int = HANDLER_QUEUE_MAX) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="handler")
        self._waiting_max = waiting_max
        self._busy = 0
        self._is_async: dict[Any, bool] = {}

    async def run(self, operation: Operation, context: Context, members: Members) -> Answer:
        """What the handler answers. Raises what it raises, ``LimitReached`` where too many wait already."""
        handler = operation.handler
        if operation.is_inline(members):
            return _answer(handler(context, members))
        if self.is_plain(operation):
            return _answer(await self.in_thread(handler, context, members))
        return _answer(await handler(context, members))

    def is_plain(self, operation: Operation) -> bool:
        """Whether its handler is a function that may run in any thread."""
        handler = operation.handler
        is_async = self._is_async.get(handler)
        if is_async is None:
            is_async = self._is_async[handler] = inspect.iscoroutinefunction(handler)
        return not is_async

    def run_here(self, operation: Operation, context: Context, members: Members) -> Answer:
        """The answer of a plain handler, from the thread that asks: not the loop's."""
        return _answer(operation.handler(context, members))

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        if self._busy >= self._waiting_max:
            raise LimitReached("Rate exceeded: too many requests are waiting to be handled")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.pool, function, *arguments)
        finally:
            self._busy -= 1

    def close(self) -> None:
        """Wait for what is running; drop what is waiting."""
        self.pool.shutdown(wait=True, cancel_futures=True)


def _answer(answer: Any) -> Answer:
    if isinstance(answer, Answer):
        return answer
    assert answer is None or isinstance(answer, dict | Kept), f"a handler answers a dict, not {type(answer).__name__}"
    return Answer(cast("Members", answer or {}))  # kept members are read as any others
