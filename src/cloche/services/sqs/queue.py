"""Queues: create, find, list, purge, delete."""

from __future__ import annotations

import re
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.engines.queues import Counts, queue_arn
from cloche.foundation.errors import Conflict, LimitReached
from cloche.services.sqs import attributes
from cloche.services.sqs.access import queue_at, queue_named, queue_url
from cloche.services.sqs.dead_letters import check_dead_letter_queue
from cloche.services.sqs.errors import invalid_value
from cloche.storage.metadata import records

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}|(?=.{6,80}$)[A-Za-z0-9_-]+\.fifo")
LIST_MAX: Final = 1_000  # API_ListQueues.html


@operation("CreateQueue")
def create_queue(ctx: Context, request: Members) -> Members:
    """A queue of that name is answered as it is, if it has the same values of what is asked for."""
    name, given = request["QueueName"], request.get("Attributes") or {}
    if not _NAME.fullmatch(name):
        raise AwsError(
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    is_fifo = given.get("FifoQueue", "").lower() == "true"
    if name.endswith(".fifo") != is_fifo:
        if is_fifo:
            raise AwsError(
                "InvalidParameterValue",
                "The name of a FIFO queue can only include alphanumeric characters, "
                "hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
            )
        raise AwsError(
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    if "FifoQueue" in given and not is_fifo:
        # aws/aws-sdk-php#1331: FifoQueue may be left out of a standard queue, not set to false
        raise AwsError("InvalidAttributeName", "Unknown Attribute FifoQueue.")
    kept = attributes.merged({}, given, fifo=is_fifo)
    settings = attributes.settings_of(kept)
    check_dead_letter_queue(ctx, kept, queue_arn(ctx.account, ctx.region, name))
    pairs = tagging.tag_pairs({"Key": key, "Value": value} for key, value in (request.get("tags") or {}).items())
    try:
        made = ctx.parts.queues.create(ctx.account, ctx.region, name, kept, settings, pairs)
    except Conflict as error:
        raise AwsError("QueueDeletedRecently", error.message) from None
    has = attributes.shown(made, Counts(0, 0, 0))
    for attribute, value in kept.items():
        if has.get(attribute) != value:
            raise AwsError(  # justeattakeaway/JustSaying#208
                "QueueNameExists",
                f"A queue already exists with the same name and a different value for attribute {attribute}",
            )
    return {"QueueUrl": queue_url(ctx, made)}


@operation("GetQueueUrl", reads=True)
def get_queue_url(ctx: Context, request: Members) -> Members:
    owner = request.get("QueueOwnerAWSAccountId") or ctx.account
    return {"QueueUrl": queue_url(ctx, queue_named(ctx, owner, request["QueueName"], "GetQueueUrl"))}


@operation("ListQueues", reads=True)
def list_queues(ctx: Context, request: Members) -> Members:
    """A page token comes only to those who ask for pages."""
    prefix, most = request.get("QueueNamePrefix") or "", request.get("MaxResults")
    if most is not None and not 1 <= most <= LIST_MAX:
        raise invalid_value(most, "MaxResults", f"Must be between 1 and {LIST_MAX}, if provided.")
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["ListQueues", ctx.account, ctx.region, prefix]
    token = request.get("NextToken")
    found, following = ctx.parts.queues.listed(
        ctx.account,
        ctx.region,
        prefix=prefix,
        after=tokens.unseal(secret, question, token) if token else None,
        limit=most or LIST_MAX,
    )
    answer: Members = {"QueueUrls": [queue_url(ctx, queue) for queue in found] or None}
    if following is not None and most is not None:
        answer["NextToken"] = tokens.seal(secret, question, following)
    return answer


@operation("DeleteQueue")
def delete_queue(ctx: Context, request: Members) -> Members:
    ctx.parts.queues.delete(queue_at(ctx, request["QueueUrl"], "DeleteQueue"))
    return {}


@operation("PurgeQueue")
def purge_queue(ctx: Context, request: Members) -> Members:
    try:
        ctx.parts.queues.purge(queue_at(ctx, request["QueueUrl"], "PurgeQueue"))
    except LimitReached as error:
        raise AwsError("PurgeQueueInProgress", error.message, 403) from None
    return {}
