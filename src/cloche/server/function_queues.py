"""Queues of Amazon SQS as Lambda uses them: where given-up events and results are sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from cloche.engines.queues import Draft, Queues


class FunctionQueues:
    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def send(self, tx: sqlite3.Connection, arn: str, body: str, attributes: Mapping[str, str]) -> None:
        """In the caller's transaction. Raises ``NotFound``."""
        kept = {
            name: {"DataType": "Number" if name == "ErrorCode" else "String", "StringValue": value}
            for name, value in attributes.items()
        }
        queue = self._queues.find_arn(tx, arn)
        self._queues.send_within(tx, queue, [Draft(body, {"attributes": kept} if kept else {})])
