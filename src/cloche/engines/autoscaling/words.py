"""AWS's sentences about scaling activities.

Seen in the examples of API_DescribeScalingActivities.html and endpoint-scaling-query-history.html (causes, bounds,
successes, failures with the exception of the service) and of SageMaker in public ("Setting desired instance count to
48."). Those of an activity under way, overridden or not fulfilled are in their manner.
"""

from __future__ import annotations

from typing import Final

NOT_SCALED: Final = "Attempting to scale due to alarm triggered"


def setting(what: str, capacity: int) -> str:
    return f"Setting {what} to {capacity}."


def waiting(what: str, capacity: int) -> str:
    return f"Successfully set {what} to {capacity}. Waiting for change to be fulfilled by sagemaker."


def fulfilled(what: str, capacity: int) -> str:
    return f"Successfully set {what} to {capacity}. Change successfully fulfilled by sagemaker."


def unfulfilled(what: str, capacity: int, reason: str) -> str:
    return f"Successfully set {what} to {capacity}. Change was not fulfilled by sagemaker. Reason: {reason}"


def failed(what: str, capacity: int, reason: str) -> str:
    return f"Failed to set {what} to {capacity}. Reason: {reason}"


def refused(code: str, message: str, request_id: str) -> str:
    """An exception as the SDK in which Application Auto Scaling is written prints it."""
    return (
        f"{message} (Service: AmazonSageMaker; Status Code: 400; Error Code: {code}; "
        f"Request ID: {request_id}; Proxy: null)."
    )


def overridden(what: str, capacity: int) -> str:
    return f"Setting {what} to {capacity} was overridden by a newer scaling event."


def by_alarm(alarm: str, state: str, policy: str) -> str:
    return f"monitor alarm {alarm} in state {state} triggered policy {policy}"


def by_schedule(action: str) -> str:
    return f"scheduled action name {action} was triggered"


def by_bound(which: str, capacity: int) -> str:
    """``which``: ``minimum`` or ``maximum``."""
    return f"{which} capacity was set to {capacity}"


def bounds(low: int | None, high: int | None) -> str:
    """``min capacity to 5 and max capacity to 10``."""
    said = [f"{name} capacity to {value}" for name, value in (("min", low), ("max", high)) if value is not None]
    return " and ".join(said)
