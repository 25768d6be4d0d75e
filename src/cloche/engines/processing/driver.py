"""What each state of a processing job demands. Every step may be repeated: it finds what it did before."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cloche.compute.images import EnvironmentFailed, ImageFailed
from cloche.compute.images.software import Software
from cloche.compute.runtime import Ended, Lost, Observation, Running
from cloche.engines.processing.finish import collect
from cloche.engines.processing.machine import (
    ADMITTED,
    DONE,
    FAILED,
    LIFECYCLE,
    MARK,
    PROCESS_STARTED,
    QUEUED,
    RAN_TOO_LONG,
    STOPPED,
    State,
)
from cloche.engines.processing.monitor_metrics import put_metrics
from cloche.engines.processing.plan import Plan
from cloche.engines.processing.publish import publish
from cloche.engines.processing.staging import folders_of, stage
from cloche.engines.processing.start import process_of
from cloche.foundation.errors import LimitReached
from cloche.foundation.ids import short_id
from cloche.jobs.cleaning import Cleaner
from cloche.jobs.ending import INTERNAL, ending_of
from cloche.jobs.equipment import Equipment
from cloche.jobs.following import Stream
from cloche.jobs.hosts import JobHost
from cloche.jobs.outside import world
from cloche.jobs.place import Place
from cloche.jobs.shortages import CAPACITY
from cloche.jobs.sources import Unfit
from cloche.jobs.staging import GivenUp
from cloche.jobs.utilization import Measured
from cloche.lifecycle.machine import Event, Item, Lifecycle, Outcome, Wait
from cloche_jobs import catalog

LOOK_SECONDS: Final = 15.0
"""The end of a process is told at once; this is for the case that the telling went wrong."""
LOG_GROUP: Final = "/aws/sagemaker/ProcessingJobs"
NAMESPACE: Final = "/aws/sagemaker/ProcessingJobs"
REASON_CHARACTERS_MAX: Final = 1024
SESSION: Final = "SageMaker"
"""What the role's session is called."""


def first_data(plan: Plan, now: float) -> dict[str, Any]:
    """The document of a job that is created."""
    process = f"{MARK}{re.sub(r'[^A-Za-z0-9-]', '-', plan.name)}-{short_id()}"
    return {"plan": plan.to_data(), "process": process, "epoch": int(now)}


