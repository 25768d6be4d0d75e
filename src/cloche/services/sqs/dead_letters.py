"""Dead-letter queues: which may be one's, whose they are, and moving messages back from them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.arn import Arn
from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.queues import Queue
from cloche.foundation.errors import NotFound
from cloche.services.sqs import attributes
from cloche.services.sqs.access import queue_at, queue_named, queue_url
from cloche.services.sqs.errors import invalid_value
from cloche.storage.metadata import records

LIST_MAX: Final = 1_000  # API_ListDeadLetterSourceQueues.html
TASKS_MAX: Final = 10  # API_ListMessageMoveTasks.html
PER_SECOND_MAX: Final = 500  # API_StartMessageMoveTask.html


def check_dead_letter_queue(ctx: Context, given: Mapping[str, str], source_arn: str) -> None:
    """Raises ``AwsError`` where the queue that ``RedrivePolicy`` names may not be that queue's."""
    arn, _ = attributes.redrive(given)
    if not arn:
        return
    text, parsed = given["RedrivePolicy"], Arn.parse(arn)
    if (parsed.region, parsed.account) != (ctx.region, ctx.account):
        # …/SQSDeveloperGuide/sqs-configure-dead-letter-queue.html: the same region and account
        raise invalid_value(text, "RedrivePolicy", "Dead-letter target owner should be same as the source.")
    try:
        target = ctx.parts.queues.find(parsed.account, parsed.region, parsed.resource)
    except NotFound:
        raise invalid_value(text, "RedrivePolicy", "Dead letter target does not exist.") from None
    if target.settings.fifo != source_arn.endswith(".fifo"):
        raise invalid_value(text, "RedrivePolicy", "Dead-letter queue must be same type of queue as the source..")
    permission, sources = attributes.allowed_sources(target.attributes)
    if permission == "denyAll" or (permission == "byQueue" and source_arn not in sources):
        reason = "Dead-letter queue does not allow this source queue by its redrive allow policy."
        raise invalid_value(text, "RedrivePolicy", reason)


@operation("ListDeadLetterSourceQueues", reads=True)
def list_dead_letter_source_queues(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "ListDeadLetterSourceQueues")
    most = request.get("MaxResults")
    if most is not None and not 1 <= most <= LIST_MAX:
        raise invalid_value(most, "MaxResults", f"Must be between 1 and {LIST_MAX}, if provided.")
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["ListDeadLetterSourceQueues", queue.arn]
    token = request.get("NextToken")
    (after,) = tokens.unseal(secret, question, token) if token else ("",)
    found = [each for each in ctx.parts.queues.sources_of(queue) if each.name > after]
    size = most or LIST_MAX
    answer: Members = {"queueUrls": [queue_url(ctx, each) for each in found[:size]]}
    if len(found) > size and most is not None:
        answer["NextToken"] = tokens.seal(secret, question, (found[size - 1].name,))
    return answer


@operation("StartMessageMoveTask")
def start_message_move_task(ctx: Context, request: Members) -> Members:
    source = _queue_of_arn(ctx, request["SourceArn"], "StartMessageMoveTask")
    pace, destination = request.get("MaxNumberOfMessagesPerSecond"), request.get("DestinationArn") or ""
    if pace is not None and not 1 <= pace <= PER_SECOND_MAX:
        raise invalid_value(pace, "MaxNumberOfMessagesPerSecond", f"Must be an integer from 1 to {PER_SECOND_MAX}.")
    if not ctx.parts.queues.sources_of(source):
        raise AwsError("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    if destination:
        if _queue_of_arn(ctx, destination, "StartMessageMoveTask").settings.fifo != source.settings.fifo:
            raise AwsError("InvalidParameterValue", "Source and destination queues must be of the same type.")
        if destination == source.arn:
            raise AwsError("InvalidParameterValue", "Source queue arn and destination queue arn cannot be the same.")
    return {"TaskHandle": _handle(source, ctx.parts.queues.moves.start(source, destination, pace))}


@operation("CancelMessageMoveTask")
def cancel_message_move_task(ctx: Context, request: Members) -> Members:
    try:
        id, arn = base64.b64decode(request["TaskHandle"].encode("ascii"), validate=True).decode().split("|")
    except (binascii.Error, UnicodeError, ValueError):
        raise AwsError("InvalidParameterValue", "Value for parameter TaskHandle is invalid.") from None
    queue = _queue_of_arn(ctx, arn, "CancelMessageMoveTask")
    try:
        return {"ApproximateNumberOfMessagesMoved": ctx.parts.queues.moves.cancel(queue.arn, id)}
    except NotFound as error:
        raise AwsError("ResourceNotFoundException", error.message) from None


@operation("ListMessageMoveTasks", reads=True)
def list_message_move_tasks(ctx: Context, request: Members) -> Members:
    """The newest first; one, unless more are asked for."""
    most = request.get("MaxResults") or 1
    if not 1 <= most <= TASKS_MAX:
        raise invalid_value(most, "MaxResults", f"Must be an integer from 1 to {TASKS_MAX}.")
    queue = _queue_of_arn(ctx, request["SourceArn"], "ListMessageMoveTasks")
    return {
        "Results": [
            {
                "TaskHandle": _handle(queue, task.id) if task.status == "RUNNING" else None,
                "Status": task.status,
                "SourceArn": task.source_arn,
                "DestinationArn": task.destination_arn or None,
                "MaxNumberOfMessagesPerSecond": task.per_second_max,
                "ApproximateNumberOfMessagesMoved": task.moved,
                "ApproximateNumberOfMessagesToMove": task.to_move,
                "FailureReason": task.failure or None,
                "StartedTimestamp": int(task.started_at * 1000),
            }
            for task in ctx.parts.queues.moves.of_queue(queue.arn)[:most]
        ]
    }


def _queue_of_arn(ctx: Context, text: str, action: str) -> Queue:
    arn = Arn.try_parse(text)
    if arn is None or arn.service != "sqs" or arn.region != ctx.region:
        raise AwsError("InvalidParameterValue", f"Invalid value for the ARN of a queue: {text[:200]}")
    try:
        return queue_named(ctx, arn.account, arn.resource, action)
    except NotFound:
        raise AwsError(
            "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist."
        ) from None


def _handle(queue: Queue, id: str) -> str:
    return base64.b64encode(f"{id}|{queue.arn}".encode()).decode()
