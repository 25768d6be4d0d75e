"""What each state of a training job demands. Every step may be repeated: it finds what it did before."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from cloche.compute.images import EnvironmentFailed
from cloche.compute.runtime import Limits, Running, Runtime
from cloche.engines.training.checkpoints import Checkpoints
from cloche.engines.training.clean import Cleaner
from cloche.engines.training.finish import INTERNAL, Ending, ending_of, reason, upload
from cloche.engines.training.follow import Follower, last_of
from cloche.engines.training.hosts import TrainingHost
from cloche.engines.training.machine import (
    ADMITTED,
    ENVIRONMENT_READY,
    GAVE_UP,
    LIFECYCLE,
    PROCESS_ENDED,
    PROCESS_STARTED,
    QUEUED,
    STORED,
    STORED_AFTER_FAILURE,
    STORED_AFTER_MAX_RUNTIME,
    State,
)
from cloche.engines.training.place import Place
from cloche.engines.training.places import Places
from cloche.engines.training.plan import Plan
from cloche.engines.training.publish import publish
from cloche.engines.training.sources import Unfit
from cloche.engines.training.stage_inputs import GivenUp, stage
from cloche.engines.training.start import Gateway, process_of
from cloche.foundation.errors import LimitReached, NotFound
from cloche.lifecycle.machine import Event, Item, Lifecycle, Outcome, Wait
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.objects import ObjectStore
from cloche_jobs import catalog

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 15.0
"""The end of a process is told at once; this is for the case that the telling went wrong."""


QUEUE_LOOK_SECONDS: Final = 120.0
"""Those who wait are woken when a place is free; so this is too."""


class Images(Protocol):
    def python(self, image: catalog.Image) -> Path:
        """The interpreter of the image's environment, built first if need be. Raises ``EnvironmentFailed``."""
        ...


