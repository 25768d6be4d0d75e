"""Attributes of queues, told and changed. What they are is in ``attributes``."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.services.sqs import attributes
from cloche.services.sqs.access import queue_at
from cloche.services.sqs.dead_letters import check_dead_letter_queue


@operation("GetQueueAttributes", reads=True)
def get_queue_attributes(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "GetQueueAttributes")
    wanted = request.get("AttributeNames") or []
    for name in wanted:
        if name not in attributes.KNOWN:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
    if not wanted:
        return {}
    shown = attributes.shown(queue, ctx.parts.queues.counts(queue))
    return {"Attributes": shown if "All" in wanted else {n: v for n, v in shown.items() if n in wanted}}


@operation("SetQueueAttributes")
def set_queue_attributes(ctx: Context, request: Members) -> Members:
    """What is not named stays. A queue stays what it is, standard or FIFO."""
    queue = queue_at(ctx, request["QueueUrl"], "SetQueueAttributes")
    given = request["Attributes"]
    if given.get("FifoQueue", "true" if queue.settings.fifo else "false").lower() != str(queue.settings.fifo).lower():
        raise AwsError("InvalidAttributeName", "Unknown Attribute FifoQueue.")
    kept = attributes.merged(queue.attributes, given, fifo=queue.settings.fifo)
    settings = attributes.settings_of(kept)
    if "RedrivePolicy" in given:
        check_dead_letter_queue(ctx, kept, queue.arn)
    ctx.parts.queues.change(queue, kept, settings)
    return {}
