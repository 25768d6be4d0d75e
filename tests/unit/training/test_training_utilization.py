"""Usage of hosts becomes AWS's three metrics, for each host its own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.runtime import Usage
from cloche.engines.training.driver import measured as measured_job
from cloche.foundation.clock import SystemClock
from cloche.foundation.limits import GIB
from cloche.jobs import utilization
from cloche.jobs.hosts import Group
from cloche.jobs.place import Place
from cloche.jobs.utilization import Utilization

from .test_stage_inputs import PLAN


class Machine:
    """Stands for runtime and metric store."""

    def __init__(self) -> None:
        self.used: dict[str, tuple[Usage, ...]] = {}
        self.written: list[tuple[str, str, float]] = []

    def usage_on_hosts(self, ids: list[str]) -> dict[str, tuple[Usage, ...]]:
        return {id: self.used[id] for id in ids if id in self.used}

    def disk_bytes(self, folder: Path) -> int:
        return GIB

    def put(self, account: str, region: str, namespace: str, data: list[Any]) -> None:
        assert (account, region, namespace) == ("123456789012", "us-east-1", "/aws/sagemaker/TrainingJobs")
        for datum in data:
            ((dimension, host),) = datum.dimensions
            assert (dimension, datum.unit) == ("Host", "Percent")
            self.written.append((host, datum.name, datum.value))


def test_every_host_has_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine: Any = Machine()
    now = [100.0]
    monkeypatch.setattr(utilization.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Utilization, "_run", lambda self: None)
    measured = Utilization(machine, machine, SystemClock())
    plan = replace(PLAN, groups=(Group("ml.m5.large", 2),), volume_bytes=4 * GIB)
    measured.follow(measured_job(plan, Place(tmp_path), "p"))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    machine.used = {"p": (Usage(1.0, 0), Usage(2.0, 0))}
    measured.look()
    assert machine.written == [], "one look tells no share of time"
    now[0] += 10.0
    machine.used = {"p": (Usage(16.0, memory // 4), Usage(2.0, 0))}
    measured.look()
    assert machine.written == [
        ("j/algo-1", "CPUUtilization", 150.0),
        ("j/algo-1", "MemoryUtilization", 25.0),
        ("j/algo-1", "DiskUtilization", 25.0),
        ("j/algo-2", "CPUUtilization", 0.0),
        ("j/algo-2", "MemoryUtilization", 0.0),
        ("j/algo-2", "DiskUtilization", 25.0),
    ]
    machine.written.clear()
    measured.drop(plan.arn)
    measured.look()
    assert machine.written == []
    measured.close()
