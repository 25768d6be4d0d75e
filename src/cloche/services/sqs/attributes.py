"""A queue's attributes: what may be set, what is shown, and what they mean to the engine.

Ranges and defaults: docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html. Words
that clients saw: "Value {…} for parameter RedrivePolicy is invalid. Reason: …" (serverless/serverless#5215), "Unknown
Attribute FifoQueue." (aws/aws-sdk-php#1331).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.engines.identity.policy.document import compile_document
from cloche.engines.queues import Counts, Queue, Settings
from cloche.foundation.errors import Invalid
from cloche.services.sqs.errors import invalid_attribute, invalid_value

RANGES: Final = {
    "DelaySeconds": (0, 900, 0),
    "MaximumMessageSize": (1_024, 1_048_576, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600, 345_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20, 0),
    "VisibilityTimeout": (0, 43_200, 30),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400, 300),
}
"""Least, most, default."""
_SWITCHES: Final = ("FifoQueue", "ContentBasedDeduplication", "SqsManagedSseEnabled")
_CHOICES: Final = {
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_FIFO_ONLY: Final = frozenset({"FifoQueue", "ContentBasedDeduplication", *_CHOICES})
_TEXTS: Final = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")
SETTABLE: Final = frozenset({*RANGES, *_SWITCHES, *_CHOICES, *_TEXTS})
COUNTED: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
TOLD: Final = ("QueueArn", "CreatedTimestamp", "LastModifiedTimestamp")
KNOWN: Final = frozenset({"All", *SETTABLE, *COUNTED, *TOLD})
RECEIVES_MAX: Final = 1_000  # API_SetQueueAttributes.html: maxReceiveCount
SOURCES_MAX: Final = 10  # the same page: sourceQueueArns
_ARN: Final = re.compile(r"arn:aws:sqs:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_-]+(?:\.fifo)?)")


def merged(held: Mapping[str, str], given: Mapping[str, str], *, fifo: bool) -> dict[str, str]:
    """What a queue has after ``given`` was set on it: an empty text takes an attribute away. Raises ``AwsError``."""
    result = dict(held)
    for name, value in given.items():
        if name not in SETTABLE or (name in _FIFO_ONLY and not fifo and (name != "FifoQueue" or name in held)):
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if name in _TEXTS and not value:
            result.pop(name, None)
            continue
        result[name] = _checked(name, value)
    if result.get("FifoThroughputLimit") == "perMessageGroupId" and result.get("DeduplicationScope") != "messageGroup":
        # API_SetQueueAttributes.html: "allowed only when the value for DeduplicationScope is messageGroup"
        reason = "FifoThroughputLimit can only be set to perMessageGroupId when DeduplicationScope is messageGroup."
        raise invalid_attribute("perMessageGroupId", "FifoThroughputLimit", reason)
    return result


def _checked(name: str, value: str) -> str:
    if name in RANGES:
        low, high, _ = RANGES[name]
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not low <= int(value) <= high:
            raise invalid_attribute(value, name, f"Must be an integer from {low} to {high}.")
        return str(int(value))
    if name in _SWITCHES:
        if value.lower() not in ("true", "false"):
            raise invalid_attribute(value, name, "Must be true or false.")
        return value.lower()
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise invalid_attribute(value, name, f"Must be one of {', '.join(_CHOICES[name])}.")
    elif name == "Policy":
        check_policy(value)
    return value


def check_policy(text: str) -> None:
    """Raises InvalidAttributeValue for what is no policy of a resource."""
    try:
        document = json.loads(text)
        statements = document["Statement"] if isinstance(document, dict) else None
        listed = statements if isinstance(statements, list) else [statements]
        if not all(isinstance(each, dict) and {"Principal", "NotPrincipal"} & each.keys() for each in listed):
            raise Invalid("a statement has no principal")
        compile_document(text)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, Invalid):
        raise invalid_attribute(text, "Policy", "The policy is not a valid policy document.") from None


def redrive(attributes: Mapping[str, str]) -> tuple[str, int]:
    """(ARN of the dead-letter queue, receives before it), or empty and 0. Raises ``AwsError`` for a bad policy."""
    text = attributes.get("RedrivePolicy")
    if not text:
        return "", 0
    policy = _object(text, "RedrivePolicy")
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if name not in policy:
            reason = f"Redrive policy does not contain mandatory attribute: {name}."
            raise invalid_value(text, "RedrivePolicy", reason)
    if unknown := policy.keys() - {"deadLetterTargetArn", "maxReceiveCount"}:
        raise invalid_value(text, "RedrivePolicy", f"Unknown redrive policy attribute: {sorted(unknown)[0]}.")
    arn, count = policy["deadLetterTargetArn"], str(policy["maxReceiveCount"])
    if not re.fullmatch(r"\d{1,4}", count, re.ASCII) or not 1 <= int(count) <= RECEIVES_MAX:
        reason = (
            f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to {RECEIVES_MAX} both inclusive."
        )
        raise invalid_value(text, "RedrivePolicy", reason)
    if not isinstance(arn, str) or not _ARN.fullmatch(arn):
        raise invalid_value(text, "RedrivePolicy", f"Invalid value for deadLetterTargetArn: {arn}.")
    return arn, int(count)


def allowed_sources(attributes: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Who may name the queue as theirs for dead letters: (``allowAll`` | ``denyAll`` | ``byQueue``, their ARNs)."""
    text = attributes.get("RedriveAllowPolicy")
    if not text:
        return "allowAll", ()
    policy = _object(text, "RedriveAllowPolicy")
    permission, arns = policy.get("redrivePermission"), policy.get("sourceQueueArns", [])
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise invalid_value(text, "RedriveAllowPolicy", "Amazon SQS can't create the redrive allow policy.")
    if not isinstance(arns, list) or not all(isinstance(arn, str) for arn in arns) or len(arns) > SOURCES_MAX:
        raise invalid_value(text, "RedriveAllowPolicy", f"sourceQueueArns must be at most {SOURCES_MAX} queue ARNs.")
    if (permission == "byQueue") != bool(arns):
        raise invalid_value(text, "RedriveAllowPolicy", "sourceQueueArns must be given with byQueue, and only then.")
    return permission, tuple(arns)


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise invalid_value(text, name, f"{name} is not valid JSON.")
    return found


