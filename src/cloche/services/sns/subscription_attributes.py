"""A subscription's attributes: what may be set, and what is shown.

docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html; limits of filter policies:
…/dg/subscription-filter-policy-constraints.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any, Final

from cloche.aws.arn import Arn
from cloche.aws.operation import Context
from cloche.engines.events import compile_pattern
from cloche.engines.topics import Subscription, Topic, policies
from cloche.foundation.errors import Invalid, NotSupported

SETTABLE: Final = ("DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")
REFUSED: Final = {
    "SubscriptionRoleArn": "Cloche has no Amazon Data Firehose",
    "ReplayPolicy": "messages are not archived in Cloche",
}
SCOPES: Final = ("MessageAttributes", "MessageBody")
KEYS_MAX: Final = 5
COMBINATIONS_MAX: Final = 150
RAW_PROTOCOLS: Final = ("sqs", "http", "https")


def merged(
    ctx: Context, topic: Topic, protocol: str, endpoint: str, held: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """What a subscription has after ``given`` was set on it; an empty text takes an attribute away. Raises ``Invalid``,
    in the words after "Invalid parameter: "."""
    result = dict(held)
    for name, value in given.items():
        if name in REFUSED:
            raise NotSupported(f"Subscriptions' {name} is not supported: {REFUSED[name]}.")
        if name not in SETTABLE:
            raise Invalid("AttributeName")
        if not value and name not in ("RawMessageDelivery", "FilterPolicyScope"):
            result.pop(name, None)
            continue
        _check(ctx, topic, protocol, endpoint, name, value)
        result[name] = value
    if result.get("FilterPolicy"):
        result.setdefault("FilterPolicyScope", SCOPES[0])
        check_filter(result["FilterPolicy"], result["FilterPolicyScope"])
    elif "FilterPolicyScope" not in given:
        result.pop("FilterPolicyScope", None)
    return result


def _check(ctx: Context, topic: Topic, protocol: str, endpoint: str, name: str, value: str) -> None:
    if name == "RawMessageDelivery":
        if value.lower() not in ("true", "false"):
            raise Invalid(f"RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
        if value == "true" and protocol not in RAW_PROTOCOLS:
            raise Invalid(f"Delivery protocol [{protocol}] does not support raw message delivery.")
    elif name == "FilterPolicyScope" and value not in SCOPES:
        raise Invalid(f"FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes")
    elif name == "DeliveryPolicy":
        if protocol not in ("http", "https"):
            raise Invalid("Delivery policies are for HTTP and HTTPS endpoints.")
        try:
            policies.check(value, of_topic=False)
        except Invalid as error:
            raise Invalid(f"DeliveryPolicy: {error.message}") from None
    elif name == "RedrivePolicy":
        _check_redrive(ctx, topic, endpoint, value)


def _check_redrive(ctx: Context, topic: Topic, endpoint: str, text: str) -> None:
    policy = _object(text, "RedrivePolicy")
    given = policy.get("deadLetterTargetArn")
    arn = Arn.try_parse(given) if isinstance(given, str) else None
    if arn is None or arn.service != "sqs" or policy.keys() != {"deadLetterTargetArn"}:
        raise Invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if (arn.region, arn.account) != (ctx.region, ctx.account):
        # …/dg/sns-dead-letter-queues.html: "must be under the same AWS account and Region"
        raise Invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if topic.fifo and endpoint.endswith(".fifo") and not arn.resource.endswith(".fifo"):
        raise Invalid("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
    if not topic.fifo and arn.resource.endswith(".fifo"):
        raise Invalid("RedrivePolicy: must use a standard queue as DLQ for a subscription to a standard topic.")


def check_filter(text: str, scope: str) -> None:
    policy = _object(text, "FilterPolicy")
    if scope == SCOPES[0] and any(isinstance(value, dict) for value in policy.values()):
        raise Invalid("Filter policy scope MessageAttributes does not support nested filter policy")
    try:
        compile_pattern(text)
    except Invalid as error:
        raise Invalid(f"FilterPolicy: {error.message}") from None
    leaves = list(_leaves(policy, 1))
    if len(leaves) > KEYS_MAX:
        raise Invalid(f"FilterPolicy: Filter policy can not have more than {KEYS_MAX} keys")
    if prod(count * depth for count, depth in leaves) > COMBINATIONS_MAX:
        raise Invalid("FilterPolicy: Filter policy is too complex")


def _leaves(policy: Mapping[str, Any], depth: int) -> list[tuple[int, int]]:
    """(how many values, how deep) of every key: "the product of the number of values in each array", times its level
    (…/dg/subscription-filter-policy-constraints.html)."""
    found: list[tuple[int, int]] = []
    for name, below in policy.items():
        if isinstance(below, dict):
            found += _leaves(below, depth + 1)
        elif name == "$or" and all(isinstance(each, dict) for each in below):
            found += [leaf for each in below for leaf in _leaves(each, depth)]
        else:
            found.append((sum(_values(each) for each in below), depth))
    return found


def _values(option: Any) -> int:
    if isinstance(option, dict) and isinstance(barred := next(iter(option.values())), list) and "numeric" not in option:
        return len(barred)
    return 1


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid(f"{name}: failed to parse JSON.")
    return found


def shown(ctx: Context, subscription: Subscription) -> dict[str, str]:
    """As GetSubscriptionAttributes has them."""
    result = {
        "SubscriptionArn": subscription.arn,
        "TopicArn": subscription.topic_arn,
        "Owner": subscription.account,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "PendingConfirmation": "true" if subscription.pending else "false",
        "ConfirmationWasAuthenticated": "true" if subscription.authenticated else "false",
        "RawMessageDelivery": "false",
        "SubscriptionPrincipal": subscription.principal,
        **subscription.attributes,
    }
    if subscription.protocol in ("http", "https"):
        topic = ctx.parts.topics.get(subscription.topic_arn)
        own, of_topic = subscription.attributes.get("DeliveryPolicy"), topic.attributes.get("DeliveryPolicy")
        effective = {
            "healthyRetryPolicy": policies.retry_policy(own, of_topic),
            "requestPolicy": {"headerContentType": policies.content_type(own, of_topic)},
        }
        result["EffectiveDeliveryPolicy"] = json.dumps(effective, separators=(",", ":"))
    return result
