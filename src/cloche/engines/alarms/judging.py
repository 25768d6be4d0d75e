"""What state a row of data points means: breaching or not, missing points treated as the alarm says. Pure.

The rules and the cases they are tested on are
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html. More periods are looked at than
are evaluated (``RANGE_EXTRA``), so that points a little further back can stand in for missing ones: CloudWatch says
of its own choice only that it "depends on the length of the alarm period", and shows 5 for 3; so two more it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

OK: Final = "OK"
ALARM: Final = "ALARM"
INSUFFICIENT_DATA: Final = "INSUFFICIENT_DATA"

RANGE_EXTRA: Final = 2

Compare = Callable[[float, float], bool]
COMPARISONS: Final[Mapping[str, Compare]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
BANDS: Final = frozenset(
    {"LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"}
)


@dataclass(frozen=True, slots=True)
class Point:
    """One period's data point. ``at`` is the beginning of the period."""

    at: int
    value: float
    samples: float | None = None
    lower: float | None = None
    upper: float | None = None

    def is_breaching(self, operator: str, threshold: float) -> bool:
        if operator in COMPARISONS:
            return COMPARISONS[operator](self.value, threshold)
        assert self.lower is not None
        assert self.upper is not None
        below, above = self.value < self.lower, self.value > self.upper
        if operator == "LessThanLowerThreshold":
            return below
        return above if operator == "GreaterThanUpperThreshold" else below or above


@dataclass(frozen=True, slots=True)
class Verdict:
    """``state`` is ``None`` where the present one is to be kept. ``points`` are those that were evaluated, newest
    first; ``filled`` is how many missing ones were treated as breaching or not."""

    state: str | None
    points: tuple[Point, ...]
    filled: int


def judge(
    row: Sequence[Point | None], *, periods: int, needed: int, missing: str, breaching: Callable[[Point], bool]
) -> Verdict:
    """``row`` is the evaluation range, newest period first: ``periods + RANGE_EXTRA`` long."""
    real = [point for point in row if point is not None]
    evaluated = tuple(real[:periods])
    bad = sum(map(breaching, evaluated))
    if len(real) >= periods:
        return Verdict(ALARM if bad >= needed else OK, evaluated, 0)
    lacking = periods - len(real)
    if missing == "breaching":
        return Verdict(ALARM if bad + lacking >= needed else OK, evaluated, lacking)
    if missing == "notBreaching":
        return Verdict(ALARM if bad >= needed else OK, evaluated, lacking)
    if bad >= needed:
        return Verdict(ALARM, evaluated, 0)
    if bad < len(real):
        return Verdict(OK, evaluated, 0)
    if missing == "ignore":
        return Verdict(None, evaluated, 0)
    # All there is is breaching and not enough. What is old enough rings all the same: "premature alarm state".
    oldest = max((age for age, point in enumerate(row, 1) if point is not None), default=0)
    return Verdict(ALARM if real and oldest >= needed else INSUFFICIENT_DATA, evaluated, 0)


def samples_wanted(percent: float) -> float:
    """Below so many samples a percentile says little
    (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html)."""
    rare = min(percent, 100 - percent)
    return 1000 / rare if rare > 0 else float("inf")
