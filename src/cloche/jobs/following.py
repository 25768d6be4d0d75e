"""A job's output becomes its log stream, and what is found in it its metrics, while it runs.

What has been stored is told by the stream itself: a job's n-th line is the stream's n-th event. So after a restart
of the server the file is read from its beginning and the first lines, as many as the stream holds, are passed over
(they only serve to know each metric's last value again). Nothing is lost and nothing doubled, and no offset needs to
be kept. One thread looks at all files that are followed, ten times a second.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from cloche.foundation.clock import Clock
from cloche.foundation.errors import NotFound
from cloche.foundation.limits import LOG_LINE_BYTES_MAX
from cloche.storage.logs import LogStore
from cloche.storage.metrics import Datum, MetricStore
from cloche_jobs.contract.loglines import as_stored

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.1
READ_BYTES: Final = 1 << 18
"""One batch for the log store: small enough for one of its frames, whatever the lines are."""


class Scraper(Protocol):
    """Finds metrics in lines."""

    def find(self, lines: Sequence[str]) -> list[list[tuple[str, float]]]:
        """For each line, the metrics it tells and their values."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Metrics:
    """What is looked for in a job's output, and where it goes."""

    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    scraper: Callable[[], Scraper]
    """Makes one; called once for each stream that is followed."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Where the output of one of a job's hosts goes."""

    arn: str
    account: str
    region: str
    group: str
    name: str
    metrics: Metrics | None = None


@dataclass(frozen=True, slots=True)
class FinalMetric:
    name: str
    value: float
    at: float


def last_of(found: Iterable[Iterable[FinalMetric]]) -> list[FinalMetric]:
    """Of each metric the value that any host told last."""
    last: dict[str, FinalMetric] = {}
    for metric in (metric for each in found for metric in each):
        if metric.name not in last or metric.at > last[metric.name].at:
            last[metric.name] = metric
    return list(last.values())


class JobLog:
    """One job's output on one host, on its way. Safe for several threads."""

    def __init__(self, path: Path, stream: Stream, logs: LogStore, metrics: MetricStore, clock: Clock) -> None:
        self._path = path
        self._stream = stream
        self._logs = logs
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._scraper = stream.metrics.scraper() if stream.metrics is not None else None
        self._last: dict[str, tuple[float, float]] = {}
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._stored: int | None = None
        self._seen = 0
        self._last_ms = 0

    def pump(self, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Store what has been printed since the last look, as long as ``goes_on()``."""
        with self._lock:
            self._pump(goes_on)

    def finish(self) -> list[FinalMetric]:
        """Store all there is, an unfinished last line included, once the process has ended."""
        with self._lock:
            self._pump()
            rest, self._rest = self._rest, b""
            if rest:
                try:
                    self._store([rest])
                except BaseException:
                    self._begin_again()
                    raise
            return [FinalMetric(name, value, at) for name, (value, at) in self._last.items()]

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
            if self._scraper is not None:
                self._scraper.close()

    def _pump(self, goes_on: Callable[[], bool] = lambda: True) -> None:
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except FileNotFoundError:
                return
        while goes_on() and (chunk := self._file.read(READ_BYTES)):
            try:
                lines = list(self._lines(chunk))
                self._store(lines)
            except BaseException:
                self._begin_again()
                raise

    def _begin_again(self) -> None:
        """Something could not be stored: nobody knows how much was. Ask the stream, as after a restart."""
        if self._file is not None:
            self._file.close()
        self._file, self._rest, self._seen, self._stored = None, b"", 0, None
        self._last = {}

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            yield from _pieces(line)
        while len(self._rest) > LOG_LINE_BYTES_MAX:
            yield self._rest[:LOG_LINE_BYTES_MAX]
            self._rest = self._rest[LOG_LINE_BYTES_MAX:]

    def _store(self, lines: list[bytes]) -> None:
        if not lines:
            return
        if self._stored is None:
            self._stored, self._last_ms = self._already()
        self._last_ms = now_ms = max(int(self._clock.time() * 1000), self._last_ms)
        events: list[tuple[int, str]] = []
        data: list[Datum] = []
        texts = [as_stored(line.removesuffix(b"\r").decode("utf-8", "replace")) for line in lines]
        told: list[list[tuple[str, float]]] = self._scraper.find(texts) if self._scraper else [[] for _ in texts]
        for text, found in zip(texts, told, strict=True):
            self._last.update({name: (value, now_ms / 1000) for name, value in found})
            self._seen += 1
            if self._seen > self._stored:
                events.append((now_ms, text))
                data += [self._datum(name, value, now_ms / 1000) for name, value in found]
        stream = self._stream
        if events:
            self._logs.append(stream.account, stream.region, stream.group, stream.name, events)
            self._stored += len(events)
        if data and stream.metrics is not None:
            self._metrics.put(stream.account, stream.region, stream.metrics.namespace, data)

    def _datum(self, name: str, value: float, at: float) -> Datum:
        dimensions = self._stream.metrics.dimensions if self._stream.metrics is not None else ()
        return Datum(name, dimensions, at, value, resolution=1)

    def _already(self) -> tuple[int, int]:
        """(events the stream holds, time of the last of them)."""
        stream = self._stream
        with suppress(NotFound):
            page = self._logs.read(stream.account, stream.region, stream.group, stream.name, from_head=False, limit=1)
            if page.events:
                return page.events[-1].ordinal + 1, page.events[-1].timestamp_ms
        return 0, 0


def _pieces(line: bytes) -> Iterator[bytes]:
    """A line in pieces that the log store takes; an empty line is one piece."""
    yield line[:LOG_LINE_BYTES_MAX]
    for start in range(LOG_LINE_BYTES_MAX, len(line), LOG_LINE_BYTES_MAX):
        yield line[start : start + LOG_LINE_BYTES_MAX]


class Follower:
    """The thread that pumps. It starts with the first job that is followed."""

    def __init__(self, logs: LogStore, metrics: MetricStore, clock: Clock) -> None:
        self._logs, self._metrics, self._clock = logs, metrics, clock
        self._lock = threading.Lock()
        self._followed: dict[tuple[str, str], JobLog] = {}
        self._stop = threading.Event()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, path: Path, stream: Stream) -> JobLog:
        """The log of one of the job's hosts, followed from now on; the same one for the same stream."""
        with self._lock:
            found = self._followed.get((stream.arn, stream.name))
            if found is None:
                found = JobLog(path, stream, self._logs, self._metrics, self._clock)
                self._followed[stream.arn, stream.name] = found
                self._some.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log-follower", daemon=True)
                self._thread.start()
            return found

    def drop(self, arn: str) -> None:
        with self._lock:
            found = [self._followed.pop(key) for key in list(self._followed) if key[0] == arn]
            if not self._followed:
                self._some.clear()
        for each in found:
            each.close()

    def close(self) -> None:
        self._stop.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()
        for arn in {arn for arn, _ in self._followed}:
            self.drop(arn)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._some.wait()
            with self._lock:
                followed = list(self._followed.items())
            for (arn, stream), job in followed:
                try:
                    job.pump(lambda: not self._stop.is_set())
                except Exception:
                    log.exception("the log %s of %s could not be stored; it is tried again", stream, arn)
            self._stop.wait(LOOK_SECONDS)
