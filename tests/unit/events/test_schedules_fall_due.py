"""What the table of schedules does with time: once each, made up for once, in a window that stays the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloche.engines.events import schema
from cloche.engines.events.schedules import Occurrence, Plan, Schedules
from cloche.foundation.errors import Invalid
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

HOUR, DAY = 3_600.0, 86_400.0
START = 1_800_000_000.0  # 2027-01-15T08:00:00Z


class World:
    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        migrate(self.database, [*records.MIGRATIONS, *schema.MIGRATIONS])
        self.happened: list[tuple[str, float, bool]] = []
        self.fails: set[str] = set()
        self.schedules = Schedules(self.database, {"k": self._occurs})

    def _occurs(self, tx: sqlite3.Connection, occurrence: Occurrence) -> None:
        name = occurrence.record.name
        if name in self.fails:
            raise ValueError(name)
        self.happened.append((name, occurrence.at - START, occurrence.is_last))

    def put(self, name: str, plan: Plan, after: float = START) -> None:
        def change(tx: sqlite3.Connection) -> None:
            place = {"account": "1", "region": "r", "kind": "k"}
            made = records.insert(tx, **place, name=name, arn=f"arn:{name}", at=START, request={})
            self.schedules.put(tx, made, plan, after)

        self.database.write(change)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "db")
    yield made
    made.database.close()


def test_each_occurs_once_in_the_order_of_time(world: World) -> None:
    world.put("hour", Plan("rate(1 hour)", START))
    world.put("day", Plan("cron(30 9 * * ? *)", START))
    while (due := world.schedules.next_at()) is not None and due <= START + 3 * HOUR:
        world.schedules.run(due)
        world.schedules.run(due)
    assert [(name, at / HOUR) for name, at, _ in world.happened] == [
        ("hour", 1),
        ("day", 1.5),
        ("hour", 2),
        ("hour", 3),
    ]


def test_what_was_missed_is_made_up_for_once(world: World) -> None:
    world.put("minute", Plan("rate(1 minute)", START))
    world.schedules.run(START + 10 * HOUR + 30)
    assert world.happened == [("minute", 60.0, False)]
    assert world.schedules.next_at() == START + 10 * HOUR + 60


def test_an_end_is_an_end_and_a_single_time_the_last(world: World) -> None:
    world.put("ends", Plan("rate(1 hour)", START, end=START + 2 * HOUR))
    world.put("once", Plan("at(2027-01-15T08:30:00)", 0.0))
    for hours in (0.5, 1, 2):
        world.schedules.run(START + hours * HOUR)
    assert [(name, last) for name, _, last in world.happened] == [("once", True), ("ends", False), ("ends", True)]
    assert world.schedules.next_at() is None


def test_a_window_may_reach_beyond_the_next_occurrence(world: World) -> None:
    plan = Plan("rate(1 hour)", START, window_seconds=4 * 3_600)
    world.put("wide", plan)
    while (due := world.schedules.next_at()) is not None and due <= START + 2 * DAY:
        world.schedules.run(due)
    occurred = [at for _, at, _ in world.happened]
    assert occurred == sorted(set(occurred)), "none twice"
    assert plan.due_at("arn:wide", START) == plan.due_at("arn:wide", START) < START + 4 * HOUR


def test_one_that_fails_is_alone(world: World) -> None:
    world.fails.add("bad")
    world.put("bad", Plan("rate(1 hour)", START))
    world.put("good", Plan("rate(1 hour)", START))
    world.schedules.run(START + HOUR)
    assert [name for name, _, _ in world.happened] == ["good"]
    world.fails.clear()
    world.schedules.run(START + 2 * HOUR)
    assert [name for name, _, _ in world.happened] == ["good", "bad", "good"]


def test_a_thing_that_has_gone_falls_due_no_more(world: World) -> None:
    world.put("gone", Plan("rate(1 hour)", START))
    world.database.write(lambda tx: records.remove(tx, "arn:gone"))
    world.schedules.run(START + HOUR)
    assert (world.happened, world.schedules.next_at()) == ([], None)


def test_a_time_zone_that_is_none_is_refused() -> None:
    for zone in ("Mars/Olympus", "../etc/passwd", "", "America"):
        with pytest.raises(Invalid):
            Plan("rate(1 hour)", START, zone=zone).next_after(START)
