"""What each state of an execution demands. Every step may be repeated: a processing job has a name that no other
execution's has, so one that a dead server created is found by it.

A processing job's end wakes its execution; nothing waits by sleeping.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cloche.engines.monitoring import alerts, rows
from cloche.engines.monitoring.captured import (
    Folder,
    folders_of_endpoint,
    folders_of_hours,
    manifests_of_hours,
)
from cloche.engines.monitoring.definition import MODEL_QUALITY, Definition
from cloche.engines.monitoring.machine import (
    ANALYSIS_STARTED,
    DONE,
    FAILED,
    HAS_FAILED,
    HAS_VIOLATIONS,
    JOB_STOPPED,
    LIFECYCLE,
    MERGE_STARTED,
    MERGING,
    PENDING,
    STOP_SEEN,
    STOPPING,
    status_of,
)
from cloche.engines.monitoring.requests import (
    INPUTS_MAX,
    Execution,
    analysis_request,
    extra_inputs,
    merge_request,
)
from cloche.engines.monitoring.times import Window
from cloche.foundation.api import Api, Behalf, Refused
from cloche.lifecycle.machine import Event, Item, Outcome, Wait
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record
from cloche.storage.objects import ObjectStore

LOOK_SECONDS: Final = 60.0
"""Ends of processing jobs are told at once; this is for the case that the telling went wrong."""
FULL_SECONDS: Final = 5.0
"""Until a processing job that a quota forbade is asked for again."""
OVER_QUOTA: Final = "ResourceLimitExceeded"
NO_DATA: Final = "Job inputs had no data"
"""aws/sagemaker-python-sdk#2634"""
WITH_VIOLATIONS: Final = "CompletedWithViolations"
"""How the exit message of such a job begins (case mm-dq-02)."""
INTERNAL: Final = "InternalServerError: We encountered an internal error. Please try again."
JOB: Final = "sagemaker/ProcessingJob"


class Hopeless(Exception):
    """The execution cannot be carried out; the text is its FailureReason."""


