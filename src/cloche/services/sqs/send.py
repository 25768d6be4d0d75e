"""SendMessage and its batch. An answer means that the message is on the disk.

Limits: docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.queues import Draft, Queue, Sent
from cloche.services.sqs import message_attributes
from cloche.services.sqs.access import queue_at
from cloche.services.sqs.attributes import RANGES
from cloche.services.sqs.batches import entries_of, failed
from cloche.services.sqs.errors import invalid_value, missing_parameter

BATCH_BYTES_MAX: Final = 1_048_576
SEQUENCE_DIGITS: Final = 20
_TOKEN: Final = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_SYSTEM: Final = "AWSTraceHeader"
_FOR_OTHERS: Final = "The request include parameter that is not valid for this queue type."


@operation("SendMessage")
async def send_message(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "SendMessage")
    draft = draft_of(ctx, queue, request)
    (sent,) = await asyncio.wrap_future(ctx.parts.queues.send(queue, [draft]))
    return _answer(queue, request, sent)


@operation("SendMessageBatch")
async def send_message_batch(ctx: Context, request: Members) -> Members:
    """Entries that are wrong fail for themselves; what is right is sent, in order and together."""
    queue = queue_at(ctx, request["QueueUrl"], "SendMessageBatch")
    entries = entries_of(request, "SendMessageBatchRequestEntry")
    length = sum(_size(entry) for entry in entries)
    if length > BATCH_BYTES_MAX:
        raise AwsError(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {BATCH_BYTES_MAX} bytes. You have sent {length} bytes.",
        )
    good: list[tuple[Mapping[str, Any], Draft]] = []
    bad: list[Members] = []
    for entry in entries:
        try:
            good.append((entry, draft_of(ctx, queue, entry)))
        except AwsError as error:
            bad.append(failed(entry["Id"], error))
    sent = await asyncio.wrap_future(ctx.parts.queues.send(queue, [draft for _, draft in good])) if good else []
    answers = [{"Id": entry["Id"], **_answer(queue, entry, each)} for (entry, _), each in zip(good, sent, strict=True)]
    return {"Successful": answers, "Failed": bad}


def draft_of(ctx: Context, queue: Queue, given: Mapping[str, Any]) -> Draft:
    """Raises ``AwsError``."""
    body = given.get("MessageBody")
    if not body:
        raise missing_parameter("MessageBody")
    if not message_attributes.is_sound_text(body):
        raise AwsError(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
            "#xE000 to #xFFFD | #x10000 to #x10FFFF",
        )
    attributes = given.get("MessageAttributes") or {}
    message_attributes.check(attributes)
    system = given.get("MessageSystemAttributes") or {}
    _check_system(system)
    most = int(queue.attributes.get("MaximumMessageSize", RANGES["MaximumMessageSize"][2]))
    if _size(given) > most:
        raise AwsError(
            "InvalidParameterValue",
            f"One or more parameters are invalid. Reason: Message must be shorter than {most} bytes.",
        )
    group, deduplication = _tokens(queue, given)
    details = {
        "attributes": message_attributes.kept(attributes),
        "sender": ctx.caller.user_id or ctx.caller.account,
        "trace": system[_SYSTEM]["StringValue"] if system else None,
        "group": group or None,
        "deduplication": deduplication or None,
    }
    kept = {name: value for name, value in details.items() if value}
    size = message_attributes.size(attributes)
    return Draft(body, kept, group, deduplication, _delay(queue, given), size)


def _tokens(queue: Queue, given: Mapping[str, Any]) -> tuple[str, str]:
    """(group, deduplication id). A standard queue's messages may have groups, too (fair queues)."""
    group, deduplication = given.get("MessageGroupId") or "", given.get("MessageDeduplicationId") or ""
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", deduplication)):
        if value and not _TOKEN.fullmatch(value):
            reason = f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length"
            raise invalid_value(value, name, reason)
    if not queue.settings.fifo:
        if deduplication:
            raise invalid_value(deduplication, "MessageDeduplicationId", _FOR_OTHERS)
        return group, ""
    if not group:
        raise missing_parameter("MessageGroupId")
    if not deduplication:
        if not queue.settings.content_deduplicates:
            raise AwsError(
                "InvalidParameterValue",
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly",
            )
        # "a SHA-256 hash to generate the message deduplication ID using the body of the message (but not the
        # attributes of the message)", API_SendMessage.html
        deduplication = hashlib.sha256(given["MessageBody"].encode()).hexdigest()
    return group, deduplication


def _delay(queue: Queue, given: Mapping[str, Any]) -> int | None:
    delay = given.get("DelaySeconds")
    if delay is None:
        return None
    low, high, _ = RANGES["DelaySeconds"]
    if not low <= delay <= high:
        raise invalid_value(delay, "DelaySeconds", f"DelaySeconds must be >= {low} and <= {high}.")
    if queue.settings.fifo:
        # API_SendMessage.html: "When you set FifoQueue, you can't set DelaySeconds per message"
        if delay:
            raise invalid_value(delay, "DelaySeconds", _FOR_OTHERS)
        return None
    return int(delay)


def _check_system(system: Mapping[str, Any]) -> None:
    """ "Currently, the only supported message system attribute is AWSTraceHeader. Its type must be String"
    (API_SendMessage.html)."""
    for name, attribute in system.items():
        if name != _SYSTEM or attribute["DataType"] != "String" or not attribute.get("StringValue"):
            raise invalid_value(name, "MessageSystemAttributes", f"Only {_SYSTEM} of type String is supported.")


def _size(given: Mapping[str, Any]) -> int:
    """Of body and attributes; what else is wrong with them is said by ``draft_of``."""
    attributes = given.get("MessageAttributes") or {}
    try:
        return len((given.get("MessageBody") or "").encode()) + message_attributes.size(attributes)
    except (KeyError, UnicodeEncodeError):
        return 0


def _answer(queue: Queue, given: Mapping[str, Any], sent: Sent) -> Members:
    return {
        "MessageId": sent.message_id,
        "MD5OfMessageBody": hashlib.md5(given["MessageBody"].encode(), usedforsecurity=False).hexdigest(),
        "MD5OfMessageAttributes": message_attributes.digest(given.get("MessageAttributes") or {}),
        "MD5OfMessageSystemAttributes": message_attributes.digest(given.get("MessageSystemAttributes") or {}),
        "SequenceNumber": f"{sent.sequence:0{SEQUENCE_DIGITS}d}" if queue.settings.fifo else None,
    }
