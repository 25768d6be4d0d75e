"""The band of values to be expected: a method of our own, as AWS's is not published. Pure.

The past is what the metric reported in the two weeks before (``TRAINED_SECONDS``). What is expected at a time of day is
the median of what was seen within that hour of earlier days, if there are at least two days of it; else the median of
all. The spread is that of what was seen about what was expected: 1.4826 times the median of the absolute differences,
which a few outliers do not move; where that is zero, their standard deviation. The band reaches as many spreads to
either side as is asked for. Below ``POINTS_MIN`` points nothing is expected.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

TRAINED_SECONDS: Final = 14 * 86_400
POINTS_MIN: Final = 12
HOUR: Final = 3600
DAY: Final = 86_400
_TO_DEVIATION: Final = 1.4826
"""From the median absolute deviation of a normal distribution to its standard deviation."""


@dataclass(frozen=True, slots=True)
class Model:
    level: float
    by_hour: Mapping[int, float]
    """What is expected in an hour of the day (UTC); hours that were not seen have the level."""
    spread: float

    def expected(self, at: float) -> float:
        return self.by_hour.get(int(at % DAY // HOUR), self.level)

    def bounds(self, times: Iterable[int], width: float) -> tuple[dict[int, float], dict[int, float]]:
        """(upper, lower) at those times."""
        reach = width * self.spread
        middles = {at: self.expected(at) for at in times}
        upper = {at: middle + reach for at, middle in middles.items()}
        return upper, {at: middle - reach for at, middle in middles.items()}


def train(points: Mapping[int, float]) -> Model | None:
    """``None``: too little is known."""
    if len(points) < POINTS_MIN:
        return None
    level = median(points.values())
    by_hour = _hours(points) if max(points) - min(points) >= 2 * DAY else {}
    model = Model(level, by_hour, 0.0)
    differences = [value - model.expected(at) for at, value in points.items()]
    spread = _TO_DEVIATION * median(map(abs, differences))
    if spread == 0.0:
        spread = math.sqrt(fmean(difference * difference for difference in differences))
    return Model(level, by_hour, spread)


def _hours(points: Mapping[int, float]) -> dict[int, float]:
    seen: defaultdict[int, list[float]] = defaultdict(list)
    days: defaultdict[int, set[int]] = defaultdict(set)
    for at, value in points.items():
        hour = at % DAY // HOUR
        seen[hour].append(value)
        days[hour].add(at // DAY)
    return {hour: median(values) for hour, values in seen.items() if len(days[hour]) >= 2}
