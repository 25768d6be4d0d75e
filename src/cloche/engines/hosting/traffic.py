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
    containers: dict[str, Counts] = field(default_factory=dict)
    """By the container's name, where an instance has several: of those in a row the latencies alone."""

    def count(self, status: int, model_microseconds: float, overhead_microseconds: float) -> None:
        self.invocations += 1
        if status >= 300:
            self.model_errors += 1
            self.errors_5xx += status >= 500
            self.errors_4xx += 400 <= status < 500
        if len(self.model_latencies) < SAMPLES_MAX:
            self.model_latencies.append(int(model_microseconds))
            self.overhead_latencies.append(int(overhead_microseconds))

    def fail(self, status: int, *, is_models: bool) -> None:
        self.invocations += 1
        self.model_errors += is_models
        self.errors_5xx += status >= 500

    def of(self, container: str) -> Counts:
        return self.containers.setdefault(container, Counts())


class Traffic:
    """The running counts of one variant. ``count`` on the event loop, ``take`` from any thread."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = Counts()

    def count(self, status: int, model_microseconds: float, overhead_microseconds: float, container: str = "") -> None:
        """A request that the model answered, or that one of its containers which the request named."""
        self._counts.count(status, model_microseconds, overhead_microseconds)
        if container:
            self._counts.of(container).count(status, model_microseconds, overhead_microseconds)

    def spend(self, container: str, microseconds: float) -> None:
        """What one of those that answer in a row took for its part of an answer."""
        latencies = self._counts.of(container).model_latencies
        if len(latencies) < SAMPLES_MAX:
            latencies.append(int(microseconds))

    def fail(self, status: int, *, is_models: bool, container: str = "") -> None:
        """A request that got no answer: the model was asked and gave none, or (``is_models`` false) was not asked."""
        self._counts.fail(status, is_models=is_models)
        if container:
            self._counts.of(container).fail(status, is_models=is_models)

    def miss(self) -> None:
        """A request for what has no copies."""
        self._counts.no_capacity += 1

    @property
    def has_answers(self) -> bool:
        """Whether a model has answered since the last ``take``."""
        return bool(self._counts.model_latencies)

    def take(self) -> Counts:
        """What was counted since the last time; counting goes on in a fresh record.

        A request that is just being counted may add to the record after it was taken: it is then in neither
        interval's latencies but never counted twice.
        """
        counts, self._counts = self._counts, Counts()
        return counts
