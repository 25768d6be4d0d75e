"""Replays: archived events put on their bus again, marked with ``replay-name``, in the order of their times.

A replay goes on in chunks. Each chunk and the place it has reached are written in one transaction, so that every event
is replayed once, whatever is killed when; a cancelled replay ends with the chunk under way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

from cloche.engines.events.archives import CHUNK, Archives
from cloche.engines.events.rules import Bus
from cloche.engines.events.schema import REPLAYS
from cloche.foundation.clock import Clock
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record

REPLAY: Final = "events/Replay"
UNDER_WAY: Final = ("STARTING", "RUNNING", "CANCELLING")
_UNDER_WAY: Final = f"{REPLAYS} AND status IN ('STARTING', 'RUNNING', 'CANCELLING')"


class Replays:
    def __init__(self, database: Database, clock: Clock, archives: Archives, accept: Callable[..., int]) -> None:
        self._database, self._clock, self._archives, self._accept = database, clock, archives, accept
        self.poke: Callable[[], None] = lambda: None
        """The agenda's: there is something to do."""

    def started(self) -> None:
        """From inside of the transaction that made a replay, or had one cancelled."""
        self._database.after_commit(self.poke)

    def next_at(self) -> float | None:
        """Past as long as a replay is under way, and another moment after each chunk of it."""
        row = self._database.reader.execute(f"SELECT min(version) {_UNDER_WAY}").fetchone()
        return None if row[0] is None else float(row[0])

    def run(self, now: float) -> None:
        """A chunk of each replay under way."""
        rows = self._database.reader.execute(f"SELECT arn {_UNDER_WAY} ORDER BY id").fetchall()
        for row in rows:
            self._database.write(lambda tx, arn=row["arn"]: self._go_on(tx, arn))  # type: ignore[misc]

    def _go_on(self, tx: sqlite3.Connection, arn: str) -> None:
        replay = records.find_arn(tx, arn)
        if replay is None or replay.status not in UNDER_WAY:
            return
        archive = records.find_arn(tx, replay.request["EventSourceArn"])
        if replay.status == "CANCELLING":
            self._end(tx, replay, "CANCELLED", {})
        elif archive is None:
            self._end(tx, replay, "FAILED", {"reason": "Archive was deleted."})
        else:
            self._replay(tx, replay, archive)

    def _replay(self, tx: sqlite3.Connection, replay: Record, archive: Record) -> None:
        request, state = replay.request, replay.state
        after = (float(state.get("at", 0.0)), int(state.get("id", 0)))
        bus: Bus = (replay.account, replay.region, request["Bus"])
        only = frozenset(request["Destination"].get("FilterArns") or ())
        count, last = 0, None
        for last in self._archives.chunk(tx, archive, request["Start"], request["End"], after):
            self._accept(tx, bus, {**last.event, "replay-name": replay.name}, only=only)
            count += 1
        reached: dict[str, Any] = {} if last is None else {"at": last.at, "id": last.id}
        if count == CHUNK:
            records.set_status(tx, replay.arn, "RUNNING", state={**state, **reached})
            self._database.after_commit(self.poke)
        else:
            self._end(tx, replay, "COMPLETED", reached)

    def _end(self, tx: sqlite3.Connection, replay: Record, status: str, more: dict[str, Any]) -> None:
        state = {**replay.state, **more, "ended_at": self._clock.time()}
        records.set_status(tx, replay.arn, status, state=state)
