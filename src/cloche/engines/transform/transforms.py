"""``Transforms``: submit a plan, ask it to stop."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cloche.engines.transform import runs
from cloche.engines.transform.driver import TransformDriver
from cloche.engines.transform.machine import KIND, PLACED, STOP_ASKED, WAITING, State
from cloche.engines.transform.plan import Plan
from cloche.foundation.apart import keep_apart
from cloche.foundation.errors import Conflict, NotFound
from cloche.jobs.cleaning import Cleaner
from cloche.jobs.equipment import Equipment
from cloche.jobs.places import Queue
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event


class Transforms:
    """Made before the reconciler is started; ``start`` after it was made, ``close`` after the reconciler stopped.

    ``folder`` is where jobs' folders lie; inputs are hard links only if it is on the object store's file system.
    ``sockets`` is where their model servers listen.
    """

    def __init__(self, folder: Path, sockets: Path, equipment: Equipment) -> None:
        self._equipment = equipment
        self._reconciler = equipment.reconciler
        self._cleaner = Cleaner(runs.MARK, folder, equipment.runtime, equipment.credentials.forget)
        self._processes: dict[str, str] = {}
        self.runtime = equipment.runtime
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keep_apart(folder)
        equipment.places.add(KIND, Queue(PLACED, WAITING))
        self._driver = TransformDriver(folder, sockets, equipment, self._cleaner, self._processes)
        self._reconciler.add(self._driver)

    def start(self) -> None:
        """Remove what a former server could not, and hear of processes that end. Before the reconciler starts."""
        active = self._reconciler.items(KIND, active_only=True)
        self._processes.update({runs.process(item.data): item.id for item in active})
        self._cleaner.sweep({process for item in active for process in item.data["processes"]})
        self.runtime.on_change(self._process_ended)

    def close(self) -> None:
        """Finish the cleaning that was asked for."""
        self._cleaner.close()

    def submit(self, tx: sqlite3.Connection, plan: Plan) -> None:
        """Begin the job in the transaction that inserts its record."""
        data = {"plan": plan.to_data(), **runs.first_run(plan, self._equipment.clock.time())}
        self._reconciler.submit(tx, KIND, plan.arn, data)

    def stop(self, tx: sqlite3.Connection, arn: str) -> None:
        """Ask the job to stop; once more, or when it is all but done, is no harm. Raises ``NotFound``, and
        ``Conflict`` once it has ended."""
        try:
            self._reconciler.post(tx, arn, Event(STOP_ASKED))
        except Conflict:
            item = rows.read(tx, arn)
            if item is None:
                raise NotFound(f"{arn} is not there") from None
            if State[item.state].is_terminal:
                raise

    def abandon(self, account: str) -> None:
        """End the account's jobs at once and drop them: none of them runs or writes when this returns. Their records
        are the caller's."""
        mine = [item for item in self._reconciler.items(KIND) if item.data["plan"]["account"] == account]
        self._reconciler.abandon([item.id for item in mine])
        for item in mine:
            self._equipment.drop(item.id)
            for process in item.data["processes"]:
                self._processes.pop(process, None)
                self._cleaner.remove(process)

    def _process_ended(self, process: str) -> None:
        arn = self._processes.pop(process, None)
        if arn is not None:
            self._reconciler.wake(arn)
