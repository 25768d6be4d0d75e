"""Where Lambda sends events it gave up, and results: queues of Amazon SQS, and topics of Amazon SNS."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from cloche.engines.queues import Draft, Queues
from cloche.engines.topics import Message, Topics


class FunctionOutlets:
    def __init__(self, queues: Queues, topics: Topics) -> None:
        self._queues, self._topics = queues, topics

    def send(self, tx: sqlite3.Connection, arn: str, body: str, attributes: Mapping[str, str]) -> None:
        """In the caller's transaction. Raises ``NotFound``."""
        kept = {
            name: {"DataType": "Number" if name == "ErrorCode" else "String", "StringValue": value}
            for name, value in attributes.items()
        }
        if arn.startswith("arn:aws:sns:"):
            self._topics.publish_within(tx, arn, Message(body, attributes=kept))
            return
        queue = self._queues.find_arn(tx, arn)
        self._queues.send_within(tx, queue, [Draft(body, {"attributes": kept} if kept else {})])
