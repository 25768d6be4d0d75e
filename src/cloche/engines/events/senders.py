"""Who sends: a rule, or a schedule of the Scheduler. What each hands over, counts, and says of a dead letter.

docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html and eb-rule-dlq.html;
docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html, configuring-schedule-dlq.html and
managing-schedule-context-attributes.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloche.engines.events import transform
from cloche.foundation.clock import from_epoch, to_iso
from cloche.foundation.errors import Denied, Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Owed:
    """A delivery as it stands in the outbox: ``attempts`` have failed so far."""

    id: int
    account: str
    region: str
    sender: str
    target: Mapping[str, Any]
    event: Mapping[str, Any]
    accepted_at: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Sender:
    namespace: str
    dimension: Callable[[str], tuple[str, str]]
    """Of the sender's ARN."""
    attempt: str
    failed_attempt: str
    given_up: str
    buried: str
    unburied: str
    payload: Callable[[Owed], str]
    letter: Callable[[Owed, Exception, str], dict[str, str]]
    """What goes with a dead letter: after an error, and the limit that was reached (empty: waiting would not help)."""


def sender_of(arn: str) -> Sender:
    return SCHEDULES if arn.startswith("arn:aws:scheduler:") else RULES


def _codes(error: Exception, not_there: str, denied: str, invalid: str, other: str) -> str:
    known: tuple[tuple[type[Exception], str], ...] = ((NotFound, not_there), (Denied, denied), (Invalid, invalid))
    return next((name for kind, name in known if isinstance(error, kind)), other)


# -- rules ----------------------------------------------------------------------------------------------------


def _payload_of_rule(owed: Owed) -> str:
    return transform.payload(owed.target, owed.event, owed.sender, to_iso(from_epoch(owed.accepted_at)))


def _letter_of_rule(owed: Owed, error: Exception, condition: str) -> dict[str, str]:
    code = _codes(error, "NO_RESOURCE", "NO_PERMISSIONS", "INVALID_JSON", "SDK_CLIENT_ERROR")
    said = {
        "RULE_ARN": owed.sender,
        "TARGET_ARN": str(owed.target["Arn"]),
        "ERROR_CODE": code,
        "ERROR_MESSAGE": str(error)[:1_000] or code,
    }
    if condition:
        said |= {"EXHAUSTED_RETRY_CONDITION": condition, "RETRY_ATTEMPTS": str(owed.attempts)}
    return said


# -- schedules ------------------------------------------------------------------------------------------------

CONTEXT: Final = ("schedule-arn", "scheduled-time", "execution-id")
"""What an occurrence knows besides the number of the attempt; the keys of its event."""


def _payload_of_schedule(owed: Owed) -> str:
    text = str(owed.target["Input"])
    for name in CONTEXT:
        text = text.replace(f"<aws.scheduler.{name}>", str(owed.event[name]))
    return text.replace("<aws.scheduler.attempt-number>", str(owed.attempts + 1))


def _letter_of_schedule(owed: Owed, error: Exception, condition: str) -> dict[str, str]:
    code = _codes(error, "ResourceNotFoundException", "AccessDeniedException", "ValidationException", "")
    said_by_target = str(getattr(error, "code", "") or getattr(error.__cause__, "code", ""))
    said = {
        "ERROR_CODE": said_by_target or code or "InternalServerError",
        "ERROR_MESSAGE": str(error)[:1_000] or "The target could not be invoked.",
        "EXECUTION_ID": str(owed.event["execution-id"]),
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(owed.attempts),
        "SCHEDULED_TIME": str(owed.event["scheduled-time"]),
        "SCHEDULE_ARN": owed.sender,
        "TARGET_ARN": str(owed.target["Arn"]),
    }
    return {**said, "EXHAUSTED_RETRY_CONDITION": condition} if condition else said


RULES: Final = Sender(
    namespace="AWS/Events",
    dimension=lambda arn: ("RuleName", arn.rpartition("/")[2]),
    attempt="Invocations",
    failed_attempt="",
    given_up="FailedInvocations",
    buried="InvocationsSentToDlq",
    unburied="InvocationsFailedToBeSentToDlq",
    payload=_payload_of_rule,
    letter=_letter_of_rule,
)
SCHEDULES: Final = Sender(
    namespace="AWS/Scheduler",
    dimension=lambda arn: ("ScheduleGroup", arn.split("/")[1]),
    attempt="InvocationAttemptCount",
    failed_attempt="TargetErrorCount",
    given_up="InvocationDroppedCount",
    buried="InvocationsSentToDeadLetterCount",
    unburied="InvocationsFailedToBeSentToDeadLetterCount",
    payload=_payload_of_schedule,
    letter=_letter_of_schedule,
)
