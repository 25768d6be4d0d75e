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
        self._queues.send_to_arn(tx, arn, Draft(body, {"attributes": kept} if kept else {}))
