"""Retry policies: which failures are worth another attempt, when, and how often.

Exceptions, and a policy's members with their defaults and bounds:
docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html; that all but ``BackoffRate`` are whole numbers: the
schema of definitions (aws-sagemaker-mlops/sagemaker-model-building-pipeline-definition-JSON-schema). Two of the
exceptions, of the services that a step calls, are retried without being asked to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cloche.foundation.errors import Invalid

SERVICE_FAULT: Final = "Step.SERVICE_FAULT"
THROTTLING: Final = "Step.THROTTLING"
JOB_INTERNAL_ERROR: Final = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY_ERROR: Final = "SageMaker.CAPACITY_ERROR"
RESOURCE_LIMIT: Final = "SageMaker.RESOURCE_LIMIT"
EXCEPTIONS: Final = (SERVICE_FAULT, THROTTLING, JOB_INTERNAL_ERROR, CAPACITY_ERROR, RESOURCE_LIMIT)

INTERVAL_SECONDS_MAX: Final = 43_200
# workflow/retry.py of the SDKs, too: MAX_ATTEMPTS_CAP, MAX_EXPIRE_AFTER_MIN.
ATTEMPTS_MAX: Final = 20
EXPIRE_MINUTES_MAX: Final = 14_400
BACKOFF_RATE_MAX: Final = 100
"""Cloche's own bound."""
GROWTHS_MAX: Final = 100
"""A pause grows no more after so many retries, which only those without an interval come to: a float has its bounds."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    exceptions: tuple[str, ...]
    interval_seconds: float = 1.0
    backoff_rate: float = 2.0
    attempts_max: int | None = 5
    """Of retries; the first attempt is none. With 0 there are none."""
    expire_minutes: float | None = None
    """Since the step began: an error after that is the last."""

    def pause(self, retries: int, since_seconds: float) -> float | None:
        """Seconds until the next attempt after ``retries`` of this policy, ``since_seconds`` after the step began;
        ``None``: there is none."""
        if self.attempts_max is not None and retries >= self.attempts_max:
            return None
        if self.expire_minutes is not None and since_seconds >= self.expire_minutes * 60:
            return None
        return self.interval_seconds * float(self.backoff_rate) ** min(retries, GROWTHS_MAX)


DEFAULT: Final = RetryPolicy((SERVICE_FAULT, THROTTLING))


def policy_for(policies: Iterable[RetryPolicy], exception: str) -> RetryPolicy | None:
    return next((policy for policy in (*policies, DEFAULT) if exception in policy.exceptions), None)


def policy_of(given: Any) -> RetryPolicy:
    """From a definition. Raises ``Invalid``."""
    if not isinstance(given, dict):
        raise Invalid("Expecting start of Json Object", field="RetryPolicies")
    exceptions = given.get("ExceptionType")
    if not isinstance(exceptions, list) or not exceptions:
        raise Invalid("a retry policy needs a list ExceptionType", field="ExceptionType")
    # "SageMaker.JOB_CAPACITY_ERROR" stood in earlier editions of the page.
    exceptions = [CAPACITY_ERROR if each == "SageMaker.JOB_CAPACITY_ERROR" else each for each in exceptions]
    for each in exceptions:
        if each not in EXCEPTIONS:
            raise Invalid(f"{each!r} is none of the exceptions {', '.join(EXCEPTIONS)}", field="ExceptionType")
    attempts, minutes = given.get("MaxAttempts"), given.get("ExpireAfterMin")
    if attempts is not None and minutes is not None:
        raise Invalid("a retry policy has MaxAttempts or ExpireAfterMin, not both", field="MaxAttempts")
    return RetryPolicy(
        tuple(exceptions),
        _number(given, "IntervalSeconds", 1, INTERVAL_SECONDS_MAX),
        _number(given, "BackoffRate", 2.0, BACKOFF_RATE_MAX, whole=False),
        None if minutes is not None else int(_number(given, "MaxAttempts", 5, ATTEMPTS_MAX)),
        None if minutes is None else _number(given, "ExpireAfterMin", 0, EXPIRE_MINUTES_MAX),
    )


def _number(given: dict[str, Any], member: str, default: float, most: float, *, whole: bool = True) -> float:
    """From 0 on."""
    value = given.get(member, default)
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value <= most:
        raise Invalid(f"{member} must be {'an integer' if whole else 'a number'} from 0 to {most:,}", field=member)
    return value


_FAULTS: Final = ("InternalFailure", "InternalServerError", "InternalError", "ServiceUnavailable", "ServiceException")


def exception_of_refusal(code: str) -> str | None:
    """The class of a call that was refused with ``code``; ``None`` for one that would be refused again."""
    if "Throttl" in code or code == "TooManyRequestsException":
        return THROTTLING
    if code in ("ResourceLimitExceeded", "LimitExceededException"):
        return RESOURCE_LIMIT
    return SERVICE_FAULT if code in _FAULTS else None


def exception_of_failure(reason: str) -> str | None:
    """The class of a job that failed for ``reason``, which begins with AWS's word for whose fault it was."""
    if reason.startswith(("InternalServerError", "InternalServiceError")):
        return JOB_INTERNAL_ERROR
    if reason.startswith(("CapacityError", "InsufficientCapacity")):
        return CAPACITY_ERROR
    return RESOURCE_LIMIT if reason.startswith("ResourceLimitExceeded") else None
