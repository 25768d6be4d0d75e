"""What is under way at each instance, seen from beside, becomes AWS's two metrics of concurrent requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cloche.engines.hosting.concurrency import Concurrency
from cloche.engines.hosting.router import Route, Router, Target, Variant
from cloche.engines.hosting.traffic import Traffic
from cloche.storage.metrics import Datum

VARIANT = (("EndpointName", "e"), ("VariantName", "All"))


class Written:
    """Stands for the metric store."""

    def __init__(self) -> None:
        self.data: list[Datum] = []

    def put(self, account: str, region: str, namespace: str, data: Sequence[Datum]) -> None:
        assert (account, region, namespace) == ("1", "r", "AWS/SageMaker")
        self.data += data


class World:
    def __init__(self, name: str, count: int) -> None:
        self.targets = [Target(f"i{n}", f"/{n}") for n in range(count)]
        self.traffic = Traffic()
        router, self.written = Router(), Written()
        router.put(("1", "r", name), Route([Variant("All", 1.0, self.targets, self.traffic)]))
        store: Any = self.written
        self.concurrency = Concurrency(router, store)

    def looks(self, *rows: Sequence[int]) -> None:
        """At what so many instances have under way each time, waiting requests and streams alike."""
        for row in rows:
            for target, under_way in zip(self.targets, row, strict=True):
                target.streams = under_way
            self.concurrency.look()

    def told(self) -> list[Datum]:
        self.concurrency.write("AWS/SageMaker", 1_000.0)
        told, self.written.data = self.written.data, []
        self.traffic.take()
        return told


def test_the_maximum_is_the_busiest_instances_and_the_average_that_of_all() -> None:
    world = World("e", 2)
    world.looks((0, 6), (2, 4), (0, 0))
    [datum] = world.told()
    assert (datum.name, datum.dimensions, datum.at) == ("ConcurrentRequestsPerModel", VARIANT, 1_000.0)
    assert datum.resolution == 1  # ten seconds can be told of it
    held = datum.statistics
    assert held is not None
    assert (held.count, held.maximum, held.minimum, held.average) == (6, 6, 0, 2)
    assert world.told() == []


def test_copies_of_a_component_have_a_metric_of_their_own() -> None:
    world = World("e/sentiment", 1)
    world.looks((3,))
    [datum] = world.told()
    assert (datum.name, datum.dimensions) == ("ConcurrentRequestsPerCopy", (("InferenceComponentName", "sentiment"),))


@pytest.mark.parametrize("answered", [True, False])
def test_nothing_is_told_where_nothing_was_asked(answered: bool) -> None:
    """But a request that was answered between two looks was one."""
    world = World("e", 1)
    world.looks((0,), (0,))
    if answered:
        world.traffic.count(200, 40.0, 10.0)
    else:
        world.traffic.fail(500, is_models=False)
    told = world.told()
    assert [datum.statistics.maximum for datum in told if datum.statistics] == ([1.0] if answered else [])
    assert world.told() == []
