"""Which topic a request means, and whether its caller may.

Who signed for the account that owns the topic is let through unless the topic's policy says an explicit no, as
everywhere in Cloche until identity policies are enforced; anybody else needs the policy's yes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context
from cloche.engines.identity.policy import Document, Outcome, Request, compile_document
from cloche.engines.identity.policy.resource import evaluate_resource_policy
from cloche.engines.topics import Topic
from cloche.foundation.errors import NotFound
from cloche.services.sns.errors import invalid


def topic_at(ctx: Context, arn: str, action: str, *, member: str = "TopicArn") -> Topic:
    """The topic of that ARN, for a caller who may do ``action`` with it. Raises ``NotFound``, ``AwsError``."""
    parts = arn.split(":")
    if len(parts) < 6:
        raise invalid(f"{member} Reason: An ARN must have at least 6 elements, not {len(parts)}")
    if parts[0] != "arn" or parts[2] != "sns" or len(parts) != 6 or parts[3] != ctx.region:
        raise invalid(member)
    try:
        topic: Topic = ctx.parts.topics.get(arn)
    except NotFound:
        if parts[4] != ctx.account:
            raise _denied(ctx, action, arn) from None
        raise
    if not _may(ctx, topic, action):
        raise _denied(ctx, action, arn)
    return topic


def _may(ctx: Context, topic: Topic, action: str) -> bool:
    is_owners = bool(ctx.account == topic.account)
    text = topic.attributes.get("Policy")
    if not text:
        return is_owners
    who, keys = ctx.parts.identity.asker(ctx.account, ctx.caller.arn, ctx.caller.access_key)
    context: dict[str, Any] = {
        **keys,
        "aws:securetransport": ("true" if ctx.http.scheme == "https" else "false",),
        # docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html: who the caller belongs to
        "aws:sourceowner": (ctx.account,),
    }
    if ctx.http.client:
        context["aws:sourceip"] = (ctx.http.client.removeprefix("::ffff:"),)
    said = evaluate_resource_policy(compiled(text), who, Request(f"sns:{action}", topic.arn, context))
    if said is Outcome.EXPLICIT_DENY:
        return is_owners and action in ("SetTopicAttributes", "DeleteTopic") and ctx.caller.arn.endswith(":root")
    return is_owners or said is Outcome.ALLOWED


@lru_cache(maxsize=256)
def compiled(text: str) -> Document:
    """Raises ``Invalid`` for what is no policy."""
    return compile_document(text)


def _denied(ctx: Context, action: str, arn: str) -> AwsError:
    return AwsError(
        "AuthorizationError",
        f"User: {ctx.caller.arn or 'anonymous'} is not authorized to perform: SNS:{action} on resource: {arn}"
        f" because no resource-based policy allows the SNS:{action} action",
        403,
    )
