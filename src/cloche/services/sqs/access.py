"""Which queue a request means, and whether its caller may.

As for other resources with a policy (``services/resource_policy``), but that for some actions nobody else's yes counts
(docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
sqs-customer-managed-policy-examples.html#grant-cross-account-permissions-to-role-and-user-name).
"""

from __future__ import annotations

import re
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context
from cloche.engines.queues import Queue
from cloche.foundation.errors import NotFound
from cloche.services.resource_policy import lets_in

OWNERS_ONLY: Final = frozenset(
    {
        *("AddPermission", "RemovePermission", "CreateQueue", "DeleteQueue", "SetQueueAttributes", "ListQueues"),
        *("TagQueue", "UntagQueue", "ListQueueTags"),
        *("StartMessageMoveTask", "CancelMessageMoveTask", "ListMessageMoveTasks"),
    }
)
_UNLOCKS: Final = frozenset(f"sqs:{action}" for action in OWNERS_ONLY)
_URL: Final = re.compile(r"(?:https?://[^/?#]+)?/?(?:(?P<account>\d{12})/)?(?P<name>[A-Za-z0-9_.-]{1,80})/?")


def queue_url(ctx: Context, queue: Queue) -> str:
    """On the address by which the client reached Cloche: it comes back there with it."""
    settings = ctx.parts.settings
    host = ctx.http.host or f"{settings.host}:{settings.port}"
    return f"{ctx.http.scheme}://{host}/{queue.account}/{queue.name}"


def queue_at(ctx: Context, url: str, action: str) -> Queue:
    """The queue of that URL, for a caller who may do ``action`` with it. Raises ``NotFound``, ``AccessDenied``."""
    found = _URL.fullmatch(url)
    if found is None:
        raise AwsError("InvalidAddress", f"The address {url[:500]} is not valid for this endpoint.", 404)
    return queue_named(ctx, found["account"] or ctx.account, found["name"], action)


def queue_named(ctx: Context, account: str, name: str, action: str) -> Queue:
    try:
        queue: Queue = ctx.parts.queues.find(account, ctx.region, name)
    except NotFound:
        if account != ctx.account:
            raise _denied(ctx, action, f"arn:aws:sqs:{ctx.region}:{account}:{name}") from None
        raise
    if not _may(ctx, queue, action):
        raise _denied(ctx, action, queue.arn)
    return queue


def _may(ctx: Context, queue: Queue, action: str) -> bool:
    if action in OWNERS_ONLY and ctx.account != queue.account:
        return False
    # One statement grants an action with its batch form (API_AddPermission.html).
    asked = f"sqs:{action.removesuffix('Batch')}"
    return lets_in(ctx, queue.attributes.get("Policy"), queue.account, asked, queue.arn, unlocks=_UNLOCKS)


def _denied(ctx: Context, action: str, arn: str) -> AwsError:
    return AwsError(
        "AccessDenied",
        f"User: {ctx.caller.arn} is not authorized to perform: sqs:{action.lower()} on resource: {arn}"
        f" because no resource-based policy allows the sqs:{action.lower()} action",
        403,
    )
