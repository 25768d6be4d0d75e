"""Whenever the server dies, every training job ends exactly once, nothing is left behind and no line is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloche.engines.training import warm_pools
from cloche.engines.training.machine import LIFECYCLE, State
from cloche.jobs.following import Follower
from cloche.jobs.utilization import Utilization
from cloche.storage.metadata import records

from .world import World

SEEDS = [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 24))]


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Follower, "_run", lambda self: None)
    monkeypatch.setattr(Utilization, "_run", lambda self: None)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


@pytest.mark.parametrize("seed", SEEDS)
def test_every_job_ends_exactly_once(folder: Path, seed: int) -> None:
    world = World(folder, seed)
    for number in range(120):
        if number % 25 == 0:
            world.submit()
        world.step()
    world.settle()
    try:
        _check(world)
    finally:
        world.close()


def _check(world: World) -> None:
    for arn in world.jobs:
        item = world.reconciler.item(arn)
        assert item is not None
        history = [step.state for step in world.reconciler.transitions(arn)]
        assert State[item.state].is_terminal, (arn, history)
        assert [state for state in history if state in LIFECYCLE.terminal] == [item.state]
        assert history[-1] == item.state
        record = records.find_arn(world.database.reader, arn)
        assert record is not None
        assert record.status == State[item.state].status
        assert record.state["ended_at"] == item.ended_at
        if item.state == "Completed":
            address = record.state["model_artifacts"]
            assert world.objects.head("data", address.removeprefix("s3://data/")).size > 0
        if item.state == "Stopped":
            assert arn in world.asked_to_stop
        if arn in world.told_it_stops:
            assert item.state == "Stopped"
        if item.state == "Failed":
            assert record.state["failure_reason"]
        assert world.stored(arn) == [run for run in world.runtime.printed.get(arn, []) if run]
        plan = item.data["plan"]
        if "Interrupted" in history or item.state == "MaxWaitTimeExceeded":
            assert plan["max_wait_seconds"]
        assert history.count("Retrying") <= plan["retries"]
        pool = world.reconciler.item(warm_pools.id_of(arn))
        assert (pool is not None) == bool(plan["keep_alive_seconds"])
        if pool is not None:
            assert pool.state != "InUse"
            assert record.state["warm_pool"]["status"] == pool.state
    assert all(count == 1 for count in world.runtime.starts.values())
    world._die()  # what the cleaner had not come to is for the next start
    assert world.runtime.known() == []
    assert list((world.folder / "training").iterdir()) == []
    held = world.reconciler.items(warm_pools.KIND, active_only=True)
    caches = world.folder / "warm-pools"
    assert (
        {path.name for path in caches.iterdir()} <= {item.data["cache"] for item in held} if caches.is_dir() else True
    )


def test_the_simulation_does_interrupt_and_retry(folder: Path) -> None:
    wanted = {"Interrupting", "Interrupted", "Retrying"}
    entered: set[str] = set()
    for seed in range(100, 120):
        if wanted <= entered:
            return
        folder.joinpath(str(seed)).mkdir()
        world = World(folder / str(seed), seed)
        for number in range(120):
            if number % 25 == 0:
                world.submit()
            world.step()
        world.settle()
        entered |= {step.state for arn in world.jobs for step in world.reconciler.transitions(arn)}
        world.close()
    raise AssertionError(f"never entered: {wanted - entered}")


def test_the_simulation_does_kill(folder: Path) -> None:
    """If nobody dies, nothing is tried."""
    world = World(folder, 7)
    for number in range(120):
        if number % 25 == 0:
            world.submit()
        world.step()
    world.settle()
    deaths = world.deaths
    world.close()
    assert deaths > 2
