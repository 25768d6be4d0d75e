"""Queues of Amazon SQS as Lambda's event source mappings use them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cloche.engines.functions.mappings import Taken
from cloche.engines.queues import Queue, Queues, Received, receipts
from cloche.foundation.errors import NotFound


class FunctionQueues:
    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def visibility_seconds(self, arn: str) -> int:
        """Raises ``NotFound``."""
        return self._find(arn).settings.visibility_seconds

    def next_at(self, arn: str) -> float | None:
        try:
            return self._queues.next_at(self._find(arn))
        except NotFound:
            return None

    async def take(self, arn: str, most: int, seconds: float) -> list[Taken]:
        """Raises ``NotFound``."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        queue = self._find(arn)
        while True:
            with self._queues.waiting.listen(queue.id) as something:
                if self._queues.has_something(queue):
                    received = await asyncio.wrap_future(
                        self._queues.receive(queue, most=most, visibility_seconds=queue.settings.visibility_seconds)
                    )
                    if received:
                        return [_taken(queue, message) for message in received]
                left = until - loop.time()
                if self._queues.waiting.is_closing:
                    await asyncio.sleep(max(left, 1.0))  # the server stops, and this task with it
                if left <= 0:
                    return []
                soon = self._queues.seconds_until_next(queue)
                try:
                    await asyncio.wait_for(something.wait(), min(left, left if soon is None else soon + 0.01))
                except TimeoutError:
                    pass
            queue = self._find(arn)  # it may have gone, or have other settings by now

    async def remove(self, arn: str, done: Sequence[Taken]) -> None:
        queue = self._find(arn)
        await asyncio.wrap_future(self._queues.delete_messages(queue, [taken.handle for taken in done]))

    def _find(self, arn: str) -> Queue:
        _, _, _, region, account, name = arn.split(":", 5)
        return self._queues.find(account, region, name)


def _taken(queue: Queue, message: Received) -> Taken:
    """docs.aws.amazon.com/lambda/latest/dg/with-sqs.html shows the record."""
    details = message.details
    attributes = {
        "ApproximateReceiveCount": str(message.receives),
        "SentTimestamp": str(int(message.sent_at * 1000)),
        "SenderId": details.get("sender", ""),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at * 1000)),
    }
    for name, key in (("MessageGroupId", "group"), ("MessageDeduplicationId", "deduplication")):
        if details.get(key):
            attributes[name] = details[key]
    record = {
        "messageId": details["id"],
        "receiptHandle": receipts.write(queue.id, message.id, message.receipt),
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {name: _attribute(held) for name, held in (details.get("attributes") or {}).items()},
        "md5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": queue.region,
    }
    return Taken(details["id"], record, (message.id, message.receipt))


def _attribute(held: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": held["DataType"]}
    for name, key in (("stringValue", "StringValue"), ("binaryValue", "BinaryValue")):
        if key in held:
            shown[name] = held[key]
    return shown
