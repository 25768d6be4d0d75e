"""ChangeMessageVisibility and its batch: more time for a message in flight, or none.

docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.queues import Queue
from cloche.foundation.errors import Conflict, NotFound
from cloche.services.sqs.access import queue_at
from cloche.services.sqs.attributes import RANGES
from cloche.services.sqs.batches import entries_of, failed
from cloche.services.sqs.delete import read_receipt
from cloche.services.sqs.errors import invalid_value


@operation("ChangeMessageVisibility")
async def change_message_visibility(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "ChangeMessageVisibility")
    (said,) = await asyncio.wrap_future(ctx.parts.queues.hide(queue, [_asked(queue, request)]))
    if said is not None:
        raise _refused(request, said)
    return {}


@operation("ChangeMessageVisibilityBatch")
async def change_message_visibility_batch(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "ChangeMessageVisibilityBatch")
    asked: list[tuple[Mapping[str, Any], tuple[int, str, int]]] = []
    bad: list[Members] = []
    for entry in entries_of(request, "ChangeMessageVisibilityBatchRequestEntry"):
        try:
            asked.append((entry, _asked(queue, entry)))
        except AwsError as error:
            bad.append(failed(entry["Id"], error))
    said = await asyncio.wrap_future(ctx.parts.queues.hide(queue, [each for _, each in asked])) if asked else []
    good: list[Members] = []
    for (entry, _), refusal in zip(asked, said, strict=True):
        if refusal is None:
            good.append({"Id": entry["Id"]})
        else:
            bad.append(failed(entry["Id"], _refused(entry, refusal)))
    return {"Successful": good, "Failed": bad}


def _asked(queue: Queue, given: Mapping[str, Any]) -> tuple[int, str, int]:
    seconds, (low, high, _) = given.get("VisibilityTimeout") or 0, RANGES["VisibilityTimeout"]
    if not low <= seconds <= high:
        raise invalid_value(
            seconds, "VisibilityTimeout", f"VisibilityTimeout must be an integer between {low} and {high}"
        )
    return *read_receipt(queue, given["ReceiptHandle"]), int(seconds)


def _refused(given: Mapping[str, Any], error: Exception) -> AwsError:
    if isinstance(error, Conflict):
        return AwsError("MessageNotInflight", error.message)
    if isinstance(error, NotFound):
        return invalid_value(given["ReceiptHandle"], "ReceiptHandle", error.message)
    return invalid_value(given.get("VisibilityTimeout"), "VisibilityTimeout", str(error))
