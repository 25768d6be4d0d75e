"""ReceiveMessage, with long polling: who waits is woken by what makes a message visible, and costs nothing until then.

docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.queues import Queue, Received, receipts
from cloche.services.sqs import message_attributes
from cloche.services.sqs.access import queue_at
from cloche.services.sqs.attributes import RANGES
from cloche.services.sqs.errors import invalid_value
from cloche.services.sqs.send import SEQUENCE_DIGITS

MESSAGES_MAX: Final = 10
_ATTEMPT: Final = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")


@operation("ReceiveMessage", waits=True)
async def receive_message(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "ReceiveMessage")
    most = _within(request, "MaxNumberOfMessages", 1, MESSAGES_MAX, 1)
    wait = _within(request, "WaitTimeSeconds", 0, 20, queue.settings.wait_seconds)
    hidden = _within(request, "VisibilityTimeout", 0, RANGES["VisibilityTimeout"][1], queue.settings.visibility_seconds)
    attempt = request.get("ReceiveRequestAttemptId") or ""
    if attempt and (not queue.settings.fifo or not _ATTEMPT.fullmatch(attempt)):
        raise invalid_value(attempt, "ReceiveRequestAttemptId", "It is a token of 1 to 128 characters, of FIFO queues.")
    found = await _received(ctx, queue, most, wait, hidden, attempt)
    if not found:
        ctx.parts.queues.metrics.received(queue, 0)
    return {"Messages": [_shown(queue, each, request) for each in found] or None}


async def _received(ctx: Context, queue: Queue, most: int, wait: int, hidden: int, attempt: str) -> list[Received]:
    queues = ctx.parts.queues
    until = time.monotonic() + wait
    with queues.waiting.listen(queue.id) as something:
        while True:
            something.clear()
            if attempt or queues.has_something(queue):
                work = queues.receive(queue, most=most, visibility_seconds=hidden, attempt=attempt)
                found: list[Received] = await asyncio.wrap_future(work)
                if found:
                    return found
            left = until - time.monotonic()
            if left <= 0 or queues.waiting.is_closing:
                return []
            by_time = queues.seconds_until_next(queue)
            with contextlib.suppress(TimeoutError):
                # A moment more, so that the clock has passed what is waited for.
                await asyncio.wait_for(something.wait(), left if by_time is None else min(left, by_time + 0.001))
            queues.find(queue.account, queue.region, queue.name)  # it may have gone


def _within(request: Members, name: str, low: int, high: int, default: int) -> int:
    value = request.get(name)
    if value is None:
        return default
    if not low <= value <= high:
        raise invalid_value(value, name, f"Must be between {low} and {high}, if provided.")
    return int(value)


def _shown(queue: Queue, message: Received, request: Members) -> Members:
    details = message.details
    attributes = message_attributes.chosen(details.get("attributes", {}), request.get("MessageAttributeNames") or ())
    return {
        "MessageId": details["id"],
        "ReceiptHandle": receipts.write(queue.id, message.id, message.receipt),
        "MD5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "Body": message.body,
        "Attributes": _system(message, details, request) or None,
        "MessageAttributes": attributes or None,
        "MD5OfMessageAttributes": message_attributes.digest(attributes),
    }


def _system(message: Received, details: Mapping[str, Any], request: Members) -> dict[str, str]:
    wanted = [*(request.get("AttributeNames") or ()), *(request.get("MessageSystemAttributeNames") or ())]
    if not wanted:
        return {}
    held = {
        "SenderId": details.get("sender"),
        "SentTimestamp": str(int(message.sent_at * 1000)),
        "ApproximateReceiveCount": str(message.receives),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at * 1000)),
        "SequenceNumber": f"{message.id:0{SEQUENCE_DIGITS}d}" if details.get("deduplication") else None,
        "MessageDeduplicationId": details.get("deduplication"),
        "MessageGroupId": details.get("group"),
        "AWSTraceHeader": details.get("trace"),
        "DeadLetterQueueSourceArn": details.get("dead_letter_source"),
    }
    for name in wanted:
        if name != "All" and name not in held and name not in RANGES:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
    return {name: value for name, value in held.items() if value is not None and ("All" in wanted or name in wanted)}