@dataclass(frozen=True, slots=True)
class ProcessingDriver:
    root: Path
    equipment: Equipment
    cleaner: Cleaner
    processes: dict[str, str]
    """Which job a process that may end is of."""

    @property
    def lifecycle(self) -> Lifecycle:
        return LIFECYCLE

    def work(self, item: Item) -> Outcome:
        steps: dict[State, Callable[[Item, Plan], Outcome]] = {
            State.Submitted: self._begin,
            State.Pending: self._admit,
            State.Starting: self._start,
            State.Processing: self._follow,
            State.Stopping: self._stop,
        }
        return steps[State[item.state]](item, Plan.from_data(item.data["plan"]))

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        publish(tx, item)
        if State[item.state].is_terminal:
            self.equipment.credentials.drop(tx, item.data["process"])

            def ended() -> None:
                self.equipment.drop(item.id)
                self.cleaner.later(item.data["process"])
                self.equipment.places.wake_next()

            self.equipment.after_commit(ended)

    # -- one step for each state -------------------------------------------------------------------------

    def _begin(self, item: Item, plan: Plan) -> Outcome:
        places = self.equipment.places
        if not places.let_in(item.id):
            return Event(QUEUED, message=f"{State.Pending.message}: {places.count} jobs run at once")
        return self._start(item, plan)

    def _admit(self, item: Item, plan: Plan) -> Outcome:
        return Event(ADMITTED) if self.equipment.places.let_in(item.id) else Wait()  # whoever ends wakes the next

    def _start(self, item: Item, plan: Plan) -> Outcome:
        runtime, process = self.equipment.runtime, item.data["process"]
        if runtime.observe(process) is None:
            if self.equipment.shortages.is_short((plan.instances.instance_type,)):
                return _failed(CAPACITY)
            try:
                software = self.equipment.images.software(catalog.by_key(plan.image))
                self._stage_and_start(item, plan, software)
            except Unfit as error:
                return _failed(str(error))
            except GivenUp:
                return Wait(0.0)
            except ImageFailed as error:
                return _failed(f"ClientError: {error.message}")
            except (EnvironmentFailed, LimitReached) as error:
                return _failed(f"{INTERNAL} ({error.message})")
        self._watch(item, plan)
        return Event(PROCESS_STARTED, {"started_at": self.equipment.clock.time()}, rest_seconds=LOOK_SECONDS)

    def _stage_and_start(self, item: Item, plan: Plan, software: Software) -> None:
        equipment, process, place = self.equipment, item.data["process"], self._place(item)
        able = equipment.runtime.capabilities
        credentials, wait = equipment.credentials.promised(process, plan.role_arn, SESSION)
        with equipment.readings.of(item.id):
            staged = [
                stage(
                    plan,
                    host,
                    place.of_host(host.number),
                    equipment.objects,
                    private_files=able.private_files,
                    is_wanted=lambda: equipment.reconciler.is_current(item),
                )
                for host in plan.hosts
            ]
        if not equipment.reconciler.is_current(item):
            raise GivenUp
        self.processes[process] = item.id
        spec = process_of(
            plan,
            process,
            place,
            staged,
            software,
            able,
            world=world(
                able,
                equipment.gateway if plan.network else None,
                credentials,
                request=plan.environment,
                hosts=plan.hosts,
            ),
            stop_grace_seconds=equipment.stop_grace_seconds,
            limits=replace(equipment.limits, disk_bytes=plan.volume_bytes),
        )
        wait()
        equipment.runtime.start(spec)

    def _watch(self, item: Item, plan: Plan) -> None:
        """Look after what the process prints, writes and uses. Once more is no harm."""
        equipment, process, place = self.equipment, item.data["process"], self._place(item)
        for host in plan.hosts:
            equipment.follower.follow(equipment.runtime.output(process, host.number), stream_of(item, plan, host))
        equipment.folders.follow(plan.arn, folders_of(plan, place, continuous=True))
        equipment.utilization.follow(
            Measured(
                plan.arn, plan.name, plan.account, plan.region, NAMESPACE, plan.hosts, plan.volume_bytes, place, process
            )
        )

    def _follow(self, item: Item, plan: Plan) -> Outcome:
        self._watch(item, plan)
        observed = self.equipment.runtime.observe(item.data["process"])
        if isinstance(observed, Running):
            return Wait(LOOK_SECONDS)
        changes, failure = self._end(item, plan, observed)
        if failure is not None:
            return _failed(failure, changes)
        is_late = isinstance(observed, Ended) and observed.cause == "max_runtime"
        return Event(RAN_TOO_LONG if is_late else DONE, changes)

    def _stop(self, item: Item, plan: Plan) -> Outcome:
        """What a stopped job left could not be stored, or its message not be read: it is stopped all the same."""
        runtime, process = self.equipment.runtime, item.data["process"]
        if runtime.observe(process) is None:
            return Event(STOPPED)
        self._watch(item, plan)
        runtime.stop(process)
        observed = runtime.observe(process)
        if isinstance(observed, Running):
            return Wait(LOOK_SECONDS)
        changes, _ = self._end(item, plan, observed)
        return Event(STOPPED, changes)

    def _end(self, item: Item, plan: Plan, observed: Observation | None) -> tuple[dict[str, Any], str | None]:
        """Keep what the ended process printed and wrote; what changes in the document, and why it failed if it did."""
        equipment, process = self.equipment, item.data["process"]
        if isinstance(observed, Ended | Lost):
            for host in plan.hosts:
                output = equipment.runtime.output(process, host.number)
                equipment.follower.follow(output, stream_of(item, plan, host)).finish()
        left = collect(plan, self._place(item), ending_of(observed), equipment.folders)
        if left.failure is None:
            put_metrics(plan, self._place(item), equipment.metrics, equipment.clock)
        return {"exit_message": left.exit_message}, left.failure

    def _place(self, item: Item) -> Place:
        return Place(self.root / item.data["process"])


def stream_of(item: Item, plan: Plan, host: JobHost) -> Stream:
    name = f"{plan.name}/{host.name}-{item.data['epoch']}"
    return Stream(plan.arn, plan.account, plan.region, LOG_GROUP, name)


def _failed(reason: str, changes: dict[str, Any] | None = None) -> Event:
    return Event(FAILED, {**(changes or {}), "failure_reason": reason[:REASON_CHARACTERS_MAX]})