@dataclass(frozen=True, slots=True)
class Executing:
    database: Database
    objects: ObjectStore
    api: Api
    jobs: dict[str, str]
    """Processing job → execution, of those that may be under way; found again at a start."""

    def work(self, item: Item) -> Outcome:
        try:
            if item.state == PENDING:
                return self._begin(execution_of(item.data))
            return self._follow(item, execution_of(item.data))
        except Hopeless as hopeless:
            return _failed(str(hopeless))
        except Refused as refused:
            return Wait(FULL_SECONDS) if refused.code == OVER_QUOTA else _failed(refused.message)

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        """Tell the lists, the schedule's record, and the alert once it has ended."""
        data = item.data
        reason = None
        if item.state == FAILED:
            reason = (data.get("reason") or f"{INTERNAL} ({item.message})")[:1024]
        status = status_of(item.state)
        row = rows.change_execution(tx, item.id, item.entered_at, status, data.get("job"), reason)
        schedule = records.find_arn(tx, data["schedule"])
        if row is None or schedule is None or schedule.id != data["record"]:
            return
        if rows.latest(tx, row.account, row.region, row.schedule, 1)[0].id == row.id:
            records.set_status(tx, schedule.arn, state={**schedule.state, "last": rows.summary(row)})
        if item.state in LIFECYCLE.terminal:
            alerts.evaluate(tx, schedule, item.entered_at)

    def find_again(self, item: Item) -> None:
        """Hear of the jobs of an execution that a former server began."""
        self._watch(execution_of(item.data))

    # -- the steps ---------------------------------------------------------------------------------------

    def _begin(self, execution: Execution) -> Outcome:
        needs_merge = execution.definition.type == MODEL_QUALITY
        name = execution.merge_job if needs_merge else execution.analysis_job
        event = MERGE_STARTED if needs_merge else ANALYSIS_STARTED
        if self._job(execution, name) is None:
            execution = self._resolved(execution)
            if needs_merge:
                half = INPUTS_MAX // 2
                truth = self._ground_truth(execution, half)
                request = merge_request(execution, self._captured(execution, half), truth)
            else:
                captured = self._captured(execution, INPUTS_MAX - extra_inputs(execution))
                request = analysis_request(execution, captured)
            self._create(execution, request)
        return Event(event, {"job": execution.job_arn(name)}, rest_seconds=LOOK_SECONDS)

    def _follow(self, item: Item, execution: Execution) -> Outcome:
        name = str(item.data["job"]).rpartition("/")[2]
        job = self._job(execution, name)
        if job is None:
            raise Hopeless(f"The processing job {name} was deleted.")
        if job.status == "Stopped":
            return Event(JOB_STOPPED)
        if job.status == "Stopping":
            return Wait(LOOK_SECONDS) if item.state == STOPPING else Event(STOP_SEEN, rest_seconds=LOOK_SECONDS)
        if job.status == "Failed":
            raise Hopeless(job.state.get("failure_reason") or INTERNAL)
        if job.status != "Completed":
            return Wait(LOOK_SECONDS)
        if item.state == MERGING:
            return self._analyze_merged(execution)
        violated = str(job.state.get("exit_message") or "").startswith(WITH_VIOLATIONS)
        return Event(HAS_VIOLATIONS if violated else DONE)

    def _analyze_merged(self, execution: Execution) -> Outcome:
        if self._job(execution, execution.analysis_job) is None:
            execution = self._resolved(execution)
            below = execution.definition.endpoint_name or execution.name
            hours, most = execution.window.hours, INPUTS_MAX - extra_inputs(execution)
            if execution.definition.endpoint_name:
                merged = folders_of_endpoint(self.objects, execution.merged, below, hours, most)
            else:
                merged = folders_of_hours(self.objects, f"{execution.merged}/{below}", hours, most, below)
            self._create(execution, analysis_request(execution, _some(merged)))
        return Event(ANALYSIS_STARTED, {"job": execution.job_arn(execution.analysis_job)}, rest_seconds=LOOK_SECONDS)

    def _create(self, execution: Execution, request: Mapping[str, Any]) -> None:
        """As the account itself, as SageMaker does: the role is the job's. Raises ``Refused``."""
        origin = {"MonitoringScheduleArn": execution.schedule}
        self._watch(execution)
        self.api.call(Behalf(execution.account, execution.region), "sagemaker", "CreateProcessingJob", request, origin)

    def _watch(self, execution: Execution) -> None:
        for name in (execution.merge_job, execution.analysis_job):
            self.jobs[execution.job_arn(name)] = execution_id(execution.schedule, execution.token)

    def _job(self, execution: Execution, name: str) -> Record | None:
        found = records.find(self.database.reader, execution.account, execution.region, JOB, name)
        if found is not None and found.request.get("MonitoringScheduleArn") != execution.schedule:
            raise Hopeless(f"There is another processing job called {name}.")
        return found

    # -- what a job reads --------------------------------------------------------------------------------

    def _captured(self, execution: Execution, most: int) -> list[Folder]:
        definition, hours = execution.definition, execution.window.hours
        if definition.endpoint_name is not None:
            assert execution.capture is not None
            return _some(folders_of_endpoint(self.objects, execution.capture, definition.endpoint_name, hours, most))
        side = "output" if definition.type == MODEL_QUALITY else "input"
        uri = f"{definition.source['DataCapturedDestinationS3Uri'].rstrip('/')}/{side}"
        found = _some(manifests_of_hours(self.objects, uri, hours, execution.name))
        if len(found) > most:
            raise Hopeless(
                f"{len(found)} captured transform jobs fall into one execution; Cloche can analyze {most} of them."
            )
        return found

    def _ground_truth(self, execution: Execution, most: int) -> list[Folder]:
        uri = execution.definition.ground_truth
        if uri is None:
            raise Hopeless("GroundTruthS3Input has no S3Uri.")
        return _some(folders_of_hours(self.objects, uri, execution.window.hours, most))

    def _resolved(self, execution: Execution) -> Execution:
        """With what other resources tell now: where the endpoint captures, what the baselining job has left."""
        definition, reader = execution.definition, self.database.reader
        capture = None
        if definition.endpoint_name is not None:
            capture = capture_of(reader, execution.account, execution.region, definition.endpoint_name)
            if capture is None:
                raise Hopeless(f"Endpoint {definition.endpoint_name} is not there, or does not capture data.")
        constraints, statistics = definition.constraints, definition.statistics
        if definition.baselining_job and not (constraints or statistics):
            folder = self._baseline_of(execution, definition.baselining_job)
            constraints = folder and f"{folder}/constraints.json"
            if definition.type != MODEL_QUALITY:
                statistics = folder and f"{folder}/statistics.json"
        return replace(execution, capture=capture, constraints=constraints, statistics=statistics)

    def _baseline_of(self, execution: Execution, job: str) -> str:
        found = records.find(self.database.reader, execution.account, execution.region, JOB, job)
        outputs = [] if found is None else (found.request.get("ProcessingOutputConfig") or {}).get("Outputs") or []
        if not outputs:
            raise Hopeless(f"The baselining job {job} is not there, or has no output.")
        return str(outputs[0]["S3Output"]["S3Uri"]).rstrip("/")


def execution_id(schedule: str, token: str) -> str:
    return f"{schedule}/execution/{token}"


def execution_of(data: Mapping[str, Any]) -> Execution:
    return Execution(
        account=data["account"],
        region=data["region"],
        schedule=data["schedule"],
        name=data["name"],
        token=data["token"],
        window=Window(**data["window"]),
        definition=Definition.from_data(data["definition"]),
    )


def capture_of(connection: sqlite3.Connection, account: str, region: str, endpoint: str) -> str | None:
    """Where the endpoint's requests are captured, if they are."""
    found = records.find(connection, account, region, "sagemaker/Endpoint", endpoint)
    if found is None:
        return None
    name = found.request["EndpointConfigName"]
    config = records.find(connection, account, region, "sagemaker/EndpointConfig", name)
    capture = {} if config is None else config.request.get("DataCaptureConfig") or {}
    uri: str | None = capture.get("DestinationS3Uri")
    return uri


def _some(folders: Sequence[Folder]) -> list[Folder]:
    if not folders:
        raise Hopeless(NO_DATA)
    return list(folders)


def _failed(reason: str) -> Event:
    return Event(HAS_FAILED, {"reason": reason})
