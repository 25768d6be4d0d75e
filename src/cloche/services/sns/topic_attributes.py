"""A topic's attributes: what may be set, and what is shown.

docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from cloche.engines.identity.policy.document import compile_document
from cloche.engines.topics import Topic, policies
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.sns.errors import invalid

_SWITCHES: Final = ("ContentBasedDeduplication",)
_CHOICES: Final = {
    "SignatureVersion": ("1", "2"),
    "FifoThroughputScope": ("Topic", "MessageGroup"),
}
_FIFO_ONLY: Final = frozenset({"ContentBasedDeduplication", "FifoThroughputScope"})
SETTABLE: Final = frozenset(
    {"DisplayName", "Policy", "DeliveryPolicy", "KmsMasterKeyId", "TracingConfig", *_SWITCHES, *_CHOICES}
)
REFUSED: Final = {
    "ArchivePolicy": "messages are not archived in Cloche",
    "DataProtectionPolicy": "Cloche inspects no messages for sensitive data",
}
_FEEDBACK: Final = re.compile(r"(HTTP|Application|Lambda|Firehose|SQS)(Success|Failure)Feedback(RoleArn|SampleRate)")
DISPLAY_NAME_MAX: Final = 100
ACTIONS: Final = (
    *("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe"),
    *("ListSubscriptionsByTopic", "Publish"),
)
"""What a topic's default policy names, and AddPermission may (…/dg/sns-access-policy-language-api-permissions.html)."""


def checked(name: str, value: str, *, fifo: bool, of_creation: bool) -> str:
    """The value as it is kept. Raises ``AwsError``."""
    prefix = "Attributes Reason: " if of_creation else ""
    if name in REFUSED or _FEEDBACK.fullmatch(name):
        why = REFUSED.get(name, "deliveries are counted in CloudWatch, not logged")
        raise NotSupported(f"Topics' {name} is not supported: {why}.")
    if name not in SETTABLE or (name in _FIFO_ONLY and not fifo):
        raise invalid(f"{prefix}Unknown attribute {name}" if of_creation else "AttributeName")
    if name in _SWITCHES and value not in ("true", "false"):
        raise invalid(f"{prefix}{name}: Invalid value [{value}]. Must be true or false.")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise invalid(f"{prefix}{name}: Invalid value [{value}]. Must be one of {', '.join(_CHOICES[name])}.")
    if name == "TracingConfig" and value != "PassThrough":
        if value == "Active":
            raise NotSupported("Topics' TracingConfig Active is not supported: Cloche has no AWS X-Ray.")
        raise invalid(f"{prefix}TracingConfig: Invalid value [{value}]. Please use either PassThrough or Active")
    if name == "DisplayName" and len(value) > DISPLAY_NAME_MAX:
        raise invalid(f"{prefix}DisplayName: Invalid value")
    if name == "Policy" and value:
        check_policy(value)
    if name == "DeliveryPolicy" and value:
        try:
            policies.check(value, of_topic=True)
        except Invalid as error:
            raise invalid(f"{prefix}DeliveryPolicy: {error.message}") from None
    return value


def check_policy(text: str) -> None:
    """Raises ``AwsError`` for what is no policy of a topic."""
    try:
        statements = json.loads(text)["Statement"]
        listed = statements if isinstance(statements, list) else [statements]
        if not all({"Principal", "NotPrincipal"} & each.keys() for each in listed):
            raise Invalid("a statement has no principal")
        compile_document(text)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, Invalid):
        raise invalid("Policy Error: null") from None
    for each in listed:
        actions = each.get("Action") or []
        for action in [actions] if isinstance(actions, str) else actions:
            if action != "*" and not action.lower().startswith("sns:"):
                raise invalid("Policy statement action out of service scope!")


def default_policy(topic: Topic) -> dict[str, Any]:
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in ACTIONS],
                "Resource": topic.arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": topic.account}},
            }
        ],
    }


def shown(topic: Topic, confirmed: int, pending: int) -> dict[str, str]:
    """As GetTopicAttributes has them (recorded: ``test_topic_get_attributes_with_fifo_false``)."""
    held: Mapping[str, str] = topic.attributes
    of_topic = (json.loads(held["DeliveryPolicy"]).get("http") or {}) if held.get("DeliveryPolicy") else {}
    effective = {
        "http": {
            "defaultHealthyRetryPolicy": policies.retry_policy(None, held.get("DeliveryPolicy")),
            "disableSubscriptionOverrides": bool(of_topic.get("disableSubscriptionOverrides")),
            "defaultRequestPolicy": {"headerContentType": policies.content_type(None, held.get("DeliveryPolicy"))},
        }
    }
    result = {
        "TopicArn": topic.arn,
        "Owner": topic.account,
        "Policy": json.dumps(default_policy(topic), separators=(",", ":")),
        "DisplayName": "",
        "SubscriptionsConfirmed": str(confirmed),
        "SubscriptionsPending": str(pending),
        "SubscriptionsDeleted": str(topic.deleted),
        "EffectiveDeliveryPolicy": json.dumps(effective, separators=(",", ":")),
    }
    if topic.fifo:
        result |= {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
    return result | {name: value for name, value in held.items() if value}
