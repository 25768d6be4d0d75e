"""DeleteMessage and its batch, by receipt handle.

"you must use the most recently received ReceiptHandle … (otherwise, the request succeeds, but the message will not be
deleted)": docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.queues import Queue, receipts
from cloche.foundation.errors import Invalid
from cloche.services.sqs.access import queue_at
from cloche.services.sqs.batches import entries_of, failed
from cloche.services.sqs.errors import invalid_value


@operation("DeleteMessage")
async def delete_message(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "DeleteMessage")
    held = _held(ctx, queue, request)
    await asyncio.wrap_future(ctx.parts.queues.delete_messages(queue, [held]))
    return {}


@operation("DeleteMessageBatch")
async def delete_message_batch(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "DeleteMessageBatch")
    good: list[tuple[str, tuple[int, str]]] = []
    bad: list[Members] = []
    for entry in entries_of(request, "DeleteMessageBatchRequestEntry"):
        try:
            good.append((entry["Id"], _held(ctx, queue, entry)))
        except AwsError as error:
            bad.append(failed(entry["Id"], error))
    if good:
        await asyncio.wrap_future(ctx.parts.queues.delete_messages(queue, [held for _, held in good]))
    return {"Successful": [{"Id": id} for id, _ in good], "Failed": bad}


def _held(ctx: Context, queue: Queue, given: Mapping[str, Any]) -> tuple[int, str]:
    handle = given["ReceiptHandle"]
    found = read_receipt(queue, handle)
    if queue.settings.fifo and ctx.parts.queues.has_expired(queue, *found):
        # "FIFO queues will reject DeleteMessage requests when the receipt handle is expired" (aws/aws-sdk-js#1750)
        raise invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
    return found


def read_receipt(queue: Queue, handle: str) -> tuple[int, str]:
    try:
        return receipts.read(queue.id, handle)
    except Invalid as error:
        raise AwsError("ReceiptHandleIsInvalid", error.message) from None
