"""CPU, memory and disk of the hosts that jobs run on, measured and written as AWS's metrics of the same names.

``CPUUtilization`` counts every core as 100 percent, as AWS's does. A host's memory is this machine's, since nothing
smaller is promised to it; its disk is ``VolumeSizeInGB``. AWS measures every minute; jobs here often take less, so the
first look that tells anything comes after a few seconds. Without a GPU there is no metric of one.
Source: docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html ("Processing job, training job ... metrics")
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloche.compute.runtime import Runtime, Usage
from cloche.foundation.clock import Clock
from cloche.jobs.hosts import JobHost
from cloche.jobs.place import Place
from cloche.storage.metrics import Datum, MetricStore

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Whose process is measured, and where that goes."""

    arn: str
    name: str
    account: str
    region: str
    namespace: str
    hosts: Sequence[JobHost]
    volume_bytes: int | None
    place: Place
    process: str


class Utilization:
    """The thread that measures. It starts with the first job."""

    def __init__(self, runtime: Runtime, metrics: MetricStore, clock: Clock) -> None:
        self._runtime, self._metrics, self._clock = runtime, metrics, clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Measured] = {}
        self._before: dict[str, tuple[Usage, ...]] = {}
        self._looked_at = 0.0
        self._memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._some = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, job: Measured) -> None:
        """Measure the job's process from now on; once more is no harm."""
        with self._lock:
            self._jobs[job.arn] = job
            self._some.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="utilization", daemon=True)
                self._thread.start()

    def drop(self, arn: str) -> None:
        with self._lock:
            self._jobs.pop(arn, None)
            if not self._jobs:
                self._some.clear()

    def close(self) -> None:
        self._stop.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Measure, and write what was used since the last look; the first look at a process only begins."""
        with self._lock:
            jobs = list(self._jobs.values())
        now = time.monotonic()
        seconds, self._looked_at = now - self._looked_at, now
        before, self._before = self._before, self._runtime.usage_on_hosts([job.process for job in jobs])
        for job in jobs:
            starts, ends = before.get(job.process), self._before.get(job.process)
            if starts is None or ends is None:
                continue
            data: list[Datum] = []
            for host, start, end in zip(job.hosts, starts, ends, strict=True):
                percent = 100.0 * max(0.0, end.cpu_seconds - start.cpu_seconds) / seconds
                data += self._data(job, host, percent, end.memory_bytes)
            self._metrics.put(job.account, job.region, job.namespace, data)

    def _data(self, job: Measured, host: JobHost, cpu_percent: float, memory_bytes: int) -> list[Datum]:
        dimensions = (("Host", f"{job.name}/{host.name}"),)
        percents = [("CPUUtilization", cpu_percent), ("MemoryUtilization", 100.0 * memory_bytes / self._memory_bytes)]
        if job.volume_bytes:
            used = self._runtime.disk_bytes(job.place.of_host(host.number).layout.root)
            percents.append(("DiskUtilization", 100.0 * used / job.volume_bytes))
        at = self._clock.time()
        return [Datum(name, dimensions, at, percent, "Percent") for name, percent in percents]

    def _run(self) -> None:
        while not self._stop.is_set():
            self._some.wait()
            try:
                self.look()
            except Exception:
                log.exception("what the jobs use could not be stored; it is measured again")
            self._stop.wait(LOOK_SECONDS)
