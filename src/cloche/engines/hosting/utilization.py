"""CPU, memory and disk of the instances that serve, measured and written as AWS's metrics of the same names.

Every instance is a data point of its own, so a metric's average is that of the variant's instances and its sum their
total. Where an instance has several containers, each has processor and memory told of its own besides.
``CPUUtilization`` counts every core as 100 percent, as AWS's does. An instance's memory is this machine's, since
nothing smaller is promised to it; its disk is the bound that Cloche sets for a model server.
Source: docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html ("SageMaker AI endpoint metrics") and
multi-container-metrics.html
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cloche.compute.runtime import Runtime, Usage
from cloche.engines.hosting.plan import COMPONENT
from cloche.engines.hosting.routes import Member, Routes
from cloche.foundation.clock import Clock
from cloche.foundation.limits import MODEL_SERVER_DISK_BYTES_MAX
from cloche.storage.metrics import Datum, MetricStore

NAMESPACE: Final = "/aws/sagemaker/Endpoints"


class Utilization:
    """``folder_of`` tells where an instance keeps its files, by its process."""

    def __init__(
        self, routes: Routes, runtime: Runtime, metrics: MetricStore, clock: Clock, folder_of: Callable[[str], Path]
    ) -> None:
        self._routes = routes
        self._runtime = runtime
        self._metrics = metrics
        self._clock = clock
        self._folder_of = folder_of
        self._memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._before: dict[str, Usage] = {}
        self._parts_before: dict[str, tuple[Usage, ...]] = {}
        self._looked_at = 0.0

    def look(self) -> None:
        """Measure, and write what was used since the last look; the first look at a process only begins."""
        members = [member for member in self._routes.members() if COMPONENT not in member.endpoint]
        now = time.monotonic()
        seconds, self._looked_at = now - self._looked_at, now
        before, self._before = self._before, self._runtime.usage([member.process for member in members])
        several = [member.process for member in members if member.containers]
        parts_before, self._parts_before = self._parts_before, self._runtime.usage_on_hosts(several)
        found: dict[tuple[str, str], list[Datum]] = defaultdict(list)
        for member in members:
            after = self._before.get(member.process)
            if after is not None and (start := before.get(member.process)) is not None:
                percents = self._percents(start, after, seconds)
                disk_bytes = self._runtime.disk_bytes(self._folder_of(member.process))
                percents.append(("DiskUtilization", 100.0 * disk_bytes / MODEL_SERVER_DISK_BYTES_MAX))
                found[member.account, member.region] += self._data(member, percents)
            parts = zip(
                member.containers,
                parts_before.get(member.process, ()),
                self._parts_before.get(member.process, ()),
                strict=False,
            )
            for container, start, part in parts:
                percents = self._percents(start, part, seconds)
                found[member.account, member.region] += self._data(member, percents, container)
        for (account, region), data in found.items():
            self._metrics.put(account, region, NAMESPACE, data)

    def _percents(self, before: Usage, after: Usage, seconds: float) -> list[tuple[str, float]]:
        spent = max(0.0, after.cpu_seconds - before.cpu_seconds)
        return [
            ("CPUUtilization", 100.0 * spent / seconds),
            ("MemoryUtilization", 100.0 * after.memory_bytes / self._memory_bytes),
        ]

    def _data(self, member: Member, percents: list[tuple[str, float]], container: str = "") -> list[Datum]:
        dimensions: tuple[tuple[str, str], ...]
        dimensions = (("EndpointName", member.endpoint), ("VariantName", member.variant))
        if container:
            dimensions += (("ContainerName", container),)
        at = self._clock.time()
        return [Datum(name, dimensions, at, percent, "Percent") for name, percent in percents]
