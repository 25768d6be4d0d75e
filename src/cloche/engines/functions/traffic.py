"""Counts of invocations, taken out now and then as metrics.

Source: docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

from cloche.engines.functions.plan import LATEST, Owner
from cloche.foundation.clock import Clock
from cloche.storage.metrics import Datum, MetricStore
from cloche.storage.metrics.statistics import Statistics

NAMESPACE: Final = "AWS/Lambda"
Dimensions = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Counts:
    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    durations: list[float] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    dropped: int = 0
    received: int = 0


class Traffic:
    """``count`` and its like are cheap and may come from any thread; ``flush`` writes."""

    def __init__(self, metrics: MetricStore, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[tuple[Owner, str], _Counts] = {}

    def count(self, owner: Owner, qualifier: str, *, failed: bool, ms: float, running: int) -> None:
        """An invocation has ended; ``running`` were under way when it began, itself included."""
        with self._lock:
            held = self._of(owner, qualifier)
            held.invocations += 1
            held.errors += failed
            held.durations.append(ms)
            held.running.append(running)

    def throttle(self, owner: Owner, qualifier: str) -> None:
        with self._lock:
            self._of(owner, qualifier).throttles += 1

    def receive(self, owner: Owner, qualifier: str) -> None:
        """An event was taken to be handled later."""
        with self._lock:
            self._of(owner, qualifier).received += 1

    def drop(self, owner: Owner, qualifier: str) -> None:
        """Such an event was given up."""
        with self._lock:
            self._of(owner, qualifier).dropped += 1

    def flush(self) -> None:
        with self._lock:
            held, self._held = self._held, {}
        now = self._clock.time()
        for (owner, qualifier), counts in held.items():
            name = ("FunctionName", owner.name)
            ways: list[Dimensions] = [(), (name,)]
            resource = owner.name if qualifier == LATEST else f"{owner.name}:{qualifier}"
            ways.append((name, ("Resource", resource)))
            data = [datum for dimensions in ways for datum in _data(counts, dimensions, now)]
            self._metrics.put(owner.account, owner.region, NAMESPACE, data)

    def _of(self, owner: Owner, qualifier: str) -> _Counts:
        return self._held.setdefault((owner, qualifier), _Counts())


def _data(counts: _Counts, dimensions: Dimensions, at: float) -> list[Datum]:
    found: list[Datum] = []
    if counts.invocations:
        found += [
            _ones("Invocations", dimensions, at, counts.invocations, 0),
            _ones("Errors", dimensions, at, counts.errors, counts.invocations - counts.errors),
            _samples("Duration", dimensions, at, counts.durations, "Milliseconds"),
            _samples("ConcurrentExecutions", dimensions, at, counts.running, "Count"),
        ]
    if counts.invocations or counts.throttles:
        found.append(_ones("Throttles", dimensions, at, counts.throttles, counts.invocations))
    if counts.received:
        found.append(_ones("AsyncEventsReceived", dimensions, at, counts.received, 0))
    if counts.dropped:
        found.append(_ones("AsyncEventsDropped", dimensions, at, counts.dropped, 0))
    return found


def _ones(name: str, dimensions: Dimensions, at: float, ones: int, noughts: int) -> Datum:
    held = Statistics()
    if ones:
        held.add(Statistics.of(1.0, float(ones)))
    if noughts:
        held.add(Statistics.of(0.0, float(noughts)))
    return Datum(name, dimensions, at, 0.0, "Count", statistics=held)


def _samples(name: str, dimensions: Dimensions, at: float, samples: list[float] | list[int], unit: str) -> Datum:
    held = Statistics()
    for sample in samples:
        held.add(Statistics.of(round(float(sample), 2), 1.0))
    return Datum(name, dimensions, at, 0.0, unit, statistics=held)
