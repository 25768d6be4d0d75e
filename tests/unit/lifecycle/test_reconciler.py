"""The reconciler steps what is due, once, and an event posted meanwhile wins."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloche.foundation.bus import Bus
from cloche.foundation.clock import SystemClock
from cloche.foundation.errors import Conflict
from cloche.lifecycle import rows
from cloche.lifecycle.machine import BROKEN, Event, Item, Lifecycle, Outcome, Wait
from cloche.lifecycle.reconciler import ATTEMPTS_MAX, Reconciler
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

TABLE = Lifecycle(
    kind="toy",
    initial="New",
    table={
        ("New", "Ready"): "Going",
        ("Going", "Done"): "Finished",
        ("Going", "StopAsked"): "Stopping",
        ("Stopping", "Done"): "Stopped",
        ("New", BROKEN): "Failed",
        ("Going", BROKEN): "Failed",
        ("Stopping", BROKEN): "Failed",
    },
    terminal=frozenset({"Finished", "Stopped", "Failed"}),
)


class Toy:
    lifecycle = TABLE

    def __init__(self, work: Callable[[Item], Outcome]) -> None:
        self.work = work
        self.entries: list[tuple[str, str]] = []

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        self.entries.append((item.id, item.state))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "cloche.db")
    migrate(database, rows.MIGRATIONS)
    yield database
    database.close()


def run(database: Database, driver: Toy) -> Reconciler:
    reconciler = Reconciler(database, SystemClock(), Bus())
    reconciler.add(driver)
    reconciler.start()
    return reconciler


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def state(reconciler: Reconciler, id: str) -> str:
    item = reconciler.item(id)
    assert item is not None
    return item.state


def test_table_has_no_flaws() -> None:
    assert TABLE.flaws() == []
    assert Lifecycle("x", "A", {("A", "go"): "B"}, frozenset({"B"})).flaws() == ["A has no way out by Broken"]


def test_steps_to_the_end_and_keeps_every_transition(database: Database) -> None:
    driver = Toy(lambda item: Event("Ready", {"n": 1}) if item.state == "New" else Event("Done", message="over"))
    reconciler = run(database, driver)
    database.write(lambda tx: reconciler.submit(tx, "toy", "a", {"k": 0}))
    until(lambda: state(reconciler, "a") == "Finished")
    item = reconciler.item("a")
    assert item is not None and item.data == {"k": 0, "n": 1} and item.ended_at is not None
    assert [t.state for t in reconciler.transitions("a")] == ["New", "Going", "Finished"]
    assert driver.entries == [("a", "New"), ("a", "Going"), ("a", "Finished")]
    with pytest.raises(Conflict):
        database.write(lambda tx: reconciler.post(tx, "a", Event("StopAsked")))
    reconciler.stop()


def test_a_state_with_nothing_to_do_yet_rests_until_it_is_woken(database: Database) -> None:
    worked: list[str] = []

    def work(item: Item) -> Outcome:
        worked.append(item.state)
        return Event("Ready", rest_seconds=60.0) if item.state == "New" else Event("Done")

    reconciler = run(database, Toy(work))
    database.write(lambda tx: reconciler.submit(tx, "toy", "a", {}))
    until(lambda: state(reconciler, "a") == "Going")
    wake_at = database.reader.execute("SELECT wake_at FROM lifecycles").fetchone()[0]
    assert wake_at > SystemClock().time() + 30 and worked == ["New"]
    reconciler.wake("a")
    until(lambda: state(reconciler, "a") == "Finished")
    assert worked == ["New", "Going"]
    reconciler.stop()


def test_stop_during_long_work_wins_over_what_the_work_answers(database: Database) -> None:
    started, go_on = threading.Event(), threading.Event()

    def work(item: Item) -> Outcome:
        if item.state == "New":
            return Event("Ready")
        if item.state == "Going":
            started.set()
            go_on.wait(10)
            return Wait(None)
        return Event("Done")

    reconciler = run(database, Toy(work))
    database.write(lambda tx: reconciler.submit(tx, "toy", "a", {}))
    assert started.wait(10)
    database.write(lambda tx: reconciler.post(tx, "a", Event("StopAsked")))
    go_on.set()
    until(lambda: state(reconciler, "a") == "Stopped")
    reconciler.stop()


def test_failing_work_is_repeated_then_broken(database: Database) -> None:
    calls: list[str] = []

    def work(item: Item) -> Outcome:
        calls.append(item.state)
        raise ValueError("no")

    reconciler = run(database, Toy(work))
    database.write(lambda tx: reconciler.submit(tx, "toy", "a", {}))
    until(lambda: state(reconciler, "a") == "Failed")
    assert len(calls) == ATTEMPTS_MAX
    assert reconciler.transitions("a")[-1].message == "ValueError: no"
    reconciler.stop()


def test_a_waiting_thing_is_woken_and_a_new_reconciler_takes_over(database: Database) -> None:
    allowed = threading.Event()
    waiting: set[str] = set()

    def work(item: Item) -> Outcome:
        if item.state == "New":
            return Event("Ready")
        if allowed.is_set():
            return Event("Done")
        waiting.add(item.id)
        return Wait(None)

    first = run(database, Toy(work))
    database.write(lambda tx: first.submit(tx, "toy", "a", {}))
    database.write(lambda tx: first.submit(tx, "toy", "b", {}))
    until(lambda: waiting == {"a", "b"})
    allowed.set()
    first.wake("a")
    until(lambda: state(first, "a") == "Finished")
    assert state(first, "b") == "Going"
    first.stop()
    second = run(database, Toy(work))
    until(lambda: state(second, "b") == "Finished")
    second.stop()


def test_a_hundred_things_each_end_once(database: Database) -> None:
    driver = Toy(lambda item: Event("Ready") if item.state == "New" else Event("Done"))
    reconciler = run(database, driver)
    for n in range(100):
        database.submit(lambda tx, n=n: reconciler.submit(tx, "toy", f"t{n}", {}))
    until(lambda: len(reconciler.items("toy")) == 100 and not reconciler.items("toy", active_only=True))
    assert sorted(id for id, entered in driver.entries if entered == "Finished") == sorted(f"t{n}" for n in range(100))
    reconciler.stop()
