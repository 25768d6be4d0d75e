"""Which queue a request means, and whether its caller may.

Who signed for the account that owns the queue is let through unless the queue's policy says an explicit no, as
everywhere in Cloche until identity policies are enforced (``engines/identity/authorizer``). Anybody else needs the
policy's yes, and for some actions not even that counts
(docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
sqs-customer-managed-policy-examples.html#grant-cross-account-permissions-to-role-and-user-name).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context
from cloche.engines.identity.policy import Document, Outcome, Request, compile_document
from cloche.engines.identity.policy.resource import evaluate_resource_policy
from cloche.engines.queues import Queue
from cloche.foundation.errors import NotFound

OWNERS_ONLY: Final = frozenset(
    {
        *("AddPermission", "RemovePermission", "CreateQueue", "DeleteQueue", "SetQueueAttributes", "ListQueues"),
        *("TagQueue", "UntagQueue", "ListQueueTags"),
        *("StartMessageMoveTask", "CancelMessageMoveTask", "ListMessageMoveTasks"),
    }
)
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
    is_owners = ctx.account == queue.account
    text = queue.attributes.get("Policy")
    if not text:
        return is_owners
    # One statement grants an action with its batch form (API_AddPermission.html).
    asked = f"sqs:{action.removesuffix('Batch')}"
    who, keys = ctx.parts.identity.asker(ctx.account, ctx.caller.arn, ctx.caller.access_key)
    context = {**keys, "aws:securetransport": ("true" if ctx.http.scheme == "https" else "false",)}
    if ctx.http.client:
        context["aws:sourceip"] = (ctx.http.client.removeprefix("::ffff:"),)
    said = evaluate_resource_policy(compiled(text), who, Request(asked, queue.arn, context))
    if said is Outcome.EXPLICIT_DENY:
        return is_owners and action in OWNERS_ONLY and ctx.caller.arn.endswith(":root")
    return is_owners or (said is Outcome.ALLOWED and action not in OWNERS_ONLY)


@lru_cache(maxsize=256)
def compiled(text: str) -> Document:
    """Raises ``Invalid`` for what is no policy."""
    return compile_document(text)


def _denied(ctx: Context, action: str, arn: str) -> AwsError:
    return AwsError(
        "AccessDenied",
        f"User: {ctx.caller.arn} is not authorized to perform: sqs:{action.lower()} on resource: {arn}"
        f" because no resource-based policy allows the sqs:{action.lower()} action",
        403,
    )
