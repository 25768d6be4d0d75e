"""What steps make: created as the pipeline's role, found again after a crash, described, stopped.

Names are derived (``naming``), so what a dead server made is found before it is made again; where a step's own
arguments name it, what was kept with it at its creation (``ORIGIN``) tells whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cloche.engines.pipelines import naming
from cloche.engines.pipelines.definition import Step
from cloche.engines.pipelines.expressions import evaluate
from cloche.engines.pipelines.kinds import Child
from cloche.engines.pipelines.references import Undefined
from cloche.engines.pipelines.run import Run
from cloche.engines.pipelines.scope import Known
from cloche.foundation.api import Api, Refused
from cloche.foundation.clock import to_iso
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record

SERVICE: Final = "sagemaker"
ORIGIN: Final = ("PipelineExecutionArn", "PipelineStepName", "PipelineStepAttempt")
GROUP: Final = "ModelPackageGroupName"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a step is about to make. ``name`` is empty where the create gives it."""

    name: str
    arguments: dict[str, Any]


def plan_child(run: Run, step: Step, attempt: int, known: Known) -> Plan:
    """Evaluates the step's arguments. Raises ``Undefined``."""
    child = step.child
    assert child is not None
    given = evaluate(step.arguments.get(child.name), known)
    if given is not None and not isinstance(given, str):
        raise Undefined(f"{child.name} is no text")
    if child.token:
        name = given or ""
    elif given and child.own_name:
        name = given
    else:
        name = naming.child_name(
            run.arn, step.name, attempt, prefix=given or "", small=child.small, most=child.name_characters
        )
    known.child = name
    arguments = {key: evaluate(value, known) for key, value in step.arguments.items() if key != child.name}
    return Plan(name, arguments)


Read = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]
"""(service, operation, JSON document) → members, read by the model. Raises ``Refused``."""


class Children:
    def __init__(self, api: Api, database: Database, read: Read) -> None:
        self._api = api
        self._database = database
        self._read = read

    def find(self, run: Run, step: Step, plan: Plan, attempt: int) -> Record | None:
        """What an earlier try of this very attempt has made."""
        child = step.child
        assert child is not None
        if not plan.name or child.token:
            return None  # its create knows its token
        kind = f"{SERVICE}/{child.create.removeprefix('Create')}"
        found = records.find(self._database.reader, run.record.account, run.record.region, kind, plan.name)
        if found is None or (child.own_name and _origin_in(found.request) != _origin(run, step, attempt)):
            return None
        return found

    def create(self, run: Run, step: Step, plan: Plan, attempt: int) -> str:
        """The ARN. Raises ``Refused``."""
        child = step.child
        assert child is not None
        request = dict(plan.arguments)
        if plan.name:
            request[child.name] = plan.name
        if child.token:
            request[child.token] = naming.request_token(run.arn, step.name, attempt)
            self._ensure_group(run, request)
        if child.tracked and run.tracked is not None:
            request["ExperimentConfig"] = {**run.tracked, **(request.get("ExperimentConfig") or {})}
        request = self._read(SERVICE, child.create, request)
        answer = self._api.call(run.behalf, SERVICE, child.create, request, _origin(run, step, attempt))
        arn: str = answer[child.arn]
        return arn

    def _ensure_group(self, run: Run, request: Mapping[str, Any]) -> None:
        """A RegisterModel step makes the group that it names, if there is none: examples never create theirs
        (aws/amazon-sagemaker-examples, sagemaker-pipelines/tabular/abalone_build_train_deploy)."""
        group = request.get(GROUP)
        if not isinstance(group, str) or group.startswith("arn:"):
            return
        try:
            self._api.call(run.behalf, SERVICE, "DescribeModelPackageGroup", {GROUP: group})
        except Refused:
            try:
                self._api.call(run.behalf, SERVICE, "CreateModelPackageGroup", {GROUP: group})
            except Refused as error:
                if "already exists" not in error.message:
                    raise

    def describe(self, run: Run, step: Step, arn: str, name: str) -> dict[str, Any]:
        """Its description, as a step's properties. Raises ``Refused``."""
        child = step.child
        assert child is not None
        asked = {child.name: name or arn}
        answer: dict[str, Any] = plain(self._api.call(run.behalf, SERVICE, child.describe, asked))
        if step.type == "Tuning":
            answer.update(self._trials(run, name, answer))
        return answer

    def _trials(self, run: Run, name: str, tuning: Mapping[str, Any]) -> dict[str, Any]:
        """A Tuning step's properties hold its training jobs, too, the best first (``TuningStep`` of the SDKs)."""
        config = tuning.get("HyperParameterTuningJobConfig") or {}
        goal = (config.get("HyperParameterTuningJobObjective") or {}).get("Type", "Maximize")
        asked = {
            "HyperParameterTuningJobName": name,
            "SortBy": "FinalObjectiveMetricValue",
            "SortOrder": "Ascending" if goal == "Minimize" else "Descending",
            "MaxResults": 50,
        }
        answer = self._api.call(run.behalf, SERVICE, "ListTrainingJobsForHyperParameterTuningJob", asked)
        return {"TrainingJobSummaries": plain(answer)["TrainingJobSummaries"]}

    def stop(self, run: Run, child: Child, name: str) -> None:
        """Ask it to stop. What has ended meanwhile need not."""
        try:
            self._api.call(run.behalf, SERVICE, child.stop, {child.name: name})
        except Refused:
            return

    def ensure_tracking(self, run: Run) -> None:
        """Experiment and trial, once for each execution; without them its jobs are not tracked."""
        config = run.record.request.get("PipelineExperimentConfig")
        if run.has_asked_tracking or not config:
            return
        run.has_asked_tracking = True
        experiment, trial = config.get("ExperimentName"), config.get("TrialName")
        if not experiment or not self._ensure(run, "CreateExperiment", {"ExperimentName": experiment}):
            return
        run.tracked = {"ExperimentName": experiment}
        if trial and self._ensure(run, "CreateTrial", {"TrialName": trial, "ExperimentName": experiment}):
            run.tracked["TrialName"] = trial

    def _ensure(self, run: Run, operation: str, request: dict[str, Any]) -> bool:
        try:
            self._api.call(run.behalf, SERVICE, operation, request)
        except Refused as error:
            return "already exists" in error.message
        return True


def _origin(run: Run, step: Step, attempt: int) -> dict[str, Any]:
    return dict(zip(ORIGIN, (run.arn, step.name, attempt), strict=True))


def _origin_in(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: request.get(name) for name in ORIGIN}


def plain(value: Any) -> Any:
    """As JSON has it: times as ISO 8601."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return to_iso(value) if isinstance(value, datetime) else value
