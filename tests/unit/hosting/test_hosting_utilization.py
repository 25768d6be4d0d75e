"""Usage of instances becomes AWS's three metrics, a point for each instance."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.runtime import Usage
from cloche.engines.hosting import utilization
from cloche.engines.hosting.plan import VariantPlan
from cloche.engines.hosting.relay import Way
from cloche.engines.hosting.router import Route, Router, Target, Variant
from cloche.engines.hosting.routes import Routes
from cloche.engines.hosting.traffic import Traffic
from cloche.engines.hosting.utilization import Utilization
from cloche.foundation.clock import SystemClock
from cloche.foundation.limits import GIB

DIMENSIONS = (("EndpointName", "e"), ("VariantName", "v"))


class Machine:
    """Stands for runtime and metric store."""

    def __init__(self) -> None:
        self.used: dict[str, Usage] = {}
        self.parts: dict[str, tuple[Usage, ...]] = {}
        self.written: list[tuple[str, float]] = []
        self.of_containers: list[tuple[str, str, float]] = []

    def usage(self, ids: list[str]) -> dict[str, Usage]:
        return {id: self.used[id] for id in ids if id in self.used}

    def usage_on_hosts(self, ids: list[str]) -> dict[str, tuple[Usage, ...]]:
        return {id: self.parts[id] for id in ids if id in self.parts}

    def disk_bytes(self, folder: Path) -> int:
        return 8 * GIB

    def put(self, account: str, region: str, namespace: str, data: list[Any]) -> None:
        assert (account, region, namespace) == ("1", "r", "/aws/sagemaker/Endpoints")
        for datum in data:
            assert (datum.dimensions[:2], datum.unit) == (DIMENSIONS, "Percent")
            if datum.dimensions[2:]:
                ((_, container),) = datum.dimensions[2:]
                self.of_containers.append((container, datum.name, datum.value))
            else:
                self.written.append((datum.name, datum.value))


def test_the_share_of_time_memory_and_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    machine: Any = Machine()
    now = [100.0]
    monkeypatch.setattr(utilization.time, "monotonic", lambda: now[0])
    router = Router()
    router.put(("1", "r", "e"), Route([Variant("v", 1.0, [Target("a", "a"), Target("b", "b")], Traffic())]))
    look = Utilization(Routes(router, str, machine), machine, machine, SystemClock(), Path).look
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    machine.used = {"a": Usage(5.0, memory // 4)}
    look()
    assert machine.written == [], "one look tells no share of time"
    now[0] += 10.0
    machine.used = {"a": Usage(20.0, memory // 2), "b": Usage(1.0, 0)}
    look()
    assert machine.written == [("CPUUtilization", 150.0), ("MemoryUtilization", 50.0), ("DiskUtilization", 25.0)]
    machine.written.clear()
    now[0] += 10.0
    machine.used = {"a": Usage(0.5, memory), "b": Usage(2.0, 0)}
    look()
    by_name = [value for name, value in machine.written if name == "CPUUtilization"]
    assert by_name == [0.0, 10.0], "a process that was replaced under its name has no negative share"


def test_each_of_several_containers_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    machine: Any = Machine()
    now = [100.0]
    monkeypatch.setattr(utilization.time, "monotonic", lambda: now[0])
    router = Router()
    target = Target("a", "a", [Way("first", "a"), Way("second", "b")])
    router.put(("1", "r", "e"), Route([Variant("v", 1.0, [target], Traffic())]))
    look = Utilization(Routes(router, str, machine), machine, machine, SystemClock(), Path).look
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for seconds in (0.0, 5.0):
        machine.used = {"a": Usage(seconds * 2, memory)}
        machine.parts = {"a": (Usage(seconds, memory // 2), Usage(seconds / 2, memory // 4))}
        look()
        now[0] += 10.0
    assert dict(machine.written)["CPUUtilization"] == 100.0
    assert machine.of_containers == [
        ("first", "CPUUtilization", 50.0),
        ("first", "MemoryUtilization", 50.0),
        ("second", "CPUUtilization", 25.0),
        ("second", "MemoryUtilization", 25.0),
    ]


def test_a_component_is_measured_by_what_is_reserved_for_each_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """ "The value ranges between 0%-100%" (docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html)."""
    machine: Any = Machine()
    written: list[tuple[str, Any]] = []
    machine.put = lambda account, region, namespace, data: written.extend((namespace, each) for each in data)
    now = [100.0]
    monkeypatch.setattr(utilization.time, "monotonic", lambda: now[0])
    router = Router()
    router.put(("1", "r", "e/c"), Route([Variant("v", 1.0, [Target("a", "a"), Target("b", "b")], Traffic())]))
    routes = Routes(router, str, machine)
    plan = VariantPlan("v", "m", "image", None, reserved_cores=2.0, reserved_memory_mb=1024)
    members = [member._replace(plan=plan) for member in routes.members()]
    monkeypatch.setattr(routes, "members", lambda: members)
    look = Utilization(routes, machine, machine, SystemClock(), Path).look
    for seconds in (0.0, 1.0):
        machine.used = {"a": Usage(seconds * 10, GIB // 2), "b": Usage(seconds * 30, 3 * GIB)}
        look()
        now[0] += 10.0
    assert {(namespace, each.dimensions, each.unit) for namespace, each in written} == {
        ("/aws/sagemaker/InferenceComponents", (("InferenceComponentName", "c"),), "Percent")
    }
    assert [(each.name, each.value) for _, each in written] == [
        ("CPUUtilizationNormalized", 50.0),
        ("MemoryUtilizationNormalized", 50.0),
        ("CPUUtilizationNormalized", 100.0),
        ("MemoryUtilizationNormalized", 100.0),
    ]
