"""What each state of a training job demands. Every step may be repeated: it finds what it did before."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloche.compute.images import EnvironmentFailed, ImageFailed
from cloche.compute.runtime import Running
from cloche.engines.training import attempts, checkpoints, tensorboard
from cloche.engines.training.finish import reason, upload
from cloche.engines.training.machine import (
    ADMITTED,
    ENVIRONMENT_READY,
    GAVE_UP,
    INTERRUPTED,
    LIFECYCLE,
    PROCESS_ENDED,
    PROCESS_STARTED,
    QUEUED,
    RETRIED,
    STORED,
    STORED_AFTER_FAILURE,
    STORED_AFTER_MAX_RUNTIME,
    STORED_AFTER_MAX_WAIT,
    WAITED_TOO_LONG,
    State,
)
from cloche.engines.training.plan import Plan
from cloche.engines.training.publish import publish
from cloche.engines.training.scraping import Scraper
from cloche.engines.training.stage_inputs import directories_of, stage
from cloche.engines.training.start import limits_of, process_of
from cloche.engines.training.warm_pools import WarmPools
from cloche.foundation.errors import Invalid, LimitReached, NotFound
from cloche.jobs.cleaning import Cleaner
from cloche.jobs.ending import INTERNAL, Ending, ending_of
from cloche.jobs.equipment import Equipment
from cloche.jobs.folders import Folder
from cloche.jobs.following import Metrics, Stream, last_of
from cloche.jobs.hosts import JobHost
from cloche.jobs.outside import world
from cloche.jobs.place import Place
from cloche.jobs.shortages import CAPACITY
from cloche.jobs.sources import Unfit
from cloche.jobs.staging import GivenUp
from cloche.jobs.utilization import Measured
from cloche.lifecycle.machine import Event, Item, Lifecycle, Outcome, Wait
from cloche_jobs import catalog
from cloche_jobs.contract.configuration import INTERFACE

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 15.0
"""The end of a process is told at once; this is for the case that the telling went wrong."""

LOG_GROUP: Final = "/aws/sagemaker/TrainingJobs"
NAMESPACE: Final = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True, slots=True)
class TrainingDriver:
    root: Path
    equipment: Equipment
    cleaner: Cleaner
    processes: dict[str, str]
    """Which job a process that may end is of."""
    pools: WarmPools

    @property
    def lifecycle(self) -> Lifecycle:
        return LIFECYCLE

    def work(self, item: Item) -> Outcome:
        steps: dict[State, Callable[[Item, Plan], Outcome]] = {
            State.Submitted: self._admit,
            State.Pending: self._admit,
            State.Interrupted: self._come_back,
            State.Retrying: self._admit,
            State.Starting: self._ready_environment,
            State.Downloading: self._stage_and_start,
            State.Training: self._follow,
            State.Interrupting: self._interrupt,
            State.Stopping: self._stop,
            State.Uploading: self._upload,
            State.Saving: self._save,
        }
        return steps[State[item.state]](item, Plan.from_data(item.data["plan"]))

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        publish(tx, item)
        state = State[item.state]
        if state.is_terminal:
            self.pools.job_ended(tx, item)
        left = attempts.left_behind(item.data) if state in (State.Interrupted, State.Retrying) else None
        if state.is_terminal or left is not None:
            process = left or item.data["process"]

            def ended() -> None:
                self.equipment.drop(item.id)
                self.cleaner.later(process)
                self.equipment.places.wake_next()

            self.equipment.after_commit(ended)

    # -- one step for each state -------------------------------------------------------------------------

    def _admit(self, item: Item, plan: Plan) -> Outcome:
        now, until = self.equipment.clock.time(), attempts.waits_until(item, plan)
        if now >= until:
            return Event(WAITED_TOO_LONG)
        if self.equipment.places.let_in(item.id):
            return Event(ADMITTED)
        if item.state == State.Submitted.name:
            many = f"{self.equipment.places.count} jobs run at once on this machine"
            return Event(QUEUED, message=f"{State.Pending.message}: {many}")
        return Wait(until=until if plan.is_spot else None)  # whoever ends wakes the next

    def _come_back(self, item: Item, plan: Plan) -> Outcome:
        """An interrupted job waits for capacity first."""
        now = self.equipment.clock.time()
        back_at = item.entered_at + item.data.get("away_seconds", 0.0)
        back_at = min(back_at, attempts.waits_until(item, plan))
        return Wait(until=back_at) if now < back_at else self._admit(item, plan)

    def _ready_environment(self, item: Item, plan: Plan) -> Outcome:
        if self.equipment.shortages.is_short(group.instance_type for group in plan.groups):
            return self._gave_up(item, plan, CAPACITY)
        try:
            self.equipment.images.software(catalog.by_key(plan.image))
        except EnvironmentFailed as error:
            return self._gave_up(item, plan, f"{INTERNAL} ({error.message})")
        except ImageFailed as error:
            return self._gave_up(item, plan, f"ClientError: {error.message}")
        return Event(ENVIRONMENT_READY)

    def _stage_and_start(self, item: Item, plan: Plan) -> Outcome:
        process = item.data["process"]
        if self.equipment.runtime.observe(process) is None:
            try:
                self._start(item, plan)
            except Unfit as error:
                return self._gave_up(item, plan, str(error))
            except GivenUp:
                return Wait(0.0)
            except LimitReached as error:
                return self._gave_up(item, plan, f"{INTERNAL} ({error.message})")
        return Event(PROCESS_STARTED)

    def _start(self, item: Item, plan: Plan) -> None:
        process, place = item.data["process"], self._place(item)
        able = self.equipment.runtime.capabilities
        alone = len(plan.hosts) == 1
        interface = INTERFACE if alone else self.equipment.runtime.interface(network=plan.network)
        directories = directories_of(plan, self.equipment.file_systems)
        credentials, wait = self.equipment.credentials.promised(process, plan.role_arn, "SageMaker")
        with self.equipment.readings.of(item.id):
            for host in plan.hosts:
                stage(
                    plan,
                    place.of_host(host.number),
                    self.equipment.objects,
                    private_files=able.private_files,
                    is_wanted=lambda: self.equipment.reconciler.is_current(item),
                    host=host,
                    interface=interface,
                    directories=directories,
                )
        self.processes[process] = item.id
        spec = process_of(
            attempts.limited(item, plan, self.equipment.clock.time()),
            process,
            place,
            self.equipment.images.software(catalog.by_key(plan.image)),
            able,
            world=world(
                able,
                self.equipment.gateway if plan.network else None,
                credentials,
                request=plan.environment,
                hosts=plan.hosts,
            ),
            stop_grace_seconds=self.equipment.stop_grace_seconds,
            limits=limits_of(plan, self.equipment.limits),
            caches=self.pools.caches(plan, place, private_files=able.private_files),
            directories=directories,
        )
        wait()
        self.equipment.runtime.start(spec)

    def _follow(self, item: Item, plan: Plan) -> Outcome:
        process = item.data["process"]
        place, runtime = self._place(item), self.equipment.runtime
        followed = [
            self.equipment.follower.follow(runtime.output(process, host.number), stream_of(item, plan, host))
            for host in plan.hosts
        ]
        self.equipment.folders.follow(plan.arn, kept_of(plan, place))
        self.equipment.utilization.follow(measured(plan, place, process))
        observed = self.equipment.runtime.observe(process)
        if isinstance(observed, Running):
            return Wait(LOOK_SECONDS)
        metrics = [[metric.name, metric.value, metric.at] for metric in last_of(each.finish() for each in followed)]
        ending = ending_of(observed)
        return Event(PROCESS_ENDED, {"ending": ending.to_data(), "metrics": metrics})

    def _interrupt(self, item: Item, plan: Plan) -> Outcome:
        """What the job saved in its checkpoints by the end of its notice is all that remains of this run."""
        process, ran_seconds = item.data["process"], 0.0
        if self.equipment.runtime.observe(process) is not None:
            self.equipment.runtime.stop(process)
            ended = self._follow(item, plan)
            if isinstance(ended, Wait):
                return ended
            ran_seconds = ended.changes["ending"]["seconds"]
        try:
            self._keep_folders(plan, self._place(item))
        except Unfit as error:
            return self._gave_up(item, plan, str(error))
        return Event(INTERRUPTED, attempts.next_run(item, plan, self.equipment.clock.time(), ran_seconds=ran_seconds))

    def _stop(self, item: Item, plan: Plan) -> Outcome:
        process = item.data["process"]
        if self.equipment.runtime.observe(process) is None:
            return Event(PROCESS_ENDED)
        self.equipment.runtime.stop(process)
        return self._follow(item, plan)

    def _upload(self, item: Item, plan: Plan) -> Outcome:
        place, ending = self._place(item), Ending.from_data(item.data.get("ending"))
        failure = reason(plan, place, ending)
        try:
            self._keep_folders(plan, place)
            address = upload(
                plan, place, self.equipment.objects, with_model=failure is None, empty_model=ending.is_success
            )
        except Unfit as error:
            return self._gave_up(item, plan, failure or str(error), ending.seconds)
        if failure is not None:
            if attempts.may_retry(item, plan, failure):
                return self._gave_up(item, plan, failure, ending.seconds)
            return Event(STORED_AFTER_FAILURE, {"failure_reason": failure})
        if ending.cause != "max_runtime":
            return Event(STORED, {"model_artifacts": address})
        waited = attempts.has_waited_too_long(item, plan, ending)
        return Event(STORED_AFTER_MAX_WAIT if waited else STORED_AFTER_MAX_RUNTIME, {"model_artifacts": address})

    def _save(self, item: Item, plan: Plan) -> Outcome:
        """What a stopped job saved is kept; that it could not be is no reason to call it anything but stopped."""
        place = self._place(item)
        try:
            self._keep_folders(plan, place)
            address = upload(plan, place, self.equipment.objects, with_model=True, empty_model=False)
        except Unfit as error:
            log.warning("%s was stopped; %s", item.id, error)
            return Event(GAVE_UP)
        return Event(STORED, {"model_artifacts": address})

    def _keep_folders(self, plan: Plan, place: Place) -> None:
        try:
            self.equipment.folders.finish(plan.arn, kept_of(plan, place))
        except (NotFound, Invalid) as error:
            raise Unfit(f"ClientError: Artifact upload failed: {error.message}") from None

    def _place(self, item: Item) -> Place:
        return Place(self.root / item.data["process"])

    def _gave_up(self, item: Item, plan: Plan, failure_reason: str, ran_seconds: float = 0.0) -> Event:
        """The end, or another run where the failure was ours and the job may be retried."""
        if attempts.may_retry(item, plan, failure_reason):
            now = self.equipment.clock.time()
            return Event(RETRIED, attempts.next_run(item, plan, now, ran_seconds=ran_seconds, retried=True))
        return Event(GAVE_UP, {"failure_reason": failure_reason[:1024]})


def stream_of(item: Item, plan: Plan, host: JobHost) -> Stream:
    """The log stream of one host; the document names the first host's."""
    name = f"{plan.name}/{host.name}-{item.data['stream'].rpartition('-')[2]}"
    metrics = Metrics(NAMESPACE, (("TrainingJobName", plan.name),), lambda: Scraper(plan.metrics))
    return Stream(plan.arn, plan.account, plan.region, LOG_GROUP, name, metrics)


def kept_of(plan: Plan, place: Place) -> list[Folder]:
    """The folders of the job's that are kept alike with S3."""
    return [*checkpoints.folders_of(plan, place), *tensorboard.folders_of(plan, place)]


def measured(plan: Plan, place: Place, process: str) -> Measured:
    return Measured(
        plan.arn, plan.name, plan.account, plan.region, NAMESPACE, plan.hosts, plan.volume_bytes, place, process
    )
