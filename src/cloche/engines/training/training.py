"""``Training``: submit a plan, ask it to stop, see how it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cloche.engines.training import scraping
from cloche.engines.training.attempts import MARK, first_run
from cloche.engines.training.driver import TrainingDriver
from cloche.engines.training.finish import model_address
from cloche.engines.training.machine import AWAY, INTERRUPT_ASKED, KIND, PLACED, STOP_ASKED, WAITING, State
from cloche.engines.training.plan import Plan
from cloche.engines.training.publish import TrainingState, state_of
from cloche.engines.training.warm_pools import WarmPools
from cloche.foundation.apart import keep_apart
from cloche.foundation.errors import Conflict, NotFound
from cloche.jobs.cleaning import Cleaner
from cloche.jobs.equipment import Equipment
from cloche.jobs.places import Queue
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event


class Training:
    """Made before the reconciler is started; ``start`` after it was made, ``close`` after the reconciler stopped.

    ``folder`` is where jobs' folders lie; inputs are hard links only if it is on the object store's file system.
    """

    def __init__(self, folder: Path, equipment: Equipment) -> None:
        self._equipment = equipment
        self._clock = equipment.clock
        self._reconciler = equipment.reconciler
        self._cleaner = Cleaner(MARK, folder, equipment.runtime, equipment.credentials.forget)
        self._processes: dict[str, str] = {}
        self.runtime = equipment.runtime
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keep_apart(folder)
        self._pools = WarmPools(
            folder.with_name("warm-pools"), equipment.reconciler, equipment.clock, equipment.after_commit
        )
        equipment.places.add(KIND, Queue(PLACED, frozenset(WAITING), AWAY))
        self._reconciler.add(self._pools)
        self._reconciler.add(TrainingDriver(folder, equipment, self._cleaner, self._processes, self._pools))

    def start(self) -> None:
        """Remove what a former server could not, and hear of processes that end. Before the reconciler starts."""
        active = self._reconciler.items(KIND, active_only=True)
        self._processes.update({item.data["process"]: item.id for item in active})
        self._cleaner.sweep({item.data["process"] for item in active})
        self._pools.sweep()
        self.runtime.on_change(self._process_ended)

    def close(self) -> None:
        """Finish the cleaning that was asked for."""
        self._cleaner.close()

    # -- what services call ------------------------------------------------------------------------------

    def check(self, plan: Plan) -> None:
        """Raises ``Invalid`` for a metric whose expression cannot be used."""
        for metric in plan.metrics:
            scraping.check(metric)

    def submit(self, tx: sqlite3.Connection, plan: Plan) -> None:
        """Begin the job in the transaction that inserts its record."""
        data = {"plan": plan.to_data(), **first_run(plan, self._clock.time())}
        self._reconciler.submit(tx, KIND, plan.arn, data)
        self._pools.begin(tx, plan)

    def stop(self, tx: sqlite3.Connection, arn: str) -> None:
        """Ask the job to stop; once more is no harm. Raises ``NotFound``, and ``Conflict`` once it has ended."""
        try:
            self._reconciler.post(tx, arn, Event(STOP_ASKED))
        except Conflict:
            if self._state_in(tx, arn).is_terminal:
                raise

    def interrupt(self, tx: sqlite3.Connection, arn: str, *, away_seconds: float = 0.0) -> None:
        """Take the machines of managed spot training away: the notice is given now, and there is capacity again
        ``away_seconds`` after the job's end on them. Raises ``NotFound`` and ``Conflict``."""
        item = rows.read(tx, arn)
        if item is None:
            raise NotFound(f"{arn} is not there")
        if not Plan.from_data(item.data["plan"]).is_spot:
            raise Conflict(f"{arn} is no managed spot training: only such a job can be interrupted")
        self._reconciler.post(tx, arn, Event(INTERRUPT_ASKED, {"away_seconds": away_seconds}))

    def delete(self, tx: sqlite3.Connection, arn: str) -> None:
        """Drop the job's history. Raises ``Conflict`` while it has not ended, or its warm pool is available."""
        if not self._state_in(tx, arn).is_terminal:
            raise Conflict(f"{arn} has not ended")
        if self._pools.is_available(tx, arn):
            raise Conflict(f"{arn} has an available warm pool")
        self._reconciler.forget(tx, arn)
        self._pools.forget(tx, arn)

    def keep_pool_for(self, tx: sqlite3.Connection, arn: str, seconds: int) -> None:
        """Change how long the ended job's warm pool is kept; 0 ends it. Raises ``Conflict`` where none is available."""
        self._pools.keep_for(tx, arn, seconds)

    def abandon(self, account: str) -> None:
        """End the account's jobs at once and drop them: none of them runs or writes when this returns. Their records
        are the caller's."""
        self._pools.abandon(account)
        mine = [item for item in self._reconciler.items(KIND) if item.data["plan"]["account"] == account]
        self._reconciler.abandon([item.id for item in mine])
        for item in mine:
            self._equipment.drop(item.id)
            self._processes.pop(item.data["process"], None)
            self._cleaner.remove(item.data["process"])

    def state_of(self, arn: str) -> TrainingState:
        """Raises ``NotFound``."""
        item = self._reconciler.item(arn)
        if item is None:
            raise NotFound(f"{arn} is not there")
        return state_of(item, self._reconciler.transitions(arn))

    @staticmethod
    def model_address(plan: Plan) -> str:
        return model_address(plan)

    def _state_in(self, tx: sqlite3.Connection, arn: str) -> State:
        item = rows.read(tx, arn)
        if item is None:
            raise NotFound(f"{arn} is not there")
        return State[item.state]

    def _process_ended(self, process: str) -> None:
        arn = self._processes.pop(process, None)
        if arn is not None:
            self._reconciler.wake(arn)
