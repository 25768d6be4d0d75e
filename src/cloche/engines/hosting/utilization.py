"""CPU, memory and disk of the instances that serve, measured and written as AWS's metrics of the same names.

Every instance is a data point of its own, so a metric's average is that of the variant's instances and its sum their
total. Where an instance has several containers, each has processor and memory told of its own besides.
``CPUUtilization`` counts every core as 100 percent, as AWS's does. Copies of an inference component have
``CPUUtilizationNormalized`` and ``MemoryUtilizationNormalized``, up to 100 percent of what is reserved for each.
An instance's memory is this machine's, since nothing smaller is promised to it; its disk is the bound that Cloche sets
for a model server.
Source: docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html ("SageMaker AI endpoint metrics" and
"inference component metrics") and multi-container-metrics.html
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from cloche.compute.runtime import Runtime, Usage
from cloche.engines.hosting.plan import COMPONENT
from cloche.engines.hosting.routes import Member, Routes
from cloche.foundation.clock import Clock
from cloche.foundation.limits import MIB, MODEL_SERVER_DISK_BYTES_MAX
from cloche.storage.metrics import Datum, MetricStore

Dimensions = tuple[tuple[str, str], ...]
NAMESPACE: Final = "/aws/sagemaker/Endpoints"
COMPONENT_NAMESPACE: Final = "/aws/sagemaker/InferenceComponents"


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
        members = self._routes.members()
        now = time.monotonic()
        seconds, self._looked_at = now - self._looked_at, now
        before, self._before = self._before, self._runtime.usage([member.process for member in members])
        several = [member.process for member in members if member.containers]
        parts_before, self._parts_before = self._parts_before, self._runtime.usage_on_hosts(several)
        found: dict[tuple[str, str, str], list[Datum]] = defaultdict(list)
        for member in members:
            after, start = self._before.get(member.process), before.get(member.process)
            is_copy = COMPONENT in member.endpoint
            data = found[member.account, member.region, COMPONENT_NAMESPACE if is_copy else NAMESPACE]
            if after is not None and start is not None:
                spent = _Spent(max(0.0, after.cpu_seconds - start.cpu_seconds) / seconds, after.memory_bytes)
                data += self._of_copy(member, spent) if is_copy else self._of_instance(member, spent)
            parts = zip(
                member.containers,
                parts_before.get(member.process, ()),
                self._parts_before.get(member.process, ()),
                strict=False,
            )
            for container, start, part in parts:
                spent = _Spent(max(0.0, part.cpu_seconds - start.cpu_seconds) / seconds, part.memory_bytes)
                data += self._data(_dimensions(member, container), self._percents(spent))
        for (account, region, namespace), data in found.items():
            if data:
                self._metrics.put(account, region, namespace, data)

    def _of_instance(self, member: Member, spent: _Spent) -> list[Datum]:
        disk_bytes = self._runtime.disk_bytes(self._folder_of(member.process))
        percents = {**self._percents(spent), "DiskUtilization": 100.0 * disk_bytes / MODEL_SERVER_DISK_BYTES_MAX}
        return self._data(_dimensions(member), percents)

    def _of_copy(self, member: Member, spent: _Spent) -> list[Datum]:
        """By what is reserved for it, or else by what there is."""
        plan = member.plan
        cores = (plan.reserved_cores if plan else 0.0) or float(os.cpu_count() or 1)
        memory_bytes = (plan.reserved_memory_mb if plan else 0) * MIB or self._memory_bytes
        percents = {
            "CPUUtilizationNormalized": min(100.0, 100.0 * spent.cores / cores),
            "MemoryUtilizationNormalized": min(100.0, 100.0 * spent.memory_bytes / memory_bytes),
        }
        return self._data((("InferenceComponentName", member.endpoint.partition(COMPONENT)[2]),), percents)

    def _percents(self, spent: _Spent) -> dict[str, float]:
        return {
            "CPUUtilization": 100.0 * spent.cores,
            "MemoryUtilization": 100.0 * spent.memory_bytes / self._memory_bytes,
        }

    def _data(self, dimensions: Dimensions, percents: dict[str, float]) -> list[Datum]:
        at = self._clock.time()
        return [Datum(name, dimensions, at, percent, "Percent") for name, percent in percents.items()]


class _Spent(NamedTuple):
    cores: float
    """Of the processors, on average."""
    memory_bytes: int


def _dimensions(member: Member, container: str = "") -> Dimensions:
    of_instance = (("EndpointName", member.endpoint), ("VariantName", member.variant))
    return (*of_instance, ("ContainerName", container)) if container else of_instance
