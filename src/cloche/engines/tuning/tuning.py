"""``Tuning``: submit a plan, ask it to stop, see its trials."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cloche.engines.tuning import trials as rows
from cloche.engines.tuning.children import as_it_is
from cloche.engines.tuning.curves import DIMENSION, NAMESPACE, Curves
from cloche.engines.tuning.driver import TuningDriver, Watched
from cloche.engines.tuning.machine import KIND, STOP_ASKED, State
from cloche.engines.tuning.plan import Plan
from cloche.engines.tuning.publish import trial_document
from cloche.engines.tuning.searching import Searcher
from cloche.engines.tuning.trials import ENDED, Trial
from cloche.foundation.api import Api
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Conflict, NotFound
from cloche.lifecycle.machine import Event
from cloche.lifecycle.reconciler import Reconciler
from cloche.lifecycle.rows import read
from cloche.storage.metadata.changes import Changes, Hint
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import Datum, MetricStore


class Tuning:
    """Made before the reconciler and ``changes`` are started; ``start`` after it was made, ``close`` after the
    reconciler stopped. ``search_python`` answers the interpreter of the search's environment, built if need be."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        reconciler: Reconciler,
        changes: Changes,
        metrics: MetricStore,
        api: Api,
        search_python: Callable[[], Path],
    ) -> None:
        self._database = database
        self._reconciler = reconciler
        self._searcher = Searcher(search_python)
        self._watched = Watched()
        driver = TuningDriver(
            database=database,
            clock=clock,
            reconciler=reconciler,
            api=api,
            searcher=self._searcher,
            curves=Curves(metrics),
            watched=self._watched,
        )
        reconciler.add(driver)
        changes.on_commit(self._children_changed)
        metrics.on_put(self._metrics_put)

    def start(self) -> None:
        """Find again what is under way. Before the reconciler starts."""
        for item in self._reconciler.items(KIND, active_only=True):
            plan = Plan.from_data(item.data["plan"])
            for trial in rows.of_tuning(self._database.reader, item.id):
                if not trial.has_ended:
                    self._watched.begin(plan, trial)

    def close(self) -> None:
        self._searcher.close()

    # -- what services call ------------------------------------------------------------------------------

    def submit(self, tx: sqlite3.Connection, plan: Plan) -> None:
        """Begin in the transaction that inserts the record."""
        self._reconciler.submit(tx, KIND, plan.arn, {"plan": plan.to_data()})
        if plan.strategy == "Bayesian":
            self._database.after_commit(self._searcher.prepare)

    def stop(self, tx: sqlite3.Connection, arn: str) -> None:
        """Ask it to stop; once more is no harm. Raises ``NotFound``, and ``Conflict`` once it has ended."""
        try:
            self._reconciler.post(tx, arn, Event(STOP_ASKED))
        except Conflict:
            if self._state_in(tx, arn).is_terminal:
                raise

    def delete(self, tx: sqlite3.Connection, arn: str) -> None:
        """Drop its history; its training jobs stay. Raises ``Conflict`` while it has not ended."""
        if not self._state_in(tx, arn).is_terminal:
            raise Conflict(f"{arn} has not ended")
        self._reconciler.forget(tx, arn)
        rows.forget(tx, arn)

    def plan_of(self, arn: str) -> Plan:
        """Raises ``NotFound``."""
        item = self._reconciler.item(arn)
        if item is None:
            raise NotFound(f"{arn} is not there")
        return Plan.from_data(item.data["plan"])

    def trials_of(self, arn: str) -> list[Trial]:
        """In the order they were begun."""
        return rows.of_tuning(self._database.reader, arn)

    def told_of(self, arn: str) -> list[dict[str, Any]]:
        """All that became training jobs, as ``publish`` tells them, and as these are now."""
        plan, reader = self.plan_of(arn), self._database.reader
        now = [trial if trial.has_ended else as_it_is(reader, plan, trial) for trial in self.trials_of(arn)]
        return [trial_document(plan, trial) for trial in now if trial.status]

    def abandon(self, account: str) -> None:
        """Drop the account's tuning jobs whatever they are at. Training jobs and records are the caller's."""
        mine = [item.id for item in self._reconciler.items(KIND) if item.data["plan"]["account"] == account]
        self._reconciler.abandon(mine)

        def change(tx: sqlite3.Connection) -> None:
            for arn in mine:
                rows.forget(tx, arn)

        self._database.write(change)

    # -- what wakes a tuning job -------------------------------------------------------------------------

    def _children_changed(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            if hint.arn in self._watched.children and (hint.status in ENDED or hint.what == "removed"):
                self._reconciler.wake(self._watched.children[hint.arn])

    def _metrics_put(self, namespace: str, data: Sequence[Datum]) -> None:
        if namespace != NAMESPACE or not self._watched.metrics:
            return
        told = {(dict(datum.dimensions).get(DIMENSION, ""), datum.name) for datum in data}
        for arn in {self._watched.metrics[key] for key in told if key in self._watched.metrics}:
            self._reconciler.wake(arn)

    def _state_in(self, tx: sqlite3.Connection, arn: str) -> State:
        item = read(tx, arn)
        if item is None:
            raise NotFound(f"{arn} is not there")
        return State[item.state]
