"""The metric alarms in memory, and when each of them is to be evaluated.

Nothing of it is on the disk: after a start every alarm is due once, and from then on when its data change. An alarm
whose periods are empty and stay empty costs nothing.
"""

from __future__ import annotations

import heapq
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloche.engines.alarms import windows

if TYPE_CHECKING:
    from cloche.engines.alarms.plan import Metric, Plan

    Series = tuple[str, str, Metric]


@dataclass(slots=True, eq=False, repr=False)
class Watch:
    arn: str
    account: str
    region: str
    configured_at: float
    """Of the request that ``plan`` was read from."""
    state: str
    evaluation: str | None
    """An ``EvaluationState``."""
    plan: Plan

    def series(self) -> list[Series]:
        return [(self.account, self.region, metric) for metric in self.plan.metrics]


class Watches:
    """Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Watch] = {}
        self._by_series: defaultdict[Series, set[str]] = defaultdict(set)
        self._heap: list[tuple[int, str]] = []
        self._queued: set[tuple[int, str]] = set()

    @property
    def is_empty(self) -> bool:
        return not self._held

    def put(self, watch: Watch) -> None:
        with self._lock:
            self._forget(watch.arn)
            self._held[watch.arn] = watch
            for series in watch.series():
                self._by_series[series].add(watch.arn)

    def forget(self, arn: str) -> None:
        with self._lock:
            self._forget(arn)

    def forget_account(self, account: str) -> None:
        with self._lock:
            for arn in [arn for arn, watch in self._held.items() if watch.account == account]:
                self._forget(arn)

    def get(self, arn: str) -> Watch | None:
        return self._held.get(arn)

    def schedule(self, arn: str, at: int) -> None:
        with self._lock:
            self._schedule(arn, at)

    def written(self, series: Series, at: float, now: float) -> bool:
        """A point of that moment is there; whether that makes an alarm due before all others."""
        if series not in self._by_series:
            return False
        with self._lock:
            before = self._heap[0] if self._heap else None
            for arn in self._by_series.get(series, ()):
                plan = self._held[arn].plan
                step = windows.piece(plan.period)
                complete = at // step * step + step
                self._schedule(arn, windows.upwards(max(now, complete), plan.interval))
            return bool(self._heap) and (before is None or self._heap[0][0] < before[0])

    def next_at(self) -> int | None:
        with self._lock:
            while self._heap and self._heap[0][1] not in self._held:
                self._queued.discard(heapq.heappop(self._heap))
            return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> list[Watch]:
        """Those that are due, each once; they are scheduled no more for then."""
        found: dict[str, Watch] = {}
        with self._lock:
            while self._heap and self._heap[0][0] <= now:
                entry = heapq.heappop(self._heap)
                self._queued.discard(entry)
                if (watch := self._held.get(entry[1])) is not None:
                    found[watch.arn] = watch
        return list(found.values())

    def all_due(self, now: float) -> None:
        """The clock went back, or this is the start."""
        with self._lock:
            self._heap.clear()
            self._queued.clear()
            for arn, watch in self._held.items():
                self._schedule(arn, windows.upwards(now - watch.plan.interval + 1, watch.plan.interval))

    # -- inside, with the lock ---------------------------------------------------------------------------

    def _forget(self, arn: str) -> None:
        watch = self._held.pop(arn, None)
        if watch is None:
            return
        for series in watch.series():
            others = self._by_series[series]
            others.discard(arn)
            if not others:
                del self._by_series[series]

    def _schedule(self, arn: str, at: int) -> None:
        if (at, arn) not in self._queued:
            self._queued.add((at, arn))
            heapq.heappush(self._heap, (at, arn))
