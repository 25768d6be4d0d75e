"""What a policy that was triggered wants of a target's capacity. Pure.

Sources: application-auto-scaling-step-scaling-policies.html (steps, rounding, cooldown),
application-auto-scaling-target-tracking.html (proportional, rounded so as to protect who is served) and
API_PutScalingPolicy.html (of several policies the one with the largest capacity) of Application Auto Scaling's guide.
AWS does not say which data points it divides by the target. Here a scale-out takes the newest, to be as quick as the
load, and a scale-in the greatest of all that the alarm looked at, to be as slow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloche.engines.autoscaling.bounds import Bounds

COOLDOWN_DEFAULT: Final = 300
"""TargetTrackingScalingPolicyConfiguration and StepScalingPolicyConfiguration of the API reference, for SageMaker."""

CAPACITY_MAX: Final = 2**31 - 1
"""Of an integer of the API."""

AT_MAX: Final = "AlreadyAtMaxCapacity"
AT_MIN: Final = "AlreadyAtMinCapacity"
AT_DESIRED: Final = "AlreadyAtDesiredCapacity"
FLAPPING: Final = "AutoScalingAnticipatedFlapping"
UNSCALABLE: Final = "TargetServicePutResourceAsUnscalable"
_AGGREGATES: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "Minimum": min,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What an alarm says, and of what."""

    name: str
    state: str
    is_acting: bool
    """Whether its actions are enabled."""
    actions: frozenset[str]
    """Those of the state it is in."""
    threshold: float
    is_upward: bool
    """Does it ring above its threshold?"""
    values: Sequence[float]
    """Of the periods it looked at, newest first; those without data are left out."""


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Since the policy last changed the capacity."""

    until: float
    began_with: int
    came_to: int

    @property
    def is_out(self) -> bool:
        return self.came_to > self.began_with


@dataclass(frozen=True, slots=True)
class Wish:
    """``capacity`` within the bounds; ``None``: nothing, for ``reason`` (the code of a ``NotScaledReason``), or because
    it has to wait until ``wait_until``."""

    capacity: int | None
    reason: str = ""
    wait_until: float | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    capacity: int
    """Before the bounds."""
    is_out: bool


def wish(
    policy: Mapping[str, Any],
    reading: Reading,
    current: int,
    bounds: Bounds,
    cooldown: Cooldown | None,
    now: float,
) -> Wish:
    """``policy`` is the request of PutScalingPolicy.

    While a scale-out cools down, what it added counts towards what is asked for next, so that only more than that is
    added; while a scale-in does, no other follows it.
    """
    cools = cooldown if cooldown is not None and now < cooldown.until else None
    base = cools.began_with if cools is not None and cools.is_out else current
    if policy["PolicyType"] == "StepScaling":
        asked = _stepped(policy["StepScalingPolicyConfiguration"], reading, current, base)
    else:
        asked = _tracked(policy["TargetTrackingScalingPolicyConfiguration"], reading, current, base)
    if asked is None:
        return Wish(None)
    wanted = bounds.hold(asked.capacity)
    if asked.is_out:
        if wanted > current:
            return Wish(wanted)
        if current >= bounds.high:
            return Wish(None, AT_MAX)
        return Wish(None, wait_until=cools.until) if cools is not None and cools.is_out else Wish(None, AT_DESIRED)
    if current <= bounds.low:
        return Wish(None, AT_MIN)
    if wanted >= current:  # one less would be too little for the load, and be added again
        return Wish(None, FLAPPING)
    if cools is not None and not cools.is_out:
        return Wish(None, wait_until=cools.until)
    return Wish(wanted)


def _tracked(config: Mapping[str, Any], reading: Reading, current: int, base: int) -> _Asked | None:
    """Proportional to the metric, rounded up: no more load for each than the target."""
    if reading.is_upward:
        return _Asked(_shared(base, reading.values[0], config), True) if reading.values else None
    return _Asked(_shared(current, max(reading.values, default=0.0), config), False)


def _shared(base: int, value: float, config: Mapping[str, Any]) -> int:
    wanted = base * value / float(config["TargetValue"])
    return math.ceil(round(min(wanted, CAPACITY_MAX), 9)) if wanted > 0 else 0


def _stepped(config: Mapping[str, Any], reading: Reading, current: int, base: int) -> _Asked | None:
    if not reading.values:
        return None
    aggregate = _AGGREGATES[config.get("MetricAggregationType") or "Average"]
    step = step_at(config["StepAdjustments"], aggregate(reading.values) - reading.threshold, reading.is_upward)
    if step is None or (step["ScalingAdjustment"] == 0 and config["AdjustmentType"] != "ExactCapacity"):
        return None
    amount = int(step["ScalingAdjustment"])
    if config["AdjustmentType"] == "ExactCapacity":
        return None if amount == current else _Asked(amount, amount > current)
    start = base if amount > 0 else current
    change = amount
    if config["AdjustmentType"] == "PercentChangeInCapacity":
        size = max(rounded(start * abs(amount) / 100), config.get("MinAdjustmentMagnitude") or 0)
        change = size if amount > 0 else -size
    return _Asked(max(0, start + change), amount > 0)


def step_at(steps: Sequence[Mapping[str, Any]], breach: float, is_upward: bool) -> Mapping[str, Any] | None:
    """Above the threshold the lower bound is within and the upper is not; below, the other way round. At the very
    threshold it is as the alarm looks at it."""
    above = breach > 0 or (breach == 0 and is_upward)
    for step in steps:
        low = step.get("MetricIntervalLowerBound", -math.inf)
        high = step.get("MetricIntervalUpperBound", math.inf)
        if low <= breach < high if above else low < breach <= high:
            return step
    return None


def rounded(size: float) -> int:
    """Down, but what is more than nought is one at least."""
    return 0 if size <= 0 else max(1, math.floor(size + 1e-9))


def largest(wishes: Mapping[str, int]) -> str | None:
    """Whose wish is fulfilled, by the policies' ARNs: that with the largest capacity, and so more before less."""
    return max(wishes, key=lambda each: (wishes[each], each), default=None)
