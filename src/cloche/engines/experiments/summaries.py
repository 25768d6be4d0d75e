"""What is known of one metric of a run without its points: kept as JSON in the trial component's state.

A summary takes in one value after another. Mean and the sum of squared differences from it are carried along as
Welford's method does (Technometrics 4, 1962, p. 419), so that a long series of large, close numbers keeps its
deviation.
"""

from __future__ import annotations

import math
from typing import Any, TypedDict


class Summary(TypedDict):
    count: int
    mean: float
    squares: float
    """Sum of squared differences from the mean."""
    min: float
    max: float
    last: float
    last_at: float
    """Seconds since 1970: of the value that is last in time."""


def taken_in(held: Summary | None, value: float, at: float) -> Summary:
    if held is None:
        return Summary(count=1, mean=value, squares=0.0, min=value, max=value, last=value, last_at=at)
    count = held["count"] + 1
    difference = value - held["mean"]
    mean = held["mean"] + difference / count
    is_last = at >= held["last_at"]
    return Summary(
        count=count,
        mean=mean,
        squares=held["squares"] + difference * (value - mean),
        min=min(held["min"], value),
        max=max(held["max"], value),
        last=value if is_last else held["last"],
        last_at=at if is_last else held["last_at"],
    )


def deviation(held: Summary) -> float:
    """Of the values as a sample; 0 of a single one."""
    return math.sqrt(max(0.0, held["squares"]) / (held["count"] - 1)) if held["count"] > 1 else 0.0


def metrics_in(state: dict[str, Any]) -> dict[str, Summary]:
    """The summaries in a component's published state, by name."""
    found: dict[str, Summary] = state.get("metrics") or {}
    return found
