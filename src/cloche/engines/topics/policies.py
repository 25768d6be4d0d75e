"""Delivery policies of HTTP endpoints: how often and after which pauses a delivery is tried again.

docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html: retries without delay, then some at the least
delay, then between least and most along a curve, then some at the most. 3,600 seconds at most for all of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloche.foundation.errors import Invalid, NotSupported

DEFAULT: Final[Mapping[str, Any]] = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
CONTENT_TYPE: Final = "text/plain; charset=UTF-8"
TOTAL_SECONDS_MAX: Final = 3_600
_MOST: Final = {"minDelayTarget": 3_600, "maxDelayTarget": 3_600, "numRetries": 100}
_SMTP: Final = (10.0, 10.0)
_CURVES: Final[Mapping[str, Callable[[float], float]]] = {
    "linear": lambda share: share,
    "arithmetic": lambda share: share * (share + 1) / 2,
    "geometric": lambda share: share**2,
    "exponential": lambda share: (2 ** (10 * share) - 1) / 1023,
}
"""From 0 at the least to 1 at the most delay. AWS draws the curves (the same page) and gives no formulas."""


def retry_policy(subscription: str | None, topic: str | None) -> Mapping[str, Any]:
    """What holds of a subscription's policy and its topic's."""
    of_topic = (json.loads(topic).get("http") or {}) if topic else {}
    found = {**DEFAULT, **(of_topic.get("defaultHealthyRetryPolicy") or {})}
    if subscription and not of_topic.get("disableSubscriptionOverrides"):
        found |= json.loads(subscription).get("healthyRetryPolicy") or {}
    return found


def content_type(subscription: str | None, topic: str | None) -> str:
    of_topic = ((json.loads(topic).get("http") or {}).get("defaultRequestPolicy") or {}) if topic else {}
    own = (json.loads(subscription).get("requestPolicy") or {}) if subscription else {}
    return str(own.get("headerContentType") or of_topic.get("headerContentType") or CONTENT_TYPE)


def pause_before(retry: int, policy: Mapping[str, Any]) -> float | None:
    """Seconds before the ``retry``-th retry (from 1); ``None`` where there is none."""
    retries = policy["numRetries"]
    if retry > retries:
        return None
    low, high = policy["minDelayTarget"], policy["maxDelayTarget"]
    first = policy["numNoDelayRetries"]
    if retry <= first:
        return 0.0
    if retry <= first + policy["numMinDelayRetries"]:
        return float(low)
    last = policy["numMaxDelayRetries"]
    if retry > retries - last:
        return float(high)
    steps = retries - last - first - policy["numMinDelayRetries"]
    share = 1.0 if steps <= 1 else (retry - first - policy["numMinDelayRetries"] - 1) / (steps - 1)
    return float(low + (high - low) * _CURVES[policy["backoffFunction"]](share))


def mail_pause(retry: int) -> float | None:
    """Of a mail server: twice ten seconds, ten from 10 to 600 seconds, then every 600, 50 attempts in all (there)."""
    if retry <= len(_SMTP):
        return _SMTP[retry - 1]
    if retry <= 12:
        return float(min(10 * 60 ** ((retry - 2) / 10), 600))
    return 600.0 if retry < 50 else None


def check(text: str, *, of_topic: bool) -> None:
    """Raises ``Invalid`` and ``NotSupported``, in the words after "Invalid parameter: DeliveryPolicy: "."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Invalid("failed to parse JSON.")
    if of_topic:
        document = document.get("http") or {}
        names = ("defaultHealthyRetryPolicy", "defaultThrottlePolicy", "defaultRequestPolicy")
        allowed = {*names, "disableSubscriptionOverrides"}
    else:
        names, allowed = ("healthyRetryPolicy", "throttlePolicy", "requestPolicy"), set()
    if not isinstance(document, dict) or (unknown := document.keys() - {*names, *allowed}):
        raise Invalid(f"Unexpected JSON member: {sorted(unknown)[0] if isinstance(document, dict) else 'http'}")
    retries, throttle, request = (document.get(name) or {} for name in names)
    if throttle:
        raise NotSupported(f"Delivery policies with {names[1]} are not supported in Cloche")
    _check_retries(retries)
    if not isinstance(request, dict) or not isinstance(request.get("headerContentType", ""), str):
        raise Invalid("headerContentType must be a string")
    if any(sign in request.get("headerContentType", "") for sign in "\r\n"):
        raise Invalid("headerContentType must be a media type")


def _check_retries(given: Any) -> None:
    if not isinstance(given, dict) or (unknown := given.keys() - DEFAULT.keys()):
        raise Invalid(f"Unexpected JSON member: {sorted(unknown)[0] if isinstance(given, dict) else given}")
    policy = {**DEFAULT, **given}
    for name, value in policy.items():
        if name == "backoffFunction":
            if value not in _CURVES:
                raise Invalid(f"backoffFunction must be one of {', '.join(_CURVES)}")
            continue
        least = 1 if name.endswith("Target") else 0
        most = _MOST.get(name, policy["numRetries"] if isinstance(policy["numRetries"], int) else 100)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Invalid(f"{name} must be between {least} and {most}")
    if policy["minDelayTarget"] > policy["maxDelayTarget"]:
        raise Invalid("minDelayTarget must be less than or equal to maxDelayTarget")
    phases = sum(policy[name] for name in ("numNoDelayRetries", "numMinDelayRetries", "numMaxDelayRetries"))
    if phases > policy["numRetries"]:
        raise Invalid("numRetries must be at least the sum of the retries of all phases")
    if sum(pause_before(n, policy) or 0 for n in range(1, policy["numRetries"] + 1)) > TOTAL_SECONDS_MAX:
        raise Invalid(f"the total retry time may not exceed {TOTAL_SECONDS_MAX} seconds")
