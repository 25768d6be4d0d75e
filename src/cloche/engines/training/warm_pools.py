"""Warm pools: what a job leaves to the next one that matches it.

    InUse ──Kept──► Available ──Taken──► Reused
      │                 └──────Over────► Terminated
      └──NotKept──► Terminated

On AWS a pool is the machines themselves. Here machines start in milliseconds anyway; what a pool really keeps is its
persistent cache, the folder ``/opt/ml/sagemaker/warmpoolcache`` of its hosts. It belongs to one job at a time, goes to
the next job that matches, and is removed with the pool.

Which jobs match, and when a pool is kept: docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloche.engines.training.attempts import OURS
from cloche.engines.training.machine import State
from cloche.engines.training.plan import Plan
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Conflict
from cloche.foundation.ids import short_id
from cloche.jobs.place import Place
from cloche.lifecycle import rows
from cloche.lifecycle.machine import BROKEN, Event, Item, Lifecycle, Outcome, Wait
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata import records
from cloche_jobs.contract.layout import ML_ROOT

KIND: Final = "training-warm-pool"
CACHE: Final = "/opt/ml/sagemaker/warmpoolcache"
KEPT, NOT_KEPT, TAKEN, OVER = "Kept", "NotKept", "Taken", "Over"
IN_USE, AVAILABLE, REUSED, TERMINATED = "InUse", "Available", "Reused", "Terminated"
LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial=IN_USE,
    table={
        (IN_USE, KEPT): AVAILABLE,
        (IN_USE, NOT_KEPT): TERMINATED,
        (AVAILABLE, TAKEN): REUSED,
        (AVAILABLE, OVER): TERMINATED,
        (IN_USE, BROKEN): TERMINATED,
        (AVAILABLE, BROKEN): TERMINATED,
    },
    terminal=frozenset({REUSED, TERMINATED}),
)


def id_of(arn: str) -> str:
    """The pool of the job ``arn``."""
    return f"{arn}/warm-pool"


def document(connection: sqlite3.Connection, arn: str) -> dict[str, Any] | None:
    """What the job's record says of its pool, if it has one."""
    item = rows.read(connection, id_of(arn))
    if item is None:
        return None
    return {
        "status": item.state,
        "keep_alive_seconds": item.data["keep_alive_seconds"],
        "available_at": item.data.get("available_at"),
        "ended_at": item.ended_at,
        "reused_by": item.data.get("reused_by"),
    }


def is_kept(item: Item, history: list[rows.Transition]) -> bool:
    """Whether an ended job leaves its pool: once its machines were there, and unless the failure was the platform's."""
    had_machines = any(step.state == State.Downloading.name for step in history)
    return had_machines and not str(item.data.get("failure_reason") or "").startswith(OURS)


def _match(plan: Plan) -> str:
    """Equal for jobs that may use one another's pool."""
    groups = sorted((group.instance_type, group.count, group.name) for group in plan.groups)
    return json.dumps([plan.account, plan.region, plan.role_arn, groups, plan.volume_bytes, plan.network])


@dataclass(frozen=True, slots=True)
class WarmPools:
    """The driver of pools, and what jobs ask of them. ``folder`` holds the caches."""

    folder: Path
    reconciler: Reconciler
    clock: Clock
    after_commit: Callable[[Callable[[], None]], None]

    @property
    def lifecycle(self) -> Lifecycle:
        return LIFECYCLE

    def work(self, item: Item) -> Outcome:
        if item.state == IN_USE:
            return Wait()
        until = item.data["available_at"] + item.data["keep_alive_seconds"]
        return Wait(until=until) if self.clock.time() < until else Event(OVER)

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        arn = item.data["arn"]
        record = records.find_arn(tx, arn)
        if record is not None and record.state:
            records.set_status(tx, arn, None, item.entered_at, state={**record.state, "warm_pool": document(tx, arn)})
        if item.state == TERMINATED:
            self.after_commit(lambda: self._remove(item.data["cache"]))

    # -- what jobs ask -----------------------------------------------------------------------------------

    def begin(self, tx: sqlite3.Connection, plan: Plan) -> None:
        """A pool for a job that is created: the one it matches, or a new one."""
        if not plan.keep_alive_seconds:
            return
        match, cache = _match(plan), short_id()
        found = tx.execute(
            "SELECT id FROM lifecycles WHERE kind = ? AND state = ? AND json_extract(data, '$.match') = ?"
            " ORDER BY entered_at, id LIMIT 1",
            (KIND, AVAILABLE, match),
        ).fetchone()
        if found is not None:
            cache = self.reconciler.post(tx, found[0], Event(TAKEN, {"reused_by": plan.name})).data["cache"]
        data = {"arn": plan.arn, "match": match, "cache": cache, "keep_alive_seconds": plan.keep_alive_seconds}
        self.reconciler.submit(tx, KIND, id_of(plan.arn), data)

    def job_ended(self, tx: sqlite3.Connection, job: Item) -> None:
        if rows.read(tx, id_of(job.id)) is None:
            return
        if is_kept(job, rows.transitions(tx, job.id)):
            self.reconciler.post(tx, id_of(job.id), Event(KEPT, {"available_at": self.clock.time()}))
        else:
            self.reconciler.post(tx, id_of(job.id), Event(NOT_KEPT))

    def keep_for(self, tx: sqlite3.Connection, arn: str, seconds: int) -> None:
        """Change how long an available pool is kept, from when it became so; 0 ends it. Raises ``Conflict``."""
        item = rows.read(tx, id_of(arn))
        if item is None or item.state != AVAILABLE:
            raise Conflict(f"{arn} has no available warm pool")
        rows.change(tx, item.id, {"keep_alive_seconds": seconds})
        if item.data["available_at"] + seconds <= self.clock.time():
            self.reconciler.post(tx, item.id, Event(OVER))
            return
        record = records.find_arn(tx, arn)
        assert record is not None, arn
        records.set_status(tx, arn, state={**record.state, "warm_pool": document(tx, arn)})
        self.after_commit(lambda: self.reconciler.wake(item.id))

    def is_available(self, connection: sqlite3.Connection, arn: str) -> bool:
        item = rows.read(connection, id_of(arn))
        return item is not None and item.state == AVAILABLE

    def caches(self, plan: Plan, place: Place, *, private_files: bool) -> dict[int, Path]:
        """Where each host's part of the job's cache lies, made if need be; none for a job without a pool. Where
        nothing can be bound into a job's files, a link in them leads there."""
        item = self.reconciler.item(id_of(plan.arn))
        found: dict[int, Path] = {}
        if item is None:
            return found
        for host in plan.hosts:
            path = found[host.number] = self.folder / item.data["cache"] / f"host-{host.number}"
            path.mkdir(parents=True, exist_ok=True)
            if not private_files:
                link = place.of_host(host.number).layout.root / Path(CACHE).relative_to(ML_ROOT)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
        return found

    def forget(self, tx: sqlite3.Connection, arn: str) -> None:
        self.reconciler.forget(tx, id_of(arn))

    def abandon(self, account: str) -> None:
        """End the account's pools at once."""
        mine = [item for item in self.reconciler.items(KIND) if item.data["arn"].split(":")[4] == account]
        self.reconciler.abandon([item.id for item in mine])
        for item in mine:
            self._remove(item.data["cache"])

    def sweep(self) -> None:
        """Remove the caches of pools that are over. Before the reconciler starts."""
        held = {item.data["cache"] for item in self.reconciler.items(KIND, active_only=True)}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in held:
                self._remove(path.name)

    def _remove(self, cache: str) -> None:
        shutil.rmtree(self.folder / cache, ignore_errors=True)