class JobCredentials(Protocol):
    def environment(self, name: str, role_arn: str, session_name: str) -> Mapping[str, str]:
        """Variables by which the SDKs inside find Cloche and the role's keys; an earlier answer is void."""
        ...

    def forget(self, name: str) -> None:
        """What ``environment`` answered for ``name`` gives nothing any more."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingDriver:
    root: Path
    objects: ObjectStore
    runtime: Runtime
    images: Images
    reconciler: Reconciler
    follower: Follower
    checkpoints: Checkpoints
    cleaner: Cleaner
    places: Places
    credentials: JobCredentials
    gateway: Gateway | None
    after_commit: Callable[[Callable[[], None]], None]
    stop_grace_seconds: float
    limits: Limits

    @property
    def lifecycle(self) -> Lifecycle:
        return LIFECYCLE

    def work(self, item: Item) -> Outcome:
        steps: dict[State, Callable[[Item, Plan], Outcome]] = {
            State.Submitted: self._admit,
            State.Pending: self._admit,
            State.Starting: self._ready_environment,
            State.Downloading: self._stage_and_start,
            State.Training: self._follow,
            State.Stopping: self._stop,
            State.Uploading: self._upload,
            State.Saving: self._save,
        }
        return steps[State[item.state]](item, Plan.from_data(item.data["plan"]))

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        publish(tx, item)
        if State[item.state].is_terminal:
            process = item.data["process"]

            def ended() -> None:
                self.follower.drop(item.id)
                self.checkpoints.drop(item.id)
                self.cleaner.later(process)
                for arn in self.places.waiting()[: self.places.count]:
                    self.reconciler.wake(arn)

            self.after_commit(ended)

    # -- one step for each state -------------------------------------------------------------------------

    def _admit(self, item: Item, plan: Plan) -> Outcome:
        if self.places.let_in(item.id):
            return Event(ADMITTED)
        if item.state == State.Submitted.name:
            many = f"{self.places.count} training jobs run at once on this machine"
            return Event(QUEUED, message=f"{State.Pending.message}: {many}")
        return Wait()  # whoever ends wakes the next

    def _ready_environment(self, item: Item, plan: Plan) -> Outcome:
        try:
            self.images.python(catalog.by_key(plan.image))
        except EnvironmentFailed as error:
            return _gave_up(f"{INTERNAL} ({error.message})")
        return Event(ENVIRONMENT_READY)

    def _stage_and_start(self, item: Item, plan: Plan) -> Outcome:
        process = item.data["process"]
        if self.runtime.observe(process) is None:
            try:
                self._start(item, plan)
            except Unfit as error:
                return _gave_up(str(error))
            except GivenUp:
                return Wait(0.0)
            except LimitReached as error:
                return _gave_up(f"{INTERNAL} ({error.message})")
        return Event(PROCESS_STARTED)

    def _start(self, item: Item, plan: Plan) -> None:
        process, place = item.data["process"], self._place(item)
        able = self.runtime.capabilities
        for host in plan.hosts:
            stage(
                plan,
                place.of_host(host.number),
                self.objects,
                private_files=able.private_files,
                is_wanted=lambda: self.reconciler.is_current(item),
                host=host,
            )
        spec = process_of(
            plan,
            process,
            place,
            self.images.python(catalog.by_key(plan.image)),
            able,
            extra=self.credentials.environment(process, plan.role_arn, "SageMaker"),
            gateway=self.gateway,
            stop_grace_seconds=self.stop_grace_seconds,
            limits=replace(self.limits, disk_bytes=plan.volume_bytes),
        )
        self.runtime.start(spec)

    def _follow(self, item: Item, plan: Plan) -> Outcome:
        process = item.data["process"]
        followed = [
            self.follower.follow(plan, self.runtime.output(process, host.number), stream_of(item, plan, host))
            for host in plan.hosts
        ]
        self.checkpoints.follow(plan, self._place(item))
        observed = self.runtime.observe(process)
        if isinstance(observed, Running):
            return Wait(LOOK_SECONDS)
        metrics = [[metric.name, metric.value, metric.at] for metric in last_of(each.finish() for each in followed)]
        ending = ending_of(observed)
        return Event(PROCESS_ENDED, {"ending": ending.to_data(), "metrics": metrics})

    def _stop(self, item: Item, plan: Plan) -> Outcome:
        process = item.data["process"]
        if self.runtime.observe(process) is None:
            return Event(PROCESS_ENDED)
        self.runtime.stop(process)
        return self._follow(item, plan)

    def _upload(self, item: Item, plan: Plan) -> Outcome:
        place, ending = self._place(item), Ending.from_data(item.data.get("ending"))
        failure = reason(plan, place, ending)
        try:
            self._keep_checkpoints(plan, place)
            address = upload(plan, place, self.objects, with_model=failure is None, empty_model=ending.is_success)
        except Unfit as error:
            return _gave_up(failure or str(error))
        if failure is not None:
            return Event(STORED_AFTER_FAILURE, {"failure_reason": failure})
        event = STORED_AFTER_MAX_RUNTIME if ending.cause == "max_runtime" else STORED
        return Event(event, {"model_artifacts": address})

    def _save(self, item: Item, plan: Plan) -> Outcome:
        """What a stopped job saved is kept; that it could not be is no reason to call it anything but stopped."""
        place = self._place(item)
        try:
            self._keep_checkpoints(plan, place)
            address = upload(plan, place, self.objects, with_model=True, empty_model=False)
        except Unfit as error:
            log.warning("%s was stopped; %s", item.id, error)
            return Event(GAVE_UP)
        return Event(STORED, {"model_artifacts": address})

    def _keep_checkpoints(self, plan: Plan, place: Place) -> None:
        try:
            self.checkpoints.finish(plan, place)
        except NotFound as error:
            raise Unfit(f"ClientError: Artifact upload failed: {error.message}") from None

    def _place(self, item: Item) -> Place:
        return Place(self.root / item.data["process"])


def stream_of(item: Item, plan: Plan, host: TrainingHost) -> str:
    """The log stream of one host; the document names the first host's."""
    return f"{plan.name}/{host.name}-{item.data['stream'].rpartition('-')[2]}"


def _gave_up(failure_reason: str) -> Event:
    changes: dict[str, Any] = {"failure_reason": failure_reason[:1024]}
    return Event(GAVE_UP, changes)
