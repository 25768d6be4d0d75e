"""What a variant's requests came to, counted in memory and handed to the metric store once in a while.

Counting is a few additions on the event loop; everything else happens in the tending thread. Latencies are in
microseconds, as AWS's ``ModelLatency`` and ``OverheadLatency`` are.
Source of names and units: docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

SAMPLES_MAX: Final = 200_000
"""Latencies kept one by one between two flushes, some seconds of the fastest model; further ones are left out."""


@dataclass(slots=True)
class Counts:
    """One interval of one variant."""

    invocations: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    model_errors: int = 0
    """Requests that the model did not answer with a 2xx, whoever's fault the client is told it was."""
    no_capacity: int = 0
    """Requests for what has been scaled to none; they are among no others."""
    model_latencies: list[int] = field(default_factory=list)
    overhead_latencies: list[int] = field(default_factory=list)
    """Whole microseconds, so that a flush can count equal ones without a loop of its own."""
    container_latencies: dict[str, list[int]] = field(default_factory=dict)
    """By the container's name, where an instance has several."""


class Traffic:
    """The running counts of one variant. ``count`` on the event loop, ``take`` from any thread."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = Counts()

    def count(self, status: int, model_microseconds: float, overhead_microseconds: float) -> None:
        """A request that the model answered."""
        counts = self._counts
        counts.invocations += 1
        if status >= 300:
            counts.model_errors += 1
            counts.errors_5xx += status >= 500
            counts.errors_4xx += 400 <= status < 500
        if len(counts.model_latencies) < SAMPLES_MAX:
            counts.model_latencies.append(int(model_microseconds))
            counts.overhead_latencies.append(int(overhead_microseconds))

    def spend(self, container: str, microseconds: float) -> None:
        """What one of an instance's containers took for its part of an answer."""
        latencies = self._counts.container_latencies.setdefault(container, [])
        if len(latencies) < SAMPLES_MAX:
            latencies.append(int(microseconds))

    def fail(self, status: int, *, is_models: bool) -> None:
        """A request that got no answer: the model was asked and gave none, or (``is_models`` false) was not asked."""
        counts = self._counts
        counts.invocations += 1
        counts.model_errors += is_models
        counts.errors_5xx += status >= 500

    def miss(self) -> None:
        """A request for what has no copies."""
        self._counts.no_capacity += 1

    def take(self) -> Counts:
        """What was counted since the last time; counting goes on in a fresh record.

        A request that is just being counted may add to the record after it was taken: it is then in neither
        interval's latencies but never counted twice.
        """
        counts, self._counts = self._counts, Counts()
        return counts
