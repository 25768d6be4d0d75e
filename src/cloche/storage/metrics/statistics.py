"""What is known of a set of samples: a state that can be added to another, in any order, to the same end.

Counts of distinct values are kept as long as there are few, so that percentiles are exact; beyond
``VALUES_MAX`` they are rounded to steps of one percent (within 0.5 % if they span two decades, coarser beyond).
Samples that came as a statistic set have no values: percentiles of a whole that holds such a set are unknown,
unless all its samples are equal.
(CloudWatch has the same exception: there are percentiles of a statistic set if "the Min and Max are equal, and Sum is
equal to Min multiplied by SampleCount";
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

VALUES_MAX: Final = 1_000
FINEST_STEP: Final = 1.01


@dataclass(slots=True)
class Statistics:
    count: float = 0.0
    total: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    values: dict[float, float] | None = field(default_factory=dict)
    """Value → how often. ``None``: not known."""

    @staticmethod
    def of(value: float, count: float = 1.0) -> Statistics:
        return Statistics(count, value * count, value, value, {value: count})

    @staticmethod
    def of_values(pairs: Iterable[tuple[float, float]]) -> Statistics:
        whole = Statistics()
        for value, count in pairs:
            whole.add(Statistics.of(value, count))
        return whole

    @staticmethod
    def of_set(count: float, total: float, minimum: float, maximum: float) -> Statistics:
        equal = minimum == maximum and math.isclose(total, minimum * count, rel_tol=1e-9, abs_tol=1e-12)
        values = {minimum: count} if equal else None
        return Statistics(count, total, minimum, maximum, values)

    def add(self, other: Statistics) -> None:
        """Take ``other`` in."""
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        if self.values is None or other.values is None:
            self.values = None
            return
        for value, count in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + count
        if len(self.values) > VALUES_MAX:
            self.values = _coarser(self.values)

    @property
    def average(self) -> float:
        return self.total / self.count

    def percentile(self, percent: float) -> float | None:
        """The value below which ``percent`` of the samples lie, interpolated between neighbours; ``None`` if the
        values are not known, or one of them is negative (CloudWatch then has none either)."""
        if not self.values or self.minimum < 0:
            return None
        return min(max(self._percentile(self.values, percent), self.minimum), self.maximum)

    def _percentile(self, values: dict[float, float], percent: float) -> float:
        ordered = sorted(values.items())
        rank = percent / 100 * (self.count - 1)
        seen = 0.0
        for at, (value, count) in enumerate(ordered):
            if rank <= seen + count - 1:
                return value
            if rank < seen + count:
                following = ordered[at + 1][0] if at + 1 < len(ordered) else value
                return value + (following - value) * (rank - (seen + count - 1))
            seen += count
        return ordered[-1][0]


def _coarser(values: dict[float, float]) -> dict[float, float]:
    """At most half of ``VALUES_MAX`` values: neighbours within a percent become one; two percent if that is not
    enough, and so on. Halving the number means that this is done rarely, however many samples come."""
    step = FINEST_STEP
    while True:
        rounded: dict[float, float] = {}
        for value, count in values.items():
            coarse = math.copysign(step ** round(math.log(abs(value), step)), value) if value else 0.0
            rounded[coarse] = rounded.get(coarse, 0.0) + count
        if len(rounded) <= VALUES_MAX // 2:
            return rounded
        step *= step
