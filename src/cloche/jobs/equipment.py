"""What the engines of batch jobs share: made once, handed to each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cloche.compute.runtime import Limits, Runtime
from cloche.foundation.clock import Clock
from cloche.foundation.limits import STOP_GRACE_SECONDS
from cloche.jobs.file_systems import FileSystems
from cloche.jobs.folders import Folders
from cloche.jobs.following import Follower
from cloche.jobs.outside import Gateway, Images, JobCredentials
from cloche.jobs.places import Places
from cloche.jobs.reading import Readings
from cloche.jobs.shortages import Shortages
from cloche.jobs.utilization import Utilization
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.logs import LogStore
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore
from cloche.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Equipment:
    """``close`` after the reconciler has stopped: processes run on and are found again by the next server."""

    database: Database
    clock: Clock
    objects: ObjectStore
    logs: LogStore
    metrics: MetricStore
    runtime: Runtime
    images: Images
    reconciler: Reconciler
    credentials: JobCredentials
    gateway: Gateway | None = None
    stop_grace_seconds: float = STOP_GRACE_SECONDS
    limits: Limits = field(default_factory=Limits)
    file_systems: FileSystems = field(default_factory=FileSystems)
    place_count: int | None = None
    """How many processes of jobs run at once; by default as many as the machine has processors, at least two."""
    places: Places = field(init=False)
    follower: Follower = field(init=False)
    folders: Folders = field(init=False)
    utilization: Utilization = field(init=False)
    readings: Readings = field(init=False)
    shortages: Shortages = field(init=False)

    def __post_init__(self) -> None:
        made = {
            "places": Places(self.reconciler, self.place_count),
            "follower": Follower(self.logs, self.metrics, self.clock),
            "folders": Folders(self.objects),
            "utilization": Utilization(self.runtime, self.metrics, self.clock),
            "readings": Readings(self.database),
            "shortages": Shortages(self.database, self.clock),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @property
    def after_commit(self) -> Callable[[Callable[[], None]], None]:
        return self.database.after_commit

    def drop(self, arn: str) -> None:
        """Look after the job's process no more: it has ended, or the job is gone."""
        self.follower.drop(arn)
        self.folders.drop(arn)
        self.utilization.drop(arn)

    def close(self) -> None:
        self.follower.close()
        self.folders.close()
        self.utilization.close()
