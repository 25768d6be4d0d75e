"""Tags of queues."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.services.sqs.access import queue_at
from cloche.storage.metadata import tags


@operation("TagQueue")
def tag_queue(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "TagQueue")
    pairs = tagging.tag_pairs({"Key": key, "Value": value} for key, value in request["Tags"].items())
    ctx.parts.database.write(lambda tx: tagging.add_tags(tx, queue.arn, pairs))
    return {}


@operation("UntagQueue")
def untag_queue(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "UntagQueue")
    ctx.parts.database.write(lambda tx: tags.remove(tx, queue.arn, request["TagKeys"]))
    return {}


@operation("ListQueueTags", reads=True)
def list_queue_tags(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "ListQueueTags")
    return {"Tags": dict(tags.read(ctx.parts.database.reader, queue.arn)) or None}
