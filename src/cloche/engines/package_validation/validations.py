"""``Validations``: make a model and a transform job of a package through the API, follow the job, tell the package.

Names of both are given with the plan, so that what a dead server made is found again. The model goes when the job has
ended; the job stays, with its log, for whoever wants to know why.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from cloche.engines.package_validation.machine import BEGAN, FAILED, GAVE_UP, KIND, LIFECYCLE, PASSED, PENDING
from cloche.foundation.api import Api, Behalf, Refused
from cloche.foundation.errors import Conflict
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event, Item, Outcome, Wait
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata import records
from cloche.storage.metadata.changes import Changes, Hint
from cloche.storage.metadata.database import Database

LOOK_SECONDS: Final = 15.0
"""The end of a job is told at once; this is for the case that the telling went wrong."""
REASON_CHARACTERS_MAX: Final = 1_024
INTERNAL: Final = "InternalServerError: We encountered an internal error. Please try again."
_STATUSES: Final = {PENDING: "NotStarted"}
"""DetailedModelPackageStatus of the API, where it is not the package's own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``arn`` is the package's; the two requests are complete, names included."""

    arn: str
    account: str
    region: str
    profile: str
    model: dict[str, Any]
    job: dict[str, Any]

    @property
    def job_name(self) -> str:
        name: str = self.job["TransformJobName"]
        return name

    def arn_of(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"

    @property
    def job_arn(self) -> str:
        return self.arn_of("transform-job", self.job_name)


class Validations:
    """A driver of the reconciler's, and what the service calls. Made before the reconciler and ``changes`` start."""

    lifecycle = LIFECYCLE

    def __init__(self, database: Database, reconciler: Reconciler, api: Api, changes: Changes) -> None:
        self._database = database
        self._reconciler = reconciler
        self._api = api
        self._packages: dict[str, str] = {}
        """Of which package a job that runs is the validation."""
        reconciler.add(self)
        changes.on_commit(self._jobs_changed)

    def start(self) -> None:
        """Find again what is under way. Before the reconciler starts."""
        for item in self._reconciler.items(KIND, active_only=True):
            self._packages[_plan(item).job_arn] = item.id

    # -- what the service calls --------------------------------------------------------------------------

    def submit(self, tx: sqlite3.Connection, plan: Plan) -> None:
        """Begin in the transaction that inserts the package's record."""
        self._reconciler.submit(tx, KIND, plan.arn, {"plan": asdict(plan)})

    def delete(self, tx: sqlite3.Connection, arn: str) -> None:
        """Drop what is known of the package's validation. Raises ``Conflict`` while it has not ended."""
        item = rows.read(tx, arn)
        if item is None:
            return
        if item.state not in LIFECYCLE.terminal:
            raise Conflict(f"{arn} is being validated")
        self._reconciler.forget(tx, arn)

    def abandon(self, account: str) -> None:
        """Drop the account's validations, whatever they are at. Jobs, models and records are the caller's."""
        mine = [item.id for item in self._reconciler.items(KIND) if item.data["plan"]["account"] == account]
        self._reconciler.abandon(mine)

    # -- the driver --------------------------------------------------------------------------------------

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        record = records.find_arn(tx, item.id)
        assert record is not None
        told = {"Name": _plan(item).profile, "Status": _STATUSES.get(item.state, item.state)}
        if item.state == FAILED:
            told["FailureReason"] = item.data.get("failure", INTERNAL)
        records.set_status(tx, item.id, item.state, item.entered_at, state={**record.state, "validations": [told]})

    def work(self, item: Item) -> Outcome:
        plan = _plan(item)
        return self._begin(plan) if item.state == PENDING else self._follow(plan)

    def _begin(self, plan: Plan) -> Outcome:
        self._packages[plan.job_arn] = plan.arn
        try:
            self._ensure(plan, plan.arn_of("model", plan.model["ModelName"]), "CreateModel", plan.model)
            self._ensure(plan, plan.job_arn, "CreateTransformJob", plan.job)
        except Refused as refused:
            return self._gave_up(plan, f"ClientError: {refused.message}")
        return Event(BEGAN)

    def _ensure(self, plan: Plan, arn: str, operation: str, request: Mapping[str, Any]) -> None:
        if records.find_arn(self._database.reader, arn) is None:
            self._call(plan, operation, request)

    def _follow(self, plan: Plan) -> Outcome:
        job = records.find_arn(self._database.reader, plan.job_arn)
        if job is None:
            return self._gave_up(plan, f"ClientError: The transform job {plan.job_name} was deleted.")
        if job.status == "Completed":
            self._tidy(plan)
            return Event(PASSED)
        if job.status not in ("Failed", "Stopped"):
            self._packages[plan.job_arn] = plan.arn
            return Wait(LOOK_SECONDS)
        why = job.state.get("failure_reason") or f"ClientError: The transform job is {job.status}."
        return self._gave_up(plan, f"{why} See the transform job {plan.job_name}.")

    def _gave_up(self, plan: Plan, why: str) -> Event:
        self._tidy(plan)
        return Event(GAVE_UP, {"failure": why[:REASON_CHARACTERS_MAX]})

    def _tidy(self, plan: Plan) -> None:
        self._packages.pop(plan.job_arn, None)
        try:
            self._call(plan, "DeleteModel", {"ModelName": plan.model["ModelName"]})
        except Refused:
            return  # it was never made, or is gone

    def _call(self, plan: Plan, operation: str, request: Mapping[str, Any]) -> None:
        """As the account itself: it is SageMaker that does this, and the validation role is the model's own."""
        self._api.call(Behalf(plan.account, plan.region), "sagemaker", operation, request)

    def _jobs_changed(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            package = self._packages.get(hint.arn)
            if package is not None and (hint.what == "removed" or hint.status != "InProgress"):
                self._reconciler.wake(package)


def _plan(item: Item) -> Plan:
    return Plan(**item.data["plan"])
