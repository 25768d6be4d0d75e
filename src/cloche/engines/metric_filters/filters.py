"""``MetricFilters``: each batch of log events, whoever appended it, is held against its group's filters.

A match is a data point at the event's own time, on the disk before the append returns. The default value of a filter
is for every minute in which its group took in events of which none matched ("If no logs are ingested during a
one-minute period, then no value is reported"), so it can be told only once the minute is over: it is written shortly
after, or when the server stops. Events that came before a filter are left alone.
Source: docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html.

An event whose field is no number, or that lacks a field that is a dimension, makes no data point: there is nothing
true to say about it.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cloche.foundation.clock import Clock
from cloche.storage.logs import filters
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import Datum, MetricStore

log = logging.getLogger(__name__)

MINUTE: Final = 60
_AFTER_SECONDS: Final = 2.0
"""How long after the end of a minute its default values are written: what was appended in it has been looked at."""

Group = tuple[str, str, str]
"""Account, region, name."""


class Pattern(Protocol):
    """What this needs of a filter pattern."""

    @property
    def matches(self) -> Callable[[str], bool]: ...

    @property
    def extract(self) -> Callable[[str], Mapping[str, str]]: ...


@dataclass(frozen=True, slots=True)
class _Filter:
    id: int
    pattern: Pattern
    namespace: str
    metric: str
    value: str
    default: float | None
    unit: str
    dimensions: tuple[tuple[str, str], ...]

    def datum(self, at_ms: int, message: str) -> Datum | None:
        """The data point of an event that matches; ``None`` where it has none to give."""
        needs_fields = bool(self.dimensions) or self.value.startswith("$")
        fields = self.pattern.extract(message) if needs_fields else {}
        value = number(fields.get(self.value, "") if self.value.startswith("$") else self.value)
        named = [(name, fields.get(field)) for name, field in self.dimensions]
        if value is None or any(not text for _, text in named):
            return None
        dimensions = tuple(sorted((name, text) for name, text in named if text))
        return Datum(self.metric, dimensions, at_ms / 1000, value, self.unit)


class MetricFilters:
    def __init__(
        self, database: Database, clock: Clock, metrics: MetricStore, read_pattern: Callable[[str], Pattern]
    ) -> None:
        self._database, self._clock, self._metrics, self._read_pattern = database, clock, metrics, read_pattern
        self._held: dict[Group, list[_Filter]] | None = None
        self._lock = threading.Lock()
        self._minutes: dict[tuple[Group, int, int], _Filter | None] = {}
        """By group, filter and minute: the filter while nothing matched, ``None`` once something did."""
        self.when_due: Callable[[], None] = lambda: None
        """Called when ``next_at`` has become earlier."""

    def changed(self) -> None:
        """Filters were put or removed, and the change is on the disk."""
        self._held = None

    def clear(self, account: str) -> None:
        """All that was the account's has gone."""
        with self._lock:
            for key in [key for key in self._minutes if key[0][0] == account]:
                del self._minutes[key]
        self.changed()

    def appended(self, account: str, region: str, group: str, events: Sequence[tuple[int, str]]) -> None:
        """Look at ``(timestamp_ms, message)`` pairs that were just taken in. Never raises: they are on the disk."""
        held = self._held
        if held is None:
            held = self._held = self._read()
        if not held or (account, region, group) not in held:
            return
        try:
            self._apply((account, region, group), held[account, region, group], events)
        except Exception:
            log.exception("the metric filters of %s failed", group)

    def write_defaults(self, before: float = math.inf) -> None:
        """The default values of minutes that ended ``_AFTER_SECONDS`` before then."""
        with self._lock:
            ended = [key for key in self._minutes if key[2] + MINUTE + _AFTER_SECONDS <= before]
            due = [(key[0], key[2], held) for key in ended if (held := self._minutes.pop(key)) is not None]
        for (account, region, _), minute, held in due:
            assert held.default is not None
            datum = Datum(held.metric, (), minute, held.default, held.unit)
            self._metrics.put(account, region, held.namespace, [datum])

    def next_at(self) -> float | None:
        """When the default values of a minute are due, in Cloche's time."""
        with self._lock:
            return min((minute + MINUTE + _AFTER_SECONDS for _, _, minute in self._minutes), default=None)

    def close(self) -> None:
        self.write_defaults()

    # -- inside ------------------------------------------------------------------------------------------

    def _apply(self, group: Group, filters: list[_Filter], events: Sequence[tuple[int, str]]) -> None:
        made: defaultdict[str, list[Datum]] = defaultdict(list)
        for each in filters:
            found = [(at, message) for at, message in events if each.pattern.matches(message)]
            made[each.namespace] += [datum for pair in found if (datum := each.datum(*pair)) is not None]
            if each.default is not None:
                self._count(group, each, bool(found))
        for namespace, data in made.items():
            self._metrics.put(group[0], group[1], namespace, data)

    def _count(self, group: Group, held: _Filter, has_matched: bool) -> None:
        now = self._clock.time()
        key = (group, held.id, int(now // MINUTE * MINUTE))
        with self._lock:
            if has_matched:
                self._minutes[key] = None
            else:
                self._minutes.setdefault(key, held)
            is_first = len(self._minutes) == 1
        if is_first:
            self.when_due()

    def _read(self) -> dict[Group, list[_Filter]]:
        held: defaultdict[Group, list[_Filter]] = defaultdict(list)
        for record in filters.every(self._database.reader, filters.METRIC):
            made = _read_filter(record.id, record.request, self._read_pattern)
            held[record.account, record.region, record.request["logGroupName"]].append(made)
        return dict(held)


def _read_filter(id: int, request: Mapping[str, Any], read_pattern: Callable[[str], Pattern]) -> _Filter:
    (told,) = request["metricTransformations"]
    return _Filter(
        id,
        read_pattern(request["filterPattern"]),
        told["metricNamespace"],
        told["metricName"],
        told["metricValue"],
        told.get("defaultValue"),
        told.get("unit", "None"),
        tuple((told.get("dimensions") or {}).items()),
    )


def number(text: str) -> float | None:
    """A finite number, or ``None``."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
