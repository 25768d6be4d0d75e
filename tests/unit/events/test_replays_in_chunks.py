"""A replay puts every archived event on its bus once, whenever the server is killed in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.events import schema
from cloche.engines.events.archives import ARCHIVE, CHUNK, Archives
from cloche.engines.events.replays import REPLAY, Replays
from cloche.foundation.clock import Setting, TurnableClock
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

NOW = 1_800_000_000.0
COUNT = 2 * CHUNK + 100
PLACE: dict[str, Any] = {"account": "1", "region": "r", "at": NOW}


class World:
    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        migrate(self.database, [*records.MIGRATIONS, *schema.MIGRATIONS])
        self.clock = TurnableClock(Setting(stands_at=NOW))
        self.archives = Archives(self.database, self.clock)
        self.seen: list[int] = []
        self.dies_after = -1
        self.replays = self.started()

    def started(self) -> Replays:
        """As a server that comes up has it."""
        return Replays(self.database, self.clock, self.archives, self._accept)

    def _accept(self, tx: sqlite3.Connection, bus: Any, event: dict[str, Any], *, only: Any = ()) -> int:
        assert event["replay-name"] == "again"
        if self.dies_after == 0:
            raise KeyboardInterrupt
        self.dies_after -= 1
        # in the same transaction, as the outbox is: what is undone was not seen
        tx.execute("INSERT INTO event_bus_policies VALUES ('seen', '', ?, '')", (str(event["n"]),))
        return 1

    def replayed(self) -> list[int]:
        rows = self.database.reader.execute("SELECT bus FROM event_bus_policies WHERE account = 'seen'")
        return sorted(int(row[0]) for row in rows)

    def status(self) -> str:
        found = records.find_arn(self.database.reader, "arn:replay")
        assert found is not None
        return found.status


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "db")

    def change(tx: sqlite3.Connection) -> None:
        records.insert(tx, **PLACE, kind=ARCHIVE, name="a", arn="arn:archive", request={"RetentionDays": 0})
        for number in range(COUNT):
            at = f"2027-01-15T08:{number % 60:02}:00Z"
            made.archives.keep(tx, "arn:archive", {"time": at, "n": number})
        asked = {"Bus": "default", "EventSourceArn": "arn:archive", "Destination": {"Arn": "x"}}
        span = {"Start": NOW, "End": NOW + 86_400}
        records.insert(tx, **PLACE, kind=REPLAY, name="again", arn="arn:replay", request={**asked, **span})
        records.set_status(tx, "arn:replay", "STARTING")

    made.database.write(change)
    yield made
    made.database.close()


def test_each_event_once_over_kills(world: World) -> None:
    moments = []
    for dies_after in (CHUNK + 7, 30, 0, -1):
        world.dies_after = dies_after
        replays = world.started()
        while (due := replays.next_at()) is not None:
            moments.append(due)
            try:
                replays.run(NOW)
            except KeyboardInterrupt:
                break
    assert world.replayed() == list(range(COUNT))
    assert world.status() == "COMPLETED"
    assert all(due < NOW for due in moments), "due at once"


def test_a_cancelled_replay_ends(world: World) -> None:
    world.replays.run(NOW)
    assert world.status() == "RUNNING"
    world.database.write(lambda tx: records.set_status(tx, "arn:replay", "CANCELLING"))
    world.replays.run(NOW)
    assert (world.status(), len(world.replayed()), world.replays.next_at()) == ("CANCELLED", CHUNK, None)


def test_a_replay_whose_archive_has_gone_fails(world: World) -> None:
    world.database.write(lambda tx: records.remove(tx, "arn:archive"))
    world.replays.run(NOW)
    assert world.status() == "FAILED"
