"""The driver of executions as the reconciler has it: what it does is loaded with the first execution."""

from __future__ import annotations

import sqlite3
from functools import cached_property
from typing import TYPE_CHECKING

from cloche.engines.monitoring.machine import LIFECYCLE
from cloche.foundation.api import Api
from cloche.lifecycle.machine import Item, Lifecycle, Outcome
from cloche.storage.metadata.database import Database
from cloche.storage.objects import ObjectStore

if TYPE_CHECKING:
    from cloche.engines.monitoring.executing import Executing


class ExecutionDriver:
    lifecycle: Lifecycle = LIFECYCLE

    def __init__(self, database: Database, objects: ObjectStore, api: Api) -> None:
        self._database, self._objects, self._api = database, objects, api
        self.jobs: dict[str, str] = {}
        """Processing job → execution, of those that may be under way; found again at a start."""

    @cached_property
    def _executing(self) -> Executing:
        from cloche.engines.monitoring.executing import Executing

        return Executing(self._database, self._objects, self._api, self.jobs)

    def work(self, item: Item) -> Outcome:
        return self._executing.work(item)

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        self._executing.entered(tx, item)

    def find_again(self, item: Item) -> None:
        """At a start: hear of its jobs."""
        self._executing.find_again(item)
