"""How many requests are under way at each instance, looked at from beside and written as AWS's two metrics of it.

``ConcurrentRequestsPerModel`` of a variant, ``ConcurrentRequestsPerCopy`` of a component: what the model servers have
and what waits for them, a stream until its last byte
(docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-add-code-define.html). A request does nothing for it:
the pools know how many they have, and each look at them is a sample of every instance. So the maximum is that of the
busiest one and the average that of all. They are written more often than the ten seconds that they are told in, so
that what an alarm looks at is there when its ten seconds are over. "SageMaker AI doesn't emit metrics with a value of
zero" (endpoint-auto-scaling-prerequisites.html): nothing is written where nothing was asked. Where a model has
answered between two looks it had one request at least, and that is told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from cloche.engines.hosting.plan import COMPONENT
from cloche.engines.hosting.router import Router
from cloche.storage.metrics import Datum, MetricStore
from cloche.storage.metrics.statistics import Statistics

_Seen = tuple[str, str, str, str]
"""Account, region, endpoint and variant."""
RESOLUTION_SECONDS: Final = 1


class Concurrency:
    """In one thread."""

    def __init__(self, router: Router, metrics: MetricStore) -> None:
        self._router = router
        self._metrics = metrics
        self._seen: defaultdict[_Seen, Counter[int]] = defaultdict(Counter)

    def look(self) -> None:
        for key, route in self._router.items():
            for variant in route.variants:
                if variant.targets:
                    self._seen[*key, variant.name].update([target.outstanding for target in variant.targets])

    def write(self, namespace: str, now: float) -> None:
        """What was seen since the last time. Before the counts of the requests are taken."""
        answered = {
            (*key, variant.name)
            for key, route in self._router.items()
            for variant in route.variants
            if variant.traffic.has_answers
        }
        seen, self._seen = self._seen, defaultdict(Counter)
        found: defaultdict[tuple[str, str], list[Datum]] = defaultdict(list)
        for which in seen.keys() | answered:
            counts = seen[which]
            if not any(counts):
                if which not in answered:
                    continue
                counts[1] += 1
            found[which[:2]].append(_datum(which, counts, now))
        for (account, region), data in found.items():
            self._metrics.put(account, region, namespace, data)


def _datum(which: _Seen, counts: Counter[int], at: float) -> Datum:
    _, _, name, variant = which
    endpoint, _, component = name.partition(COMPONENT)
    metric = "ConcurrentRequestsPerCopy" if component else "ConcurrentRequestsPerModel"
    of_variant = (("EndpointName", endpoint), ("VariantName", variant))
    dimensions = (("InferenceComponentName", component),) if component else of_variant
    held = Statistics.of_values((float(value), float(times)) for value, times in counts.items())
    return Datum(metric, dimensions, at, 0.0, resolution=RESOLUTION_SECONDS, statistics=held)
