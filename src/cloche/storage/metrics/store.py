"""``MetricStore``: what engines and ``PutMetricData`` write, and what CloudWatch's queries read.

``put`` is durable when it returns. ``record`` is for what happens thousands of times a second: it adds to a sum
in memory, and a thread of the store appends the sums every few seconds; a kill loses those few seconds, which is
the price of not waiting on a disk for each request, and the reason it is not used for what must be kept.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloche.foundation.clock import Clock
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.keyset import Key, Walk, read_page
from cloche.storage.metrics import points, retention
from cloche.storage.metrics.points import MIGRATIONS, Dimensions
from cloche.storage.metrics.statistics import Statistics

__all__ = ["MIGRATIONS", "Datum", "Metric", "MetricStore"]

log = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 5.0
NO_UNIT: Final = "None"

Watcher = Callable[[str, str, tuple[str, str, Dimensions], float], None]
"""Account, region, metric (namespace, name, dimensions as they were given), and the moment of a point."""


@dataclass(frozen=True, slots=True)
class Datum:
    """One data point: a ``value``, or ``statistics`` of several samples in its place."""

    name: str
    dimensions: Dimensions
    at: float
    """Seconds since 1970."""
    value: float
    unit: str = NO_UNIT
    resolution: int = 60
    """1 or 60 seconds."""
    statistics: Statistics | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    id: int
    namespace: str
    name: str
    dimensions: Dimensions
    last_at: float


class MetricStore:
    """``database`` may be a file of its own; ``MIGRATIONS`` must have been applied."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._sums: dict[tuple[tuple[str, str, str, str, Dimensions], str, int], Statistics] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._listeners: list[Callable[[str, Sequence[Datum]], None]] = []
        self._watchers: list[Watcher] = []

    def on_put(self, listener: Callable[[str, Sequence[Datum]], None]) -> None:
        """Have ``listener(namespace, data)`` called, on the putting thread, once points are on the disk."""
        self._listeners.append(listener)

    def on_written(self, watcher: Watcher) -> None:
        """Have ``watcher`` called for every point that is put, once it is on the disk, and for the first sample of
        those that are recorded together: on the writing thread, so it must be quick."""
        self._watchers.append(watcher)

    # -- writing -----------------------------------------------------------------------------------------

    def put(self, account: str, region: str, namespace: str, data: Iterable[Datum], *, once: str = "") -> None:
        """Append points, durably, all or none. Not from inside a transaction of the same database. For who may be
        killed and then repeats himself: what has been put ``once`` under that name is not put again."""
        batch = list(data)

        def change(tx: sqlite3.Connection) -> bool:
            if once and not points.take_note(tx, once, self._clock.time()):
                return False
            _insert(tx, account, region, namespace, batch)
            return True

        is_new = bool(batch) and self._database.write(change)
        if is_new:
            for listener in self._listeners:
                listener(namespace, batch)
            self._tell(account, region, namespace, batch)

    def put_within(
        self, tx: sqlite3.Connection, account: str, region: str, namespace: str, data: Sequence[Datum]
    ) -> None:
        """Append points in a transaction of the store's own database, with their cause. Who listens to puts
        (``on_put``) is not told of them."""
        _insert(tx, account, region, namespace, data)
        self._database.after_commit(lambda: self._tell(account, region, namespace, data))

    def _tell(self, account: str, region: str, namespace: str, data: Sequence[Datum]) -> None:
        for watcher in self._watchers:
            for datum in data:
                watcher(account, region, (namespace, datum.name, datum.dimensions), datum.at)

    def record(
        self,
        account: str,
        region: str,
        namespace: str,
        name: str,
        dimensions: Dimensions,
        value: float,
        unit: str = NO_UNIT,
    ) -> None:
        """Add one sample to the present minute, in memory. Microseconds; any thread."""
        minute = int(self._clock.time() // 60 * 60)
        key = ((account, region, namespace, name, dimensions), unit, minute)
        with self._lock:
            held = self._sums.get(key)
            is_first = held is None
            if held is None:
                held = self._sums[key] = Statistics()
                if self._thread is None:
                    self._start()
            held.add(Statistics(1.0, value, value, value, {value: 1.0}))
        if is_first:
            for watcher in self._watchers:
                watcher(account, region, (namespace, name, dimensions), minute)

    def flush(self) -> None:
        """Append what ``record`` has added up so far."""
        with self._lock:
            sums, self._sums = self._sums, {}

        def change(tx: sqlite3.Connection) -> None:
            for ((account, region, namespace, name, dimensions), unit, minute), held in sums.items():
                key = (account, region, namespace, name, points.dimensions_text(dimensions))
                points.insert_point(tx, points.name_series(tx, key, minute), minute, 60, unit, held)

        if not sums:
            return
        try:
            self._database.write(change)
        except BaseException:
            with self._lock:
                for entry, held in sums.items():
                    self._sums.setdefault(entry, Statistics()).add(held)
            raise

    def expire(self) -> None:
        """Roll up and remove what is past its time (``retention``), in short transactions."""
        while self._database.write(lambda tx: retention.expire(tx, self._clock.time())):
            pass

    def close(self) -> None:
        """Keep what was recorded. The database is its owner's to close."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    # -- reading -----------------------------------------------------------------------------------------

    def query(
        self,
        account: str,
        region: str,
        namespace: str,
        name: str,
        dimensions: Dimensions,
        *,
        start: float,
        end: float,
        period: int,
        unit: str | None = None,
    ) -> list[tuple[int, str, Statistics]]:
        """(beginning of the period, unit, statistics) of every period with samples, earliest first. Samples of
        different units are not mixed: each unit has an entry of its own. Recorded samples show once flushed. Points
        that are too old for so fine a period are left out, whether they have been rolled up yet or not."""
        reader = self._database.reader
        series = points.find_series(reader, account, region, namespace, name, dimensions)
        if series is None:
            return []
        now = self._clock.time()
        start = max(start, now - retention.KEPT_SECONDS)
        buckets: dict[tuple[int, str], Statistics] = {}
        for at, held_unit, held in points.read_points(reader, series, start, end, unit):
            if period % (retention.finest_period(now - at) or period + 1):
                continue
            buckets.setdefault((at // period * period, held_unit), Statistics()).add(held)
        return [(at, held_unit, held) for (at, held_unit), held in sorted(buckets.items(), key=lambda e: e[0])]

    def samples(self, account: str, region: str, namespace: str, name: str, dimensions: Dimensions) -> list[float]:
        """The values of a series one by one, as they were put. Of those that have been rolled up since, each is the
        mean of all that were rolled up with it."""
        reader = self._database.reader
        series = points.find_series(reader, account, region, namespace, name, dimensions)
        if series is None:
            return []
        return [
            held.total / held.count
            for _, _, held in points.read_points(reader, series, 0, float("inf"), None)
            for _ in range(int(held.count))
        ]

    def metrics(
        self,
        account: str,
        region: str,
        *,
        namespace: str | None = None,
        name: str | None = None,
        dimensions: Sequence[tuple[str, str | None]] = (),
        active_since: float | None = None,
        after: Key | None = None,
        limit: int,
    ) -> tuple[list[Metric], Key | None]:
        """Series whose dimensions include all of ``dimensions`` (value ``None``: any), and the key to go on
        after."""
        conditions = ["account = ?", "region = ?"]
        arguments: list[Any] = [account, region]
        for column, value in (("namespace = ?", namespace), ("name = ?", name), ("last_at >= ?", active_since)):
            if value is not None:
                conditions.append(column)
                arguments.append(value)
        for key, held in dimensions:
            wanted = "json_extract(value, '$[0]') = ?" + (
                "" if held is None else " AND json_extract(value, '$[1]') = ?"
            )
            conditions.append(f"EXISTS (SELECT 1 FROM json_each(dimensions) WHERE {wanted})")  # noqa: S608
            arguments.extend([key] if held is None else [key, held])
        walk = Walk(
            "metrics", ("namespace", "name", "dimensions"), conditions=tuple(conditions), arguments=tuple(arguments)
        )
        page = read_page(self._database.reader, walk, after=after, size=limit)
        found = [
            Metric(
                row["id"],
                row["namespace"],
                row["name"],
                points.dimensions_from_text(row["dimensions"]),
                row["last_at"],
            )
            for row in page.rows
        ]
        return found, page.last

    # -- inside ------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._flush_loop, name="metrics-flush", daemon=True)
        self._thread.start()

    def _flush_loop(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            try:
                self.flush()
            except Exception:
                log.exception("recorded metrics could not be written")


def _insert(tx: sqlite3.Connection, account: str, region: str, namespace: str, data: Iterable[Datum]) -> None:
    for datum in data:
        key = (account, region, namespace, datum.name, points.dimensions_text(datum.dimensions))
        series = points.name_series(tx, key, datum.at)
        at = int(datum.at // datum.resolution * datum.resolution)
        held = datum.statistics or Statistics.of(datum.value)
        points.insert_point(tx, series, at, datum.resolution, datum.unit, held)
