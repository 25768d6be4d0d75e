"""``Monitoring``: what the server holds of all this. The rest is loaded with the first schedule."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from cloche.engines.monitoring import schema
from cloche.engines.monitoring.driver import ExecutionDriver
from cloche.engines.monitoring.machine import KIND
from cloche.foundation.api import Api
from cloche.foundation.clock import Clock
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata.changes import Changes, Hint
from cloche.storage.metadata.database import Database
from cloche.storage.objects import ObjectStore

if TYPE_CHECKING:
    from cloche.engines.monitoring.scheduling import Schedules


class Monitoring:
    """Made before the reconciler and ``changes`` are started; ``start`` after it was made."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        objects: ObjectStore,
        reconciler: Reconciler,
        api: Api,
        changes: Changes,
    ) -> None:
        self._database = database
        self._clock = clock
        self._reconciler = reconciler
        self._driver = ExecutionDriver(database, objects, api)
        reconciler.add(self._driver)
        changes.on_commit(self._jobs_changed)

    @cached_property
    def schedules(self) -> Schedules:
        """For services: what becomes of a schedule that is created, changed, started, stopped or deleted."""
        from cloche.engines.monitoring.scheduling import Schedules

        return Schedules(self._clock, self._reconciler)

    def start(self) -> None:
        """Find again what is under way. Before the reconciler starts."""
        for item in self._reconciler.items(KIND, active_only=True):
            self._driver.find_again(item)

    def next_at(self) -> float | None:
        """When the next execution falls due."""
        slot = schema.next_slot(self._database.reader)
        return None if slot is None else slot + schema.DELAY_SECONDS

    def run(self, now: float) -> None:
        """Begin the executions that are due at ``now``."""
        self._database.write(lambda tx: self.schedules.begin_due(tx, now))

    def abandon(self, account: str) -> None:
        """Drop the account's schedules and executions, whatever they are at. Jobs and records are the caller's."""
        mine = [item.id for item in self._reconciler.items(KIND) if item.data["account"] == account]
        self._database.write(lambda tx: _drop(tx, account))
        self._reconciler.abandon(mine)

    def _jobs_changed(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            execution = self._driver.jobs.get(hint.arn)
            if execution is not None and (hint.what == "removed" or hint.status != "InProgress"):
                self._reconciler.wake(execution)


def _drop(tx: sqlite3.Connection, account: str) -> None:
    for table in ("monitoring_schedules", "monitoring_executions", "monitoring_alerts", "monitoring_alert_history"):
        tx.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608 - our own names
