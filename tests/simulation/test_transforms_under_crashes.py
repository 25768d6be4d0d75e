"""Whoever dies when, every transform job ends exactly once, with every file it could make and none made twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloche.engines.transform import Plan, runs
from cloche.engines.transform.driver import LOG_GROUP
from cloche.engines.transform.machine import LIFECYCLE, State
from cloche.jobs.following import Follower
from cloche.jobs.utilization import Utilization
from cloche.storage.metadata import records

from .transform_world import TransformWorld
from .world import ACCOUNT, REGION

SEEDS = [*range(5), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(5, 24))]


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Follower, "_run", lambda self: None)
    monkeypatch.setattr(Utilization, "_run", lambda self: None)


def lived(folder: Path, seed: int) -> TransformWorld:
    world = TransformWorld(folder, seed)
    for number in range(120):
        if number % 20 == 0:
            world.submit()
        world.step()
    world.settle()
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_every_batch_ends_exactly_once(tmp_path: Path, seed: int) -> None:
    world = lived(tmp_path, seed)
    try:
        for arn in world.jobs:
            _check(world, arn)
        assert all(count == 1 for count in world.runtime.starts.values())
        assert all(count == 1 for count in world.runtime.transformed.values()), "what is there is not made again"
        world.die()  # what the cleaner had not come to is for the next start
        assert world.runtime.known() == []
        assert list((world.folder / "transform").iterdir()) == []
    finally:
        world.close()


def _check(world: TransformWorld, arn: str) -> None:
    item = world.reconciler.item(arn)
    assert item is not None
    history = [step.state for step in world.reconciler.transitions(arn)]
    assert [state for state in history if state in LIFECYCLE.terminal] == [item.state] == [history[-1]]
    record = records.find_arn(world.database.reader, arn)
    assert record is not None
    assert (record.status, record.state["ended_at"]) == (State[item.state].status, item.ended_at)
    given = item.data["plan"]["input"]["prefix"]
    stored = {info.key: info for info in world.objects.iter_prefix("data", f"out/{record.name}/")}
    whole = {f"out/{record.name}/{number}.txt.out" for number in range(4) if (given, number) != ("mixed/", 2)}
    for key in stored:
        assert world.objects.read_bytes("data", key, size_max=99) == b"WORD " + key[-9:-8].encode()
    if item.state == "Stopped":
        assert arn in world.asked_to_stop and not stored
        return
    if item.state == "Completed":
        assert given == "good/"
    if item.state == "Completed" or "line 1: bad" in (record.state["failure_reason"] or ""):
        assert stored.keys() == whole
    assert stored.keys() <= whole
    if item.state == "Failed":
        reason = record.state["failure_reason"]
        assert reason and (
            given == "mixed/" or "exit code: 7" in reason or len(item.data["processes"]) == runs.RUNS_MAX
        )
    captured = [info.key for info in world.objects.iter_prefix("data", f"captured/{record.name}/")]
    assert len(captured) == (2 if stored else 0)
    for key in captured:
        names = json.loads(world.objects.read_bytes("data", key, size_max=9999))[1:]
        assert {name.removesuffix(".out") for name in names} == {key[-9:-4] for key in stored}
    if stored:
        log = runs.data_stream(Plan.from_data(item.data["plan"]), item.data)
        assert len(world.logs.read(ACCOUNT, REGION, LOG_GROUP, log, from_head=True).events) >= len(stored)


def test_the_simulation_kills_and_goes_on(tmp_path: Path) -> None:
    """If nobody dies, nothing is tried."""
    deaths, runs_made = 0, 0
    for seed in range(50, 53):
        folder = tmp_path / str(seed)
        folder.mkdir()
        world = lived(folder, seed)
        deaths += world.deaths
        runs_made += sum(len(world.reconciler.item(arn).data["processes"]) - 1 for arn in world.jobs)  # type: ignore[union-attr]
        world.close()
    assert deaths > 5
    assert runs_made > 2