def settings_of(attributes: Mapping[str, str]) -> Settings:
    """What of them the engine acts on."""
    dead_letter_arn, receives_max = redrive(attributes)
    allowed_sources(attributes)

    def number(name: str) -> int:
        return int(attributes.get(name, RANGES[name][2]))

    return Settings(
        fifo=attributes.get("FifoQueue") == "true",
        delay_seconds=number("DelaySeconds"),
        visibility_seconds=number("VisibilityTimeout"),
        wait_seconds=number("ReceiveMessageWaitTimeSeconds"),
        retention_seconds=number("MessageRetentionPeriod"),
        content_deduplicates=attributes.get("ContentBasedDeduplication") == "true",
        deduplicates_in_groups=attributes.get("DeduplicationScope") == "messageGroup",
        dead_letter_arn=dead_letter_arn,
        receives_max=receives_max,
    )


def shown(queue: Queue, counts: Counts) -> dict[str, str]:
    """All of them, as GetQueueAttributes has them."""
    held = queue.attributes
    result = {name: str(value) for name, (_, _, value) in RANGES.items() if name != "KmsDataKeyReusePeriodSeconds"}
    if "KmsMasterKeyId" in held:
        result["KmsDataKeyReusePeriodSeconds"] = str(RANGES["KmsDataKeyReusePeriodSeconds"][2])
    result["SqsManagedSseEnabled"] = "false" if "KmsMasterKeyId" in held else "true"
    if queue.settings.fifo:
        result |= {
            "ContentBasedDeduplication": "false",
            "DeduplicationScope": "queue",
            "FifoThroughputLimit": "perQueue",
        }
    result |= held
    result |= {
        "QueueArn": queue.arn,
        "CreatedTimestamp": str(int(queue.created_at)),
        "LastModifiedTimestamp": str(int(queue.modified_at)),
    }
    result |= dict(zip(COUNTED, map(str, (counts.visible, counts.in_flight, counts.delayed)), strict=True))
    return result
