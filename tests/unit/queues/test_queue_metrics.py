"""What lies in queues, looked at in the middle of things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.queues.messages import Draft
from cloche.engines.queues.metrics import ACTIVE_SECONDS, NAMESPACE
from cloche.engines.queues.queue import Queue, Settings
from cloche.engines.queues.queues import Queues
from cloche.foundation.bus import Bus
from cloche.lifecycle.reconciler import Reconciler
from cloche.server.wiring import MIGRATIONS
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

ACCOUNT, REGION = "123456789012", "us-east-1"
NOW = 1_795_600_020.0


class SetClock:
    seconds = NOW

    def time(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise AssertionError("queues count in seconds")

    def real(self) -> float:
        return self.time()

    def when_turned(self, callback: Any) -> None: ...


class Points:
    """A store that remembers what is recorded."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, float, str]] = []

    def record(
        self, account: str, region: str, namespace: str, name: str, dimensions: Any, value: float, unit: str
    ) -> None:
        assert (account, region, namespace) == (ACCOUNT, REGION, NAMESPACE)
        ((key, queue),) = dimensions
        assert key == "QueueName"
        self.told.append((queue, name, value, unit))

    def taken(self, queue: str) -> dict[str, float]:
        """Of one look."""
        found = {name: value for of, name, value, _ in self.told if of == queue and name.startswith("Approximate")}
        self.told.clear()
        return found


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
def queues(tmp_path: Path, clock: Any, points: Any) -> Iterator[Queues]:
    database = Database(tmp_path / "cloche.db")
    migrate(database, MIGRATIONS)
    yield Queues(database, clock, Reconciler(database, clock, Bus()), points)
    database.close()


def send(queues: Queues, queue: Queue, *drafts: Draft) -> None:
    queues.send(queue, drafts).result()


def test_what_is_visible_in_flight_and_delayed(queues: Queues, clock: SetClock, points: Points) -> None:
    queue = queues.create(ACCOUNT, REGION, "q", {}, Settings())
    send(queues, queue, Draft("one"), Draft("two"), Draft("late", delay_seconds=100), Draft("four"))
    queues.receive(queue, most=1, visibility_seconds=30).result()
    clock.seconds += 20
    queues.metrics.look()
    assert points.taken("q") == {
        "ApproximateNumberOfMessagesVisible": 2.0,
        "ApproximateNumberOfMessagesNotVisible": 1.0,
        "ApproximateNumberOfMessagesDelayed": 1.0,
        "ApproximateAgeOfOldestMessage": 20.0,
    }
    clock.seconds += 100
    queues.metrics.look()
    assert points.taken("q")["ApproximateNumberOfMessagesVisible"] == 4.0


def test_what_nobody_can_process_does_not_count_for_the_age(queues: Queues, clock: SetClock, points: Points) -> None:
    queue = queues.create(ACCOUNT, REGION, "poisoned", {}, Settings())
    send(queues, queue, Draft("poison"))
    for _ in range(4):
        queues.receive(queue, most=1, visibility_seconds=0).result()
    clock.seconds += 50
    queues.metrics.look()
    assert "ApproximateAgeOfOldestMessage" not in points.taken("poisoned")
    send(queues, queue, Draft("later"))
    clock.seconds += 7
    queues.metrics.look()
    assert points.taken("poisoned")["ApproximateAgeOfOldestMessage"] == 7.0


def test_groups_in_flight_and_what_was_sent_twice(queues: Queues, points: Points) -> None:
    queue = queues.create(ACCOUNT, REGION, "q.fifo", {}, Settings(fifo=True))
    drafts = [Draft(body, group=body[0], deduplication=body) for body in ("a1", "a2", "b1", "c1")]
    send(queues, queue, *drafts)
    send(queues, queue, drafts[0], Draft("d1", group="d", deduplication="d1", attributes_bytes=5))
    queues.receive(queue, most=3, visibility_seconds=30).result()
    counted = [(name, value, unit) for _, name, value, unit in points.told]
    assert counted.count(("NumberOfMessagesSent", 1.0, "Count")) == 5
    assert [value for name, value, unit in counted if (name, unit) == ("SentMessageSize", "Bytes")] == [2, 2, 2, 2, 7]
    assert counted.count(("NumberOfDeduplicatedSentMessages", 1.0, "Count")) == 1
    points.told.clear()
    queues.metrics.look()
    assert points.taken("q.fifo")["ApproximateNumberOfGroupsWithInflightMessages"] == 2.0


def test_an_empty_queue_is_told_of_for_six_hours(queues: Queues, clock: SetClock, points: Points) -> None:
    queue = queues.create(ACCOUNT, REGION, "idle", {}, Settings())
    queues.metrics.look()
    assert points.taken("idle") == {}
    send(queues, queue, Draft("x"))
    (got,) = queues.receive(queue, most=1, visibility_seconds=30).result()
    queues.delete_messages(queue, [(got.id, got.receipt)]).result()
    clock.seconds += ACTIVE_SECONDS - 1
    queues.metrics.look()
    assert points.taken("idle")["ApproximateNumberOfMessagesVisible"] == 0.0
    clock.seconds += 1
    queues.metrics.look()
    assert points.taken("idle") == {}
    queues.metrics.received(queue, 0)
    assert points.told == [("idle", "NumberOfEmptyReceives", 1.0, "Count")]
    queues.delete(queue)
    points.told.clear()
    queues.metrics.look()
    assert points.told == []
