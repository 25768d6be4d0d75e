"""What pipes take from and go through: SQS queues and Lambda functions, behind the ports of the engine of events."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from cloche.engines.functions import LATEST, Functions, Owner
from cloche.engines.functions.mappings import Taken
from cloche.engines.functions.outcome import Event, Throttled, Unready
from cloche.engines.queues import Queues
from cloche.foundation.errors import Conflict, NotFound
from cloche.foundation.ids import request_id
from cloche.server.function_queues import FunctionQueues


class PipeQueues:
    """Messages look as they do to functions."""

    def __init__(self, queues: Queues) -> None:
        self._queues, self._taking = queues, FunctionQueues(queues)

    def seconds_until_next(self, arn: str) -> float | None:
        _, _, _, region, account, name = arn.split(":", 5)
        return self._queues.seconds_until_next(self._queues.find(account, region, name))

    async def take(self, arn: str, most: int, seconds: float) -> list[Taken]:
        return await self._taking.take(arn, most, seconds)

    def remove_within(self, tx: sqlite3.Connection, arn: str, done: Sequence[Taken]) -> None:
        """Raises ``Conflict`` where one of them was not in hand any more: somebody else has it by now."""
        removed = self._queues.delete_within(tx, self._queues.find_arn(tx, arn), [taken.handle for taken in done])
        if not all(removed):
            raise Conflict("a message's visibility timeout ended before it was handed over")


class PipeFunctions:
    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    async def invoke(self, arn: str, payload: bytes) -> bytes:
        parts = arn.split(":")
        if len(parts) not in (7, 8) or parts[5] != "function":
            raise NotFound(f"{arn} is not the ARN of a function.")
        target = self._functions.target(Owner(parts[4], parts[3], parts[6]), parts[7] if len(parts) == 8 else LATEST)
        try:
            outcome = await self._functions.invoke(target, Event(request_id(), payload, arn))
        except (Throttled, Unready) as why:
            raise Conflict(str(why)) from why
        if outcome.failed:
            raise Conflict(f"{arn} failed: {outcome.payload[:500].decode(errors='replace')}")
        return outcome.payload
