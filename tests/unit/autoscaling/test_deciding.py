"""What policies want of a capacity, by the tables and examples of Application Auto Scaling's guide."""

from __future__ import annotations

from typing import Any

import pytest

from cloche.engines.autoscaling.bounds import Bounds
from cloche.engines.autoscaling.deciding import (
    AT_DESIRED,
    AT_MAX,
    AT_MIN,
    FLAPPING,
    Cooldown,
    Reading,
    Wish,
    largest,
    rounded,
    step_at,
    wish,
)
from cloche.engines.autoscaling.machine import ACTIVITY
from cloche.engines.autoscaling.triggers import Trigger

WIDE = Bounds(0, 100)


def reading(*values: float, threshold: float = 50.0, upward: bool = True) -> Reading:
    return Reading("alarm", "ALARM", True, frozenset({"policy"}), threshold, upward, values)


def steps(kind: str, *adjustments: tuple[float | None, float | None, int], **more: Any) -> dict[str, Any]:
    rows = [
        {
            **({} if low is None else {"MetricIntervalLowerBound": low}),
            **({} if high is None else {"MetricIntervalUpperBound": high}),
            "ScalingAdjustment": amount,
        }
        for low, high, amount in adjustments
    ]
    config = {"AdjustmentType": kind, "StepAdjustments": rows, **more}
    return {"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": config}


