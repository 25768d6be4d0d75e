"""What goes on beside the requests: logs are taken, counts and usage become metrics, servers that hang are found.

One thread. Nothing here is on the way of a request or of a lifecycle step; if it falls behind, logs and metrics
come later. A model server that still runs but has answered neither ping nor request for ``HUNG_SECONDS`` is
stopped; its end wakes the driver, which starts it again. The time is longer than a request may take, because a
server that computes in its only thread cannot answer a ping meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

from cloche.engines.hosting.concurrency import Concurrency
from cloche.engines.hosting.logbook import Logbook
from cloche.engines.hosting.ping import is_healthy
from cloche.engines.hosting.routes import Counted, Routes
from cloche.engines.hosting.traffic import Counts
from cloche.foundation.clock import Clock
from cloche.storage.metrics import Datum, MetricStore
from cloche.storage.metrics.statistics import Statistics

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.25
METRIC_LOOKS: Final = 20
PING_LOOKS: Final = 40
HUNG_SECONDS: Final = 75.0
NAMESPACE: Final = "AWS/SageMaker"


class Tending:
    def __init__(
        self,
        routes: Routes,
        logbook: Logbook,
        metrics: MetricStore,
        clock: Clock,
        stop_process: Callable[[str], None],
        utilization: Callable[[], None],
    ) -> None:
        self._routes = routes
        self._logbook = logbook
        self._metrics = metrics
        self._clock = clock
        self._stop_process = stop_process
        self._utilization = utilization
        self._concurrency = Concurrency(routes.router, metrics)
        self._silent_since: dict[str, float] = {}
        self._ending = threading.Event()
        self._looking = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="hosting", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take what is there one last time, and end."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self.take()

    def _run(self) -> None:
        looks = 0
        while not self._ending.wait(LOOK_SECONDS):
            looks += 1
            self._look(self._logbook.look)
            self._look(self._concurrency.look)
            if looks % METRIC_LOOKS == 0:
                self._look(self.flush)
            if looks % PING_LOOKS == 0:
                self._look(self.ping)
                self._look(self._utilization)

    def take(self) -> None:
        """Write what was logged and counted since the last time, now."""
        self._look(self._logbook.look)
        self._look(self._concurrency.look)
        self._look(self.flush)

    def _look(self, work: Callable[[], None]) -> None:
        try:
            with self._looking:
                work()
        except Exception:
            log.exception("tending endpoints failed; it goes on")

    def flush(self) -> None:
        """Write what was counted since the last time."""
        now = self._clock.time()
        self._concurrency.write(NAMESPACE, now)
        for counted, traffic in self._routes.traffic():
            counts = traffic.take()
            if counts.invocations or counts.no_capacity:
                self._write(counted, counts, now)
            elif not self._routes.is_counted(counted):
                self._routes.drop_traffic(counted)

    def _write(self, counted: Counted, counts: Counts, now: float) -> None:
        """An endpoint's requests count twice, as in AWS: for their variant, and for it under its configuration
        (docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html). Of several containers each
        one's part is told besides."""
        _, _, _, region, account, resource = counted.arn.split(":", 5)
        kind, _, name = resource.partition("/")
        if kind != "endpoint":
            instances = max(1, self._routes.instance_count(counted))
            named = (("InferenceComponentName", name),)
            self._metrics.put(account, region, NAMESPACE, data(counts, named, now, instances, "InvocationsPerCopy"))
            return
        dimensions = (("EndpointName", name), ("VariantName", counted.variant))
        for which, of_configuration in (
            (dimensions, False),
            ((("EndpointConfigName", counted.configuration), *dimensions), True),
        ):
            instances = max(1, self._routes.instance_count(counted, of_configuration=of_configuration))
            points = data(counts, which, now, instances, "InvocationsPerInstance")
            self._metrics.put(account, region, NAMESPACE, points)
        for container, part in counts.containers.items():
            points = data_of_container(part, (*dimensions, ("ContainerName", container)), now)
            self._metrics.put(account, region, NAMESPACE, points)

    def ping(self) -> None:
        """Find servers that hang."""
        now = self._clock.real()
        targets = self._routes.routed()
        self._silent_since = {p: at for p, at in self._silent_since.items() if p in targets}
        for process, paths in targets.items():
            if all(map(is_healthy, paths)):
                self._silent_since.pop(process, None)
            elif now - self._silent_since.setdefault(process, now) > HUNG_SECONDS:
                log.warning("the model server %s answers no more; it is stopped and started again", process)
                del self._silent_since[process]
                self._stop_process(process)


def data(counts: Counts, dimensions: tuple[tuple[str, str], ...], at: float, instances: int, share: str) -> list[Datum]:
    """The interval's metrics. A request counts once in each of the first five, as 0 or 1 (or its share). Those for what
    has been scaled to none are told in a metric of their own, from which it is scaled out again
    (docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html)."""
    total = counts.invocations
    found: list[Datum] = []
    if counts.no_capacity:
        found.append(
            _times("NoCapacityInvocationFailures", dimensions, at, counts.no_capacity, counts.no_capacity, 1.0)
        )
    if not total:
        return found
    found += [
        *_requests(counts, dimensions, at),
        _times(share, dimensions, at, total, total, 1.0 / instances),
        _times("InvocationModelErrors", dimensions, at, total, counts.model_errors, 1.0),
    ]
    return found + _latencies(counts, dimensions, at, "ModelLatency")


def data_of_container(counts: Counts, dimensions: tuple[tuple[str, str], ...], at: float) -> list[Datum]:
    """Of one of several: what requests that name it came to (multi-container-metrics.html), and its share of the time
    of all that pass through it (inference-pipeline-logs-metrics.html)."""
    requests = _requests(counts, dimensions, at) if counts.invocations else []
    return requests + _latencies(counts, dimensions, at, "ContainerLatency")


def _requests(counts: Counts, dimensions: tuple[tuple[str, str], ...], at: float) -> list[Datum]:
    total = counts.invocations
    return [
        _times("Invocations", dimensions, at, total, total, 1.0),
        _times("Invocation4XXErrors", dimensions, at, total, counts.errors_4xx, 1.0),
        _times("Invocation5XXErrors", dimensions, at, total, counts.errors_5xx, 1.0),
    ]


def _latencies(counts: Counts, dimensions: tuple[tuple[str, str], ...], at: float, models: str) -> list[Datum]:
    named = ((models, counts.model_latencies), ("OverheadLatency", counts.overhead_latencies))
    return [
        Datum(name, dimensions, at, 0.0, "Microseconds", statistics=summary(samples))
        for name, samples in named
        if samples
    ]


def _times(name: str, dimensions: tuple[tuple[str, str], ...], at: float, total: int, ones: int, value: float) -> Datum:
    """``total`` samples, of which ``ones`` are ``value`` and the others nought."""
    held = Statistics()
    if ones:
        held.add(Statistics.of(value, float(ones)))
    if total - ones:
        held.add(Statistics.of(0.0, float(total - ones)))
    return Datum(name, dimensions, at, 0.0, "None", statistics=held)


def summary(samples: list[int]) -> Statistics:
    """Sum, bounds and count are exact; the values, for percentiles, to three digits.

    The event loop stands still while another thread computes: what is done for every sample is done in C.
    """
    values: dict[float, float] = {}
    for sample, times in Counter(samples).items():
        digits = 0 if sample < 1_000 else -1 if sample < 10_000 else -2 if sample < 100_000 else -3
        coarse = float(round(sample, digits))
        values[coarse] = values.get(coarse, 0.0) + times
    return Statistics(float(len(samples)), float(sum(samples)), float(min(samples)), float(max(samples)), values)
