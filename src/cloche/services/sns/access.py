"""Which topic a request means, and whether its caller may (``services/resource_policy``)."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context
from cloche.engines.topics import Topic
from cloche.foundation.errors import NotFound
from cloche.services.resource_policy import lets_in
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
    policy = topic.attributes.get("Policy")
    # docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html: who the caller belongs to
    keys = {"aws:sourceowner": (ctx.account,)}
    unlocks = ("sns:SetTopicAttributes", "sns:DeleteTopic")
    if not lets_in(ctx, policy, topic.account, f"sns:{action}", arn, unlocks=unlocks, keys=keys):
        raise _denied(ctx, action, arn)
    return topic


def _denied(ctx: Context, action: str, arn: str) -> AwsError:
    return AwsError(
        "AuthorizationError",
        f"User: {ctx.caller.arn or 'anonymous'} is not authorized to perform: SNS:{action} on resource: {arn}"
        f" because no resource-based policy allows the SNS:{action} action",
        403,
    )
