"""The staircases of a scaled capacity, and what a policy wants in a line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cloche.console.scaling import chart, wish

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def activity(minute: int, count: int, status: str = "Successful", took: int = 1) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    end = {"EndTime": at + timedelta(minutes=took)} if status != "InProgress" else {}
    return {"Description": f"Setting desired instance count to {count}.", "StatusCode": status, "StartTime": at, **end}


def test_what_was_wanted_and_what_there_was() -> None:
    history = [activity(20, 1, "InProgress"), activity(10, 9, "Failed"), activity(0, 3)]
    history.append({"Description": "Setting min capacity to 5", "StatusCode": "Successful", "StartTime": NOON})
    made = chart("endpoint/e/variant/All", history, NOON - timedelta(minutes=10), NOON + timedelta(minutes=30))
    assert made is not None and made["title"] == "scaled, All"
    desired, actual = (dict(zip(made["x"], line["values"], strict=True)) for line in made["series"])
    noon = NOON.timestamp()
    assert (desired[noon - 600], actual[noon - 600]) == (None, None)
    assert (desired[noon], actual[noon], actual[noon + 60]) == (3.0, None, 3.0)
    assert (desired[noon + 600], actual[noon + 600]) == (9.0, 3.0)
    assert (desired[noon + 1800], actual[noon + 1800]) == (1.0, 3.0)
    assert chart("endpoint/e/variant/All", history, NOON + timedelta(hours=1), NOON + timedelta(hours=2)) is None


def test_what_a_policy_wants() -> None:
    below = {"MetricIntervalUpperBound": -5.0, "ScalingAdjustment": -2}
    steps = [below, {"MetricIntervalLowerBound": -5.0, "ScalingAdjustment": 1}]
    config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps}
    assert wish({"StepScalingPolicyConfiguration": config}) == "up to -5: -2, from -5: +1"
    four = {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 4}
    exact = {"AdjustmentType": "ExactCapacity", "StepAdjustments": [four]}
    assert wish({"StepScalingPolicyConfiguration": exact}) == "from 0: 4"
    tracked = {"TargetValue": 0.5, "CustomizedMetricSpecification": {"MetricName": "Load"}}
    assert wish({"TargetTrackingScalingPolicyConfiguration": tracked}) == "Load at 0.5"
