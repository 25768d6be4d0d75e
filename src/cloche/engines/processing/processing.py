"""``Processing``: submit a plan, ask it to stop, see how it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cloche.engines.processing.driver import SESSION, ProcessingDriver, first_data
from cloche.engines.processing.machine import KIND, MARK, PLACED, STOP_ASKED, WAITING, State
from cloche.engines.processing.plan import Plan
from cloche.foundation.apart import keep_apart
from cloche.foundation.errors import Conflict, NotFound
from cloche.jobs.cleaning import Cleaner
from cloche.jobs.equipment import Equipment
from cloche.jobs.places import Queue
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event


class Processing:
    """Made before the reconciler is started; ``start`` after it was made, ``close`` after the reconciler stopped.

    ``folder`` is where jobs' folders lie; inputs are hard links only if it is on the object store's file system.
    """

    def __init__(self, folder: Path, equipment: Equipment) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keep_apart(folder)
        self._equipment = equipment
        self._reconciler = equipment.reconciler
        self._cleaner = Cleaner(MARK, folder, equipment.runtime, equipment.credentials.forget)
        self._processes: dict[str, str] = {}
        equipment.places.add(KIND, Queue(PLACED, WAITING))
        self._reconciler.add(ProcessingDriver(folder, equipment, self._cleaner, self._processes))

    def start(self) -> None:
        """Remove what a former server could not, and hear of processes that end. Before the reconciler starts."""
        active = self._reconciler.items(KIND, active_only=True)
        self._processes.update({item.data["process"]: item.id for item in active})
        self._cleaner.sweep({item.data["process"] for item in active})
        self._equipment.runtime.on_change(self._process_ended)

    def close(self) -> None:
        """Finish the cleaning that was asked for."""
        self._cleaner.close()

    # -- what services call ------------------------------------------------------------------------------

    def submit(self, tx: sqlite3.Connection, plan: Plan) -> None:
        """Begin the job in the transaction that inserts its record."""
        data = first_data(plan, self._equipment.clock.time())
        self._equipment.credentials.keep(tx, data["process"], plan.role_arn, SESSION)
        self._reconciler.submit(tx, KIND, plan.arn, data)

    def stop(self, tx: sqlite3.Connection, arn: str) -> None:
        """Ask the job to stop; once more is no harm. Raises ``NotFound``, and ``Conflict`` once it has ended."""
        try:
            self._reconciler.post(tx, arn, Event(STOP_ASKED))
        except Conflict:
            if self._state_in(tx, arn).is_terminal:
                raise

    def delete(self, tx: sqlite3.Connection, arn: str) -> None:
        """Drop the job's history. Raises ``Conflict`` while it has not ended."""
        if not self._state_in(tx, arn).is_terminal:
            raise Conflict(f"{arn} has not ended")
        self._reconciler.forget(tx, arn)

    def abandon(self, account: str) -> None:
        """End the account's jobs at once and drop them: none of them runs or writes when this returns. Their records
        are the caller's."""
        mine = [item for item in self._reconciler.items(KIND) if item.data["plan"]["account"] == account]
        self._reconciler.abandon([item.id for item in mine])
        for item in mine:
            self._equipment.drop(item.id)
            self._processes.pop(item.data["process"], None)
            self._cleaner.remove(item.data["process"])

    def _state_in(self, tx: sqlite3.Connection, arn: str) -> State:
        item = rows.read(tx, arn)
        if item is None:
            raise NotFound(f"{arn} is not there")
        return State[item.state]

    def _process_ended(self, process: str) -> None:
        arn = self._processes.pop(process, None)
        if arn is not None:
            self._reconciler.wake(arn)