def tracking(target: float) -> dict[str, Any]:
    return {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": target}}


OUT = steps("PercentChangeInCapacity", (0, 10, 0), (10, 20, 10), (20, None, 30))
IN = steps("PercentChangeInCapacity", (-10, 0, 0), (-20, -10, -10), (None, -20, -30))


@pytest.mark.parametrize(
    ("policy", "value", "current", "expected"),
    [
        (OUT, 59.9, 10, None),
        (OUT, 60, 10, 11),
        (OUT, 70, 11, 14),  # 30 percent of 11, 3.3, rounded down
        (IN, 41, 14, None),
        (IN, 40, 14, 13),
        (IN, 30, 13, 10),  # 3.9, rounded down
    ],
)
def test_the_guides_example_of_steps(policy: dict[str, Any], value: float, current: int, expected: int | None) -> None:
    assert wish(policy, reading(value, upward=policy is OUT), current, WIDE, None, 0).capacity == expected


def test_percentages_are_rounded_towards_nought_but_never_to_it() -> None:
    assert [rounded(size) for size in (12.7, 0.67, 0.0, 6.67, 1.0)] == [12, 1, 0, 6, 1]
    least = steps("PercentChangeInCapacity", (0, None, 25), MinAdjustmentMagnitude=2)
    assert wish(least, reading(51), 4, WIDE, None, 0).capacity == 6
    assert wish(least, reading(51), 0, WIDE, None, 0).capacity == 2
    assert wish(least, reading(51), 40, WIDE, None, 0).capacity == 50
    fewer = steps("PercentChangeInCapacity", (None, 0, -25), MinAdjustmentMagnitude=2)
    assert wish(fewer, reading(49, upward=False), 4, WIDE, None, 0).capacity == 2


def test_the_threshold_belongs_to_the_side_the_alarm_looks_at() -> None:
    both = [
        {"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1},
        {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1},
    ]
    assert [step_at(both, 0, up)["ScalingAdjustment"] for up in (True, False)] == [1, -1]  # type: ignore[index]
    middle = [{"MetricIntervalLowerBound": -5, "MetricIntervalUpperBound": 5, "ScalingAdjustment": 9}]
    assert step_at(middle, 5, True) is None and step_at(middle, -5, False) is None
    assert step_at(middle, 4.9, True) and step_at(middle, -4.9, False)


def test_exact_capacity_and_aggregation() -> None:
    exact = steps("ExactCapacity", (0, 10, 3), (10, None, 7), MetricAggregationType="Maximum")
    assert wish(exact, reading(51, 70, 51), 5, WIDE, None, 0).capacity == 7
    assert wish(exact, reading(51, 52), 5, WIDE, None, 0).capacity == 3
    assert wish(exact, reading(51), 3, WIDE, None, 0) == Wish(None)
    assert wish(exact, reading(), 3, WIDE, None, 0) == Wish(None)
    average = steps("ChangeInCapacity", (0, 10, 1), (10, None, 4))
    assert wish(average, reading(51, 75), 1, WIDE, None, 0).capacity == 5
    lowest = steps("ChangeInCapacity", (0, 10, 1), (10, None, 4), MetricAggregationType="Minimum")
    assert wish(lowest, reading(51, 75), 1, WIDE, None, 0).capacity == 2


def test_tracking_is_proportional_out_by_the_newest_and_in_by_the_greatest() -> None:
    assert wish(tracking(50), reading(120, 60, 55), 2, WIDE, None, 0).capacity == 5
    low = reading(10, 0, 20, threshold=45, upward=False)
    assert wish(tracking(50), low, 5, WIDE, None, 0).capacity == 2
    assert wish(tracking(50), reading(0, 0, upward=False), 5, Bounds(1, 9), None, 0).capacity == 1
    assert wish(tracking(50), reading(upward=False), 5, WIDE, None, 0).capacity == 0
    assert wish(tracking(0.1), reading(0.3), 1, WIDE, None, 0).capacity == 3  # and not four for a rounding error


def test_bounds_and_why_nothing_is_done() -> None:
    bounds = Bounds(1, 4)
    assert wish(tracking(50), reading(500), 2, bounds, None, 0).capacity == 4
    assert wish(tracking(50), reading(500), 4, bounds, None, 0) == Wish(None, AT_MAX)
    assert wish(tracking(50), reading(1, upward=False), 1, bounds, None, 0) == Wish(None, AT_MIN)
    assert wish(tracking(50), reading(40, upward=False), 2, bounds, None, 0) == Wish(None, FLAPPING)
    assert wish(tracking(50), reading(51), 0, Bounds(0, 4), None, 0) == Wish(None, AT_DESIRED)  # nothing times anything


def test_a_scale_out_that_cools_down_counts_towards_the_next() -> None:
    """The guide's example: two were added; three are asked for; one more is."""
    two_or_three = steps("ChangeInCapacity", (0, 10, 2), (10, None, 3))
    cools = Cooldown(until=300, began_with=5, came_to=7)
    assert wish(two_or_three, reading(55), 7, WIDE, cools, 200) == Wish(None, wait_until=300)
    assert wish(two_or_three, reading(65), 7, WIDE, cools, 200).capacity == 8
    assert wish(two_or_three, reading(55), 7, WIDE, cools, 300).capacity == 9
    assert wish(tracking(50), reading(60), 7, WIDE, cools, 200) == Wish(None, wait_until=300)
    fewer = steps("ChangeInCapacity", (None, 0, -1))
    assert wish(fewer, reading(49, upward=False), 7, WIDE, cools, 200).capacity == 6


def test_scaling_in_waits_for_its_cooldown_and_scaling_out_does_not() -> None:
    cools = Cooldown(until=300, began_with=7, came_to=5)
    assert wish(tracking(50), reading(1, upward=False), 5, WIDE, cools, 299) == Wish(None, wait_until=300)
    assert wish(tracking(50), reading(1, upward=False), 5, WIDE, cools, 300).capacity == 1
    assert wish(tracking(50), reading(100), 5, WIDE, cools, 200).capacity == 10


def test_of_several_policies_the_largest_capacity() -> None:
    assert largest({"a": 13, "b": 30, "c": 9}) == "b"
    assert largest({}) is None


def test_actions_are_taken_every_minute_from_when_the_state_began() -> None:
    trigger = Trigger("policy", "alarm", "target", "ALARM", since=1000.0)
    assert [trigger.tick(at) for at in (1000.0, 1059.9, 1060.0, 1185.0)] == [1060.0, 1060.0, 1120.0, 1240.0]


def test_every_state_of_an_activity_has_a_way_out() -> None:
    assert ACTIVITY.flaws() == []
