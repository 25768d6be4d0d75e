"""Instance types that there is no capacity of, for a while, because the owner of the data directory says so.

A cloud runs out of machines now and then, and what is made for it (retry policies of pipelines, other instance types to
fall back on) can only be tried where that happens. Here there is always room for one more job, later; so a shortage is
declared, as an interruption of spot training is. It lasts until a moment of Cloche's time and outlives the server.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from typing import Final

from cloche.foundation.clock import Clock
from cloche.storage.metadata.database import Database

CAPACITY: Final = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
"""``FailureReason`` of a job that found none: DIAGNijmegen/rse-grand-challenge#2631."""
MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "capacity-shortages-1",
        "CREATE TABLE capacity_shortages (instance_type TEXT PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID",
    )
]


class Shortages:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._until: dict[str, float] | None = None
        self._lock = threading.Lock()

    def declare(self, instance_type: str, seconds: float) -> float:
        """There is no capacity of that type from now on, for so long; 0 ends a shortage. The moment of its end."""
        until = self._clock.time() + seconds

        def change(tx: sqlite3.Connection) -> None:
            tx.execute("DELETE FROM capacity_shortages WHERE until <= ?", (self._clock.time(),))
            tx.execute("INSERT OR REPLACE INTO capacity_shortages VALUES (?, ?)", (instance_type, until))
            self._database.after_commit(self._forget)

        self._database.write(change)
        return until

    def is_short(self, instance_types: Iterable[str]) -> bool:
        """Whether a job that wants machines of these types finds none. Asked by every job: it costs no query."""
        held = self._until
        if held is None:
            with self._lock:
                rows = self._database.reader.execute("SELECT instance_type, until FROM capacity_shortages")
                self._until = held = {row["instance_type"]: row["until"] for row in rows}
        return bool(held) and any(self._clock.time() < held.get(each, 0.0) for each in instance_types)

    def _forget(self) -> None:
        with self._lock:  # whoever reads now may have begun before the change
            self._until = None
