"""Export tasks against real stores and a real reconciler, whose steps the test takes itself."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.log_export import ExportPlan, LogExports, exports, machine
from cloche.foundation.bus import Bus
from cloche.foundation.clock import SystemClock
from cloche.foundation.errors import Conflict, LimitReached, NotFound
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event, Item, Wait
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage import logs, objects
from cloche.storage.logs import LogStore
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import ObjectStore

OWNER = ("123456789012", "us-east-1")
NOW_MS = 1_795_600_000_000


class World:
    """One reconciler that is never started: ``step`` does what it would do."""

    def __init__(self, root: Path) -> None:
        clock = SystemClock()
        self.database = Database(root / "cloche.db")
        migrations = [*records.MIGRATIONS, *objects.MIGRATIONS, *logs.MIGRATIONS, *rows.MIGRATIONS]
        migrate(self.database, migrations)
        self.logs = LogStore(root / "logs", self.database, clock)
        self.objects = ObjectStore(root / "objects", self.database, clock)
        self.reconciler = Reconciler(self.database, clock, Bus())
        self.exports = LogExports(self.database, self.reconciler, self.logs, self.objects)
        self.objects.buckets.create("bucket", *OWNER)

    def submit(self, **changes: Any) -> str:
        given = {"account": OWNER[0], "region": OWNER[1], "group": "/g", "from_ms": 0, "to_ms": 2 * NOW_MS}
        return self.exports.submit(ExportPlan(**{**given, "bucket": "bucket", "prefix": "p", **changes}))

    def item(self, id: str) -> Item:
        found = self.reconciler.item(id)
        assert found is not None
        return found

    def step(self, id: str) -> str:
        """The state after one step."""
        outcome = self.exports.work(self.item(id))
        if isinstance(outcome, Event):
            self.database.write(lambda tx: self.reconciler.post(tx, id, outcome))
        return self.item(id).state

    def lines(self, id: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for info in self.objects.iter_prefix("bucket", f"p/{id}/"):
            data = self.objects.read_bytes("bucket", info.key, size_max=10**9)
            found[info.key.removeprefix(f"p/{id}/")] = gzip.decompress(data).decode().splitlines()
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    for number in range(3):
        made.logs.append(*OWNER, "/g", f"s/{number}", [(NOW_MS + number, f"{number}.{at}") for at in range(4)])
    yield made
    made.logs.close()
    made.objects.close()
    made.database.close()


def test_the_lifecycle_has_no_flaws() -> None:
    assert machine.LIFECYCLE.flaws() == []


def test_a_task_goes_through_its_states_and_writes_every_event(world: World) -> None:
    id = world.submit()
    assert [world.step(id), world.step(id)] == ["RUNNING", "COMPLETED"]
    expected = [f"2026-11-25T09:46:40.00{0}Z 0.{at}" for at in range(4)]
    found = world.lines(id)
    assert sorted(found) == [f"s-{number}/000000.gz" for number in range(3)]
    assert found["s-0/000000.gz"] == expected


def test_large_streams_become_several_objects(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "OBJECT_BYTES_MAX", 1_000)
    monkeypatch.setattr(exports, "PIECE_BYTES", 300)
    sent = [f"{number:04d}" for number in range(200)]
    world.logs.append(*OWNER, "/g", "big", [(NOW_MS + number, text) for number, text in enumerate(sent)])
    id = world.submit(stream_prefix="big")
    world.step(id)
    assert world.step(id) == "COMPLETED"
    found = world.lines(id)
    assert sorted(found) == [f"big/{number:06d}.gz" for number in range(len(found))]
    assert len(found) > 3
    joined = list(itertools.chain.from_iterable(found[key] for key in sorted(found)))
    assert [line.partition(" ")[2] for line in joined] == sent


def test_an_interrupted_task_writes_the_same_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    id = world.submit()
    world.step(id)
    commit, calls = world.objects.commit, itertools.count()

    def fail(*arguments: Any, **named: Any) -> Any:
        if next(calls) == 2:
            raise OSError(28, "No space left on device")
        return commit(*arguments, **named)

    monkeypatch.setattr(world.objects, "commit", fail)
    with pytest.raises(OSError, match="No space"):
        world.step(id)
    assert world.step(id) == "COMPLETED"
    assert [len(lines) for lines in world.lines(id).values()] == [4, 4, 4]


def test_a_task_at_work_is_cancelled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    id = world.submit()
    world.step(id)
    running, commit = world.item(id), world.objects.commit

    def cancel_then_commit(*arguments: Any, **named: Any) -> Any:
        if world.item(id).state == "RUNNING":
            world.exports.cancel(*OWNER, id)
        return commit(*arguments, **named)

    monkeypatch.setattr(world.objects, "commit", cancel_then_commit)
    assert isinstance(world.exports.work(running), Wait)
    assert world.item(id).state == "PENDING_CANCEL"
    assert len(world.lines(id)) < 3
    assert world.step(id) == "CANCELLED"
    with pytest.raises(Conflict):
        world.exports.cancel(*OWNER, id)


def test_one_at_a_time_and_only_ones_own(world: World) -> None:
    id = world.submit()
    with pytest.raises(LimitReached, match="Resource limit exceeded"):
        world.submit()
    other = world.submit(account="210987654321")
    with pytest.raises(NotFound):
        world.exports.cancel(*OWNER, other)
    assert [item.id for item in world.exports.tasks(*OWNER)] == [id]
    world.exports.abandon(OWNER[0])
    assert world.exports.tasks(*OWNER) == []
    assert len(world.exports.tasks("210987654321", OWNER[1])) == 1


def test_a_bucket_that_has_gone_fails_the_task(world: World) -> None:
    id = world.submit(bucket="none")
    world.step(id)
    assert world.step(id) == "FAILED"
    assert world.item(id).message
