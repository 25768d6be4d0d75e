"""A world in which a server with monitoring schedules may die between any two writes and any two calls.

Processing jobs are records in the same database, as the service would keep them; they end as the dice say. What a
schedule's jobs read is always there. After a death everything in memory is gone.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloche.engines.monitoring import MIGRATIONS, SCHEDULE, Monitoring, executing
from cloche.engines.monitoring.captured import Folder
from cloche.foundation.api import Behalf, Refused
from cloche.foundation.bus import Bus
from cloche.lifecycle import rows
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage import objects
from cloche.storage.metadata import changes, records
from cloche.storage.metadata.changes import Changes
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import ObjectStore

from .by_hand import ByHand
from .world import ACCOUNT, REGION, Crash, FakeClock

PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
DEATH = 0.1
JOB = "sagemaker/ProcessingJob"
VIOLATED = "CompletedWithViolations: Job completed successfully with 3 violations."
CLEAN = "Completed: Job completed successfully with no violations."


@dataclass
class FakeApi:
    """CreateProcessingJob, with a death before and after it. It outlives servers, for it is in the database."""

    world: MonitoringWorld
    creates: Counter[str]

    def call(
        self,
        behalf: Behalf,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        origin: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        assert (service, operation, behalf.role) == ("sagemaker", "CreateProcessingJob", "")
        self.world.perhaps_die()
        if self.world.dice.random() < 0.05:
            raise Refused("ResourceLimitExceeded", "The account-level service limit is 0 Instances")
        name = request["ProcessingJobName"]
        arn = f"{PREFIX}processing-job/{name}"

        def insert(tx: Any) -> None:
            if records.find_arn(tx, arn) is not None:
                raise Refused("ResourceInUse", f"{name} already exists")
            self.world.insert(tx, JOB, name, arn, {**request, **(origin or {})})
            records.set_status(tx, arn, "InProgress")

        self.world.real_write(insert)
        self.creates[name] += 1
        self.world.perhaps_die()
        return {"ProcessingJobArn": arn}

    def tick(self) -> None:
        """One of the jobs that run ends, or is stopped."""
        found = self.world.database.reader.execute(
            "SELECT * FROM records WHERE kind = ? AND status IN ('InProgress', 'Stopping') ORDER BY id", (JOB,)
        ).fetchall()
        if not found:
            return
        job = records.from_row(self.world.dice.choice(found))
        dice, state = self.world.dice.random(), {}
        if job.status == "Stopping":
            status = "Stopped"
        elif dice < 0.1:
            status, state = "Failed", {"failure_reason": "AlgorithmError: it was bad"}
        elif dice < 0.2:
            status = "Stopping"
        else:
            status, state = "Completed", {"exit_message": VIOLATED if dice < 0.5 else CLEAN}
        self.world.real_write(lambda tx: records.set_status(tx, job.arn, status, self.world.clock.time(), state=state))


class MonitoringWorld:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.clock = FakeClock()
        self.deadly = False
        self.deaths = 0
        self.api = FakeApi(self, Counter())
        self._boot()

    # -- life and death ----------------------------------------------------------------------------------

    def _boot(self) -> None:
        self.database = Database(self.folder / "cloche.db")
        every = [*records.MIGRATIONS, *objects.MIGRATIONS, *rows.MIGRATIONS, *changes.MIGRATIONS, *MIGRATIONS]
        migrate(self.database, every)
        self.objects = ObjectStore(self.folder / "objects", self.database, self.clock)
        self.reconciler = Reconciler(self.database, self.clock, Bus(), workers=1)
        self.by_hand = ByHand(self.reconciler)
        self.changes = Changes(self.database)
        self.monitoring = Monitoring(self.database, self.clock, self.objects, self.reconciler, self.api, self.changes)
        self.monitoring.start()
        self.changes.start()
        self.database.write(lambda tx: rows.release_all(tx, self.clock.time()))
        self.real_write = self.database.write

        def deadly(change: Callable[[Any], Any]) -> Any:
            self.perhaps_die()
            answer = self.real_write(change)
            self.perhaps_die()
            return answer

        self.database.write = deadly  # type: ignore[method-assign]

    def perhaps_die(self) -> None:
        if self.deadly and threading.current_thread() is threading.main_thread() and self.dice.random() < DEATH:
            raise Crash

    def die(self) -> None:
        self.deaths += 1
        self.close()
        self._boot()

    def close(self) -> None:
        self.deadly = False
        self.changes.stop()
        self.objects.removal.close()
        self.reconciler._pool.shutdown()
        self.database.close()

    # -- what happens ------------------------------------------------------------------------------------

    def insert(self, tx: Any, kind: str, name: str, arn: str, request: Mapping[str, Any]) -> records.Record:
        at = self.clock.time()
        return records.insert(
            tx, account=ACCOUNT, region=REGION, kind=kind, name=name, arn=arn, at=at, request=dict(request)
        )

    def schedule(self, name: str, request: Mapping[str, Any]) -> records.Record:
        def change(tx: Any) -> records.Record:
            record = self.insert(tx, SCHEDULE, name, f"{PREFIX}monitoring-schedule/{name}", request)
            self.monitoring.schedules.add(tx, record)
            return record

        made: records.Record = self.real_write(change)
        return made

    def guarded(self, happening: Callable[[], None]) -> None:
        self.deadly = True
        try:
            happening()
        except Crash:
            self.die()
        finally:
            self.deadly = False

    def agenda(self) -> None:
        """What the agenda does when it looks."""
        due = self.monitoring.next_at()
        if due is not None and due <= self.clock.time():
            self.monitoring.run(self.clock.time())

    def work(self) -> None:
        self.by_hand.work()


def with_data(monkeypatch: Any) -> None:
    """Whatever hour is asked for holds captured data and ground truth."""
    folder = [Folder("s3://bucket/captured/e/v/2027/01/15/08", "e/v/2027/01/15/08")]
    monkeypatch.setattr(executing, "capture_of", lambda *_: "s3://bucket/captured")
    for name in ("folders_of_endpoint", "folders_of_hours"):
        monkeypatch.setattr(executing, name, lambda *_: folder)
