"""Which messages a subscription wants: its filter policy, held against a message's attributes or its body.

docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html. The grammar is that of event patterns; who puts
the server together hands in what compiles it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

from cloche.engines.topics.message import Message
from cloche.engines.topics.subscriptions import Subscription

BODY: Final = "MessageBody"


class Pattern(Protocol):
    def matches(self, event: Mapping[str, Any]) -> bool: ...


Compile = Callable[[str], Pattern]
"""Raises ``Invalid``."""


class Filters:
    def __init__(self, compile_pattern: Compile) -> None:
        self._compiled = lru_cache(maxsize=4_096)(compile_pattern)

    def refuses(self, subscription: Subscription, message: Message) -> str:
        """Empty where the subscription wants the message; else the metric's name that counts why not
        (docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html)."""
        policy = subscription.attributes.get("FilterPolicy")
        if not policy:
            return ""
        if subscription.attributes.get("FilterPolicyScope") == BODY:
            document = body_document(message.text)
            if document is None:
                return "NumberOfNotificationsFilteredOut-InvalidMessageBody"
            return "" if self._compiled(policy).matches(document) else "NumberOfNotificationsFilteredOut-MessageBody"
        document = attribute_document(message.attributes)
        if document is None:
            return "NumberOfNotificationsFilteredOut-InvalidAttributes"
        if self._compiled(policy).matches(document):
            return ""
        none = not message.attributes
        return "NumberOfNotificationsFilteredOut" + ("-NoMessageAttributes" if none else "-MessageAttributes")


def body_document(text: str) -> dict[str, Any] | None:
    """``None`` for a body that is no JSON object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def attribute_document(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """What a policy sees of them: binary ones not at all ("Amazon SNS ignores message attributes with the Binary data
    type", …/sns-subscription-filter-policies.html). ``None`` where an array is none."""
    document: dict[str, Any] = {}
    for name, each in attributes.items():
        kind, _, custom = each["DataType"].partition(".")
        if kind == "Binary":
            continue
        text = each["StringValue"]
        if kind == "Number":
            document[name] = _number(text)
        elif custom == "Array":
            try:
                document[name] = json.loads(text)
            except (ValueError, RecursionError):
                return None
            if not isinstance(document[name], list):
                return None
        else:
            document[name] = text
    return document


def _number(text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if math.isfinite(value) and value.is_integer() and "." not in text else value
