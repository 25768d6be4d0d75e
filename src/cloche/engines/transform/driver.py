"""What each state of a transform job demands. Every step may be repeated: it finds what it did before."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloche.compute.images import EnvironmentFailed, ImageFailed
from cloche.compute.runtime import Ended, Lost, Observation, Running
from cloche.engines.transform import runs
from cloche.engines.transform.finish import capture, reason, upload
from cloche.engines.transform.machine import (
    ADMITTED,
    GAVE_UP,
    LIFECYCLE,
    PROCESS_ENDED,
    PROCESS_STARTED,
    QUEUED,
    RETRIED,
    STORED,
    STORED_AFTER_FAILURE,
    State,
)
from cloche.engines.transform.plan import Plan
from cloche.engines.transform.publish import publish
from cloche.engines.transform.staging import Desk, stage
from cloche.engines.transform.start import process_of, sockets_in
from cloche.foundation.errors import LimitReached
from cloche.foundation.limits import MODEL_SERVER_DISK_BYTES_MAX
from cloche.jobs.cleaning import Cleaner
from cloche.jobs.ending import INTERNAL, Ending, ending_of
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
from cloche.serving import laying_out
from cloche.serving.sockets import make_private
from cloche_jobs import catalog

LOOK_SECONDS: Final = 15.0
"""The end of a process is told at once; this is for the case that the telling went wrong."""
LOG_GROUP: Final = "/aws/sagemaker/TransformJobs"
NAMESPACE: Final = "/aws/sagemaker/TransformJobs"
"""docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html and logging-cloudwatch.html"""


@dataclass(frozen=True, slots=True)
class TransformDriver:
    root: Path
    sockets: Path
    equipment: Equipment
    cleaner: Cleaner
    processes: dict[str, str]
    """Which job a process that may end is of."""

    @property
    def lifecycle(self) -> Lifecycle:
        return LIFECYCLE

    def work(self, item: Item) -> Outcome:
        steps: dict[State, Callable[[Item, Plan], Outcome]] = {
            State.Submitted: self._admit,
            State.Pending: self._admit,
            State.Starting: self._stage_and_start,
            State.Transforming: self._follow,
            State.Uploading: self._upload,
            State.Stopping: self._stop,
        }
        return steps[State[item.state]](item, Plan.from_data(item.data["plan"]))

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        publish(tx, item)
        if State[item.state].is_terminal:
            self.equipment.after_commit(lambda: self.let_go(item))

    def let_go(self, item: Item) -> None:
        """The job has ended: look after it no more, and have what it leaves removed."""
        self.equipment.drop(item.id)
        for process in item.data["processes"]:
            self.cleaner.later(process)
        shutil.rmtree(self.sockets / item.data["socket"], ignore_errors=True)
        self.equipment.places.wake_next()

    # -- one step for each state -------------------------------------------------------------------------

    def _admit(self, item: Item, plan: Plan) -> Outcome:
        if self.equipment.places.let_in(item.id):
            return Event(ADMITTED, {"started_at": self.equipment.clock.time()})
        if item.state == State.Submitted.name:
            return Event(QUEUED, message=f"{self.equipment.places.count} jobs run at once on this machine")
        return Wait()  # whoever ends wakes the next

    def _stage_and_start(self, item: Item, plan: Plan) -> Outcome:
        if self.equipment.runtime.observe(runs.process(item.data)) is None:
            if self.equipment.shortages.is_short((plan.instance_type,)):
                return _gave_up(CAPACITY)
            try:
                self._start(item, plan)
            except (Unfit, laying_out.Unfit) as error:
                return _gave_up(_with_fault(str(error)))
            except GivenUp:
                return Wait(0.0)
            except ImageFailed as error:
                return _gave_up(f"ClientError: {error.message}")
            except (LimitReached, EnvironmentFailed) as error:
                return _gave_up(f"{INTERNAL} ({error.message})")
        return Event(PROCESS_STARTED)

    def _start(self, item: Item, plan: Plan) -> None:
        process, place, desk = runs.process(item.data), self._place(item), self._desk(item)
        kit = self.equipment
        software = [kit.images.software(catalog.by_key(model.key)) for model in plan.models]
        hosts = self._hosts(item, plan)
        for host in hosts:
            its = place.of_host(host.number).folder
            laying_out.lay_out(its, plan.model_of(host), kit.objects, whose=f"transform job {plan.name}")
        make_private(self.sockets)
        make_private(self.sockets / item.data["socket"])
        sockets = sockets_in(self.sockets / item.data["socket"], len(hosts))
        with kit.readings.of(item.id):
            stage(
                plan,
                desk,
                kit.objects,
                sockets,
                _started_at(item),
                is_wanted=lambda: kit.reconciler.is_current(item),
            )
        self.processes[process] = item.id
        role = plan.model.role_arn
        able = kit.runtime.capabilities
        found = world(
            able,
            kit.gateway if plan.model.network else None,
            kit.credentials.environment(process, role, "SageMaker") if role else {},
            request=plan.model.environment,
        )
        kit.runtime.start(process_of(plan, process, place, hosts, sockets, desk.orders, software, able, found))

    def _follow(self, item: Item, plan: Plan) -> Outcome:
        process, runtime = runs.process(item.data), self.equipment.runtime
        hosts = self._hosts(item, plan)
        streams = [(runtime.output(process, host.number), runs.stream(plan, item.data, host.number)) for host in hosts]
        streams.append((self._desk(item).log, runs.data_stream(plan, item.data)))
        followed = [
            self.equipment.follower.follow(path, Stream(plan.arn, plan.account, plan.region, LOG_GROUP, name))
            for path, name in streams
        ]
        self.equipment.utilization.follow(
            Measured(
                plan.arn,
                plan.name,
                plan.account,
                plan.region,
                NAMESPACE,
                hosts,
                MODEL_SERVER_DISK_BYTES_MAX,
                self._place(item),
                process,
            )
        )
        observed = runtime.observe(process)
        if isinstance(observed, Running):
            return Wait(LOOK_SECONDS)
        for each in followed:
            each.finish()
        goes_on = State[item.state] is State.Transforming and len(item.data["processes"]) < runs.RUNS_MAX
        if goes_on and _was_killed(observed):
            self.equipment.drop(item.id)
            return Event(RETRIED, runs.next_run(item, plan, self.equipment.clock.time()))
        return Event(PROCESS_ENDED, {"ending": ending_of(observed).to_data()})

    def _stop(self, item: Item, plan: Plan) -> Outcome:
        process = runs.process(item.data)
        if self.equipment.runtime.observe(process) is None:
            return Event(PROCESS_ENDED)
        self.equipment.runtime.stop(process)
        return self._follow(item, plan)

    def _upload(self, item: Item, plan: Plan) -> Outcome:
        """The reason is found, and kept, before the first file leaves the folder that it is read from."""
        place, desk, kit = self._place(item), self._desk(item), self.equipment
        ending = Ending.from_data(item.data.get("ending"))
        if "failure" not in item.data:
            failure = reason(plan, place, desk, ending)
            complete = [number for number, _ in enumerate(desk.read_names()) if desk.output(number).exists()]
            return Wait(0.0, {"failure": failure or "", "complete": complete})
        failure = item.data["failure"]
        try:
            done = upload(plan, desk, kit.objects, item.data["complete"])
            capture(plan, desk, kit.objects, done, _started_at(item))
        except Unfit as error:
            return _gave_up(failure or str(error))
        if failure:
            return Event(STORED_AFTER_FAILURE, {"failure_reason": failure})
        return Event(STORED)

    def _hosts(self, item: Item, plan: Plan) -> tuple[JobHost, ...]:
        return plan.hosts(tuple(item.data["instances"]))

    def _place(self, item: Item) -> Place:
        return Place(self.root / runs.folder(item.data))

    def _desk(self, item: Item) -> Desk:
        return Desk(self._place(item).folder / "batch")


def _was_killed(observed: Observation | None) -> bool:
    """Whether neither the model nor the batch is at fault: then another run goes on where this one ended."""
    if isinstance(observed, Ended):
        told = observed.message.startswith(("AlgorithmError", "InternalServerError"))
        return observed.cause == "stopped" or (observed.cause == "companion_failed" and not told)
    return observed is None or isinstance(observed, Lost)  # ``cloche down --all`` leaves nothing


def _gave_up(failure_reason: str) -> Event:
    return Event(GAVE_UP, {"failure_reason": failure_reason[:1024]})


def _with_fault(text: str) -> str:
    """A reason says whose fault it was: a model that cannot be unpacked is the caller's."""
    return text if text.startswith(("ClientError", "InternalServerError", "AlgorithmError")) else f"ClientError: {text}"


def _started_at(item: Item) -> float:
    found: float = item.data["started_at"]
    return found
