"""What SageMaker tells EventBridge: an event on the default bus whenever one of its things has another state.

One entry for each noun. The forms are those of AWS's samples
(docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html): ``detail`` is what Describe
answers, with tags as a map and with times in milliseconds, as events of jobs and configurations carry them, or as texts
where the samples have texts. AWS may send several events for a change, and so does this after a restart.

It follows the changes of records (``storage/metadata/changes``): an event is owed in the transaction that moves the
follower's cursor, so none is lost and none is sent twice for one row. Where no rule could match, nothing is made.
"""

from __future__ import annotations

import importlib
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.operation import Caller, Context, Members
from cloche.engines.events import Happening
from cloche.engines.events.rules import DEFAULT_BUS
from cloche.engines.pipelines import EXECUTION, STEP
from cloche.foundation.clock import from_epoch, to_iso
from cloche.services.parts import Parts
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.changes import Change
from cloche.storage.metadata.records import Record

if TYPE_CHECKING:
    from cloche.aws.resource import Resource

SOURCE: Final = "aws.sagemaker"
REMEMBERED_MAX: Final = 10_000
_NO_REQUEST: Final = HttpRequest("POST", "/", "", Headers())
_HERE: Final = "cloche.services.sagemaker"


@dataclass(frozen=True, slots=True)
class Told:
    """One change, with the record as it was after it."""

    change: Change
    record: Record
    context: Context
    tags: Mapping[str, str]
    before: Mapping[str, Any]
    """For an update: the request as it was."""


@dataclass(frozen=True, slots=True)
class Announced:
    """How a noun's changes become events. ``mark`` is what has to differ for there to be one: ``None`` for a change
    that is none of EventBridge's business."""

    detail_type: str
    mark: Callable[[Change], tuple[Any, ...] | None]
    detail: Callable[[Told], Members | None]
    resources: Callable[[Record], list[str]] = lambda record: [record.arn]


class StateChanges:
    """A follower of changes. ``follow`` is called inside its transactions."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._marks: dict[tuple[str, str], tuple[Any, ...]] = {}

    def follow(self, tx: sqlite3.Connection, changes: Sequence[Change]) -> None:
        for number, change in enumerate(changes):
            for entry in (ANNOUNCED.get(change.kind), ANNOUNCED_BESIDE.get(change.kind)):
                if entry is not None:
                    self._announce(tx, entry, change, changes[number + 1 :])

    def _announce(self, tx: sqlite3.Connection, entry: Announced, change: Change, later: Sequence[Change]) -> None:
        mark = entry.mark(change)
        if mark is None or not self._is_new((entry.detail_type, change.arn), change, mark):
            return
        events = self._parts.events
        if not events.is_wanted(tx, change.account, change.region, SOURCE, entry.detail_type):
            return
        told = self._told(tx, change, later)
        detail = None if told is None else entry.detail(told)
        if told is None or detail is None:
            return
        happening = Happening(SOURCE, entry.detail_type, detail, entry.resources(told.record), change.at)
        bus = (change.account, change.region, DEFAULT_BUS)
        events.accept(tx, bus, events.envelope(bus, happening))

    def _is_new(self, what: tuple[str, str], change: Change, mark: tuple[Any, ...]) -> bool:
        if self._marks.get(what) == mark:
            return False
        self._marks.pop(what, None)
        if change.what != "removed":
            self._marks[what] = mark
            if len(self._marks) > REMEMBERED_MAX:
                del self._marks[next(iter(self._marks))]
        return True

    def _told(self, tx: sqlite3.Connection, change: Change, later: Sequence[Change]) -> Told | None:
        record = _as_it_was(tx, change, later)
        if record is None:
            return None
        caller = Caller(change.account, f"arn:aws:iam::{change.account}:root", change.account, "")
        context = Context(caller, change.region, "", from_epoch(change.at), _NO_REQUEST, self._parts)
        return Told(change, record, context, dict(tags.read(tx, change.arn)), change.request or {})


def _as_it_was(tx: sqlite3.Connection, change: Change, later: Sequence[Change]) -> Record | None:
    """The record after ``change``: what has become of it since is undone by what later changes say was before them."""
    since = [each for each in later if each.arn == change.arn]
    request = change.request if change.what == "removed" else next((c.request for c in since if c.request), None)
    held = records.find_arn(tx, change.arn)
    if held is None:
        if request is None:
            return None
        gone = next((each for each in since if each.what == "removed"), change)
        where = (change.account, change.region, change.kind, change.name, change.arn)
        held = Record(0, *where, change.status, change.at, change.at, 1, None, request, gone.state or {})
    state = held.state if change.state is None else change.state
    return replace(held, status=change.status, modified_at=change.at, request=request or held.request, state=state)


# -- what differs ---------------------------------------------------------------------------------------------


def _status(change: Change) -> tuple[Any, ...] | None:
    return (change.status,) if change.what == "status" and change.status != change.before else None


def _secondary_status(change: Change) -> tuple[Any, ...] | None:
    if change.what != "status":
        return None
    return change.status, (change.state or {}).get("secondary_status")


def _existence(change: Change) -> tuple[Any, ...] | None:
    return (change.what,) if change.what in ("created", "removed") else None


def _status_or_request(change: Change) -> tuple[Any, ...] | None:
    return (change.sequence,) if change.what == "updated" else _status(change)


def _state(change: Change) -> tuple[Any, ...] | None:
    return (change.sequence,) if change.what == "status" else None


def _deployment(change: Change) -> tuple[Any, ...] | None:
    """The phases that an endpoint's variants are in, while an update is on its way."""
    state = change.state or {}
    pending = state.get("pending") or {}
    variants = [*state.get("variants", ()), *pending.get("variants", ())]
    phases = [(each["name"], *each["status"].values()) for each in variants if "status" in each]
    is_told = change.what == "status" and change.status in ("Updating", "RollingBack") and phases
    return (pending.get("configuration"), *phases) if is_told else None


# -- what is told ---------------------------------------------------------------------------------------------


@cache
def _noun(place: str) -> Resource:
    module, _, name = place.partition(":")
    made: Resource = getattr(importlib.import_module(f"{_HERE}.{module}"), name)()
    return made


def _milliseconds(value: Any) -> Any:
    return _timed(value, lambda at: round(at.timestamp() * 1000))


def _texts(value: Any) -> Any:
    return _timed(value, to_iso)


def _timed(value: Any, write: Callable[[datetime], Any]) -> Any:
    if isinstance(value, datetime):
        return write(value)
    if isinstance(value, Mapping):
        return {name: _timed(each, write) for name, each in value.items()}
    return [_timed(each, write) for each in value] if isinstance(value, list | tuple) else value


def _described(place: str) -> Callable[[Told], Members]:
    """What Describe answers, and the tags."""

    def detail(told: Told) -> Members:
        said = _noun(place).description_of(told.context, told.record)
        return {**_milliseconds(said), "Tags": dict(told.tags)}

    return detail


def _endpoint(told: Told) -> Members:
    """Its status is ``IN_SERVICE`` here where Describe says ``InService``."""
    detail = _described("hosting.endpoint:Endpoint")(told)
    status = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(detail["EndpointStatus"])).upper()
    return {**detail, "EndpointStatus": status}


_PACKAGE_FIELDS: Final = (
    *("ModelApprovalStatus", "ApprovalDescription", "SourceUri", "CustomerMetadataProperties"),
    *("InferenceSpecification", "ModelLifeCycle"),
)


def _model_package(told: Told) -> Members | None:
    detail: Members = _texts(_noun("registry.model_package:ModelPackage").description_of(told.context, told.record))
    if told.change.what == "updated":
        request = told.record.request
        changed = [name for name in _PACKAGE_FIELDS if request.get(name) != told.before.get(name)]
        if not changed:
            return None
        detail["UpdatedModelPackageFields"] = changed
    return detail


def _model_card(told: Told) -> Members:
    """Not its content, which may be large: the samples have none."""
    said = _texts(_noun("registry.model_card:ModelCard").description_of(told.context, told.record))
    detail = {name: value for name, value in said.items() if name not in ("Content", "ModelCardArn")}
    return {**detail, "AccountId": told.record.account}


def _execution(told: Told) -> Members:
    record, change = told.record, told.change
    ended = record.state.get("ended_at")
    detail = {
        "pipelineExecutionDisplayName": record.request.get("PipelineExecutionDisplayName"),
        "currentPipelineExecutionStatus": change.status,
        "previousPipelineExecutionStatus": change.before or None,
        "executionStartTime": to_iso(from_epoch(record.created_at)),
        "executionEndTime": None if ended is None else to_iso(from_epoch(ended)),
        "pipelineExecutionDescription": record.request.get("PipelineExecutionDescription"),
        "pipelineArn": record.request["PipelineArn"],
        "pipelineExecutionArn": record.arn,
    }
    return {name: value for name, value in detail.items() if value is not None}


def _step(told: Told) -> Members:
    record, state = told.record, told.record.state
    ended, hit = state.get("ended_at"), state.get("cache_hit")
    detail = {
        "metadata": _small(state.get("metadata") or {}),
        "stepStartTime": to_iso(from_epoch(state["started_at"])),
        "stepEndTime": None if ended is None else to_iso(from_epoch(ended)),
        "stepName": record.request["StepName"],
        "stepType": record.request["StepType"],
        "previousStepStatus": told.change.before or None,
        "currentStepStatus": told.change.status,
        "failureReason": state.get("failure_reason"),
        "cacheHitResult": None if not hit else {"sourcePipelineExecutionArn": hit},
        "pipelineArn": record.request["PipelineArn"],
        "pipelineExecutionArn": record.request["PipelineExecutionArn"],
    }
    return {name: value for name, value in detail.items() if value is not None}


def _small(value: Any) -> Any:
    """Members' names with a small first letter, as pipelines' events have them."""
    if isinstance(value, Mapping):
        return {name[:1].lower() + name[1:]: _small(each) for name, each in value.items()}
    return [_small(each) for each in value] if isinstance(value, list) else value


def _of_pipeline(record: Record) -> list[str]:
    return [record.request["PipelineArn"], record.request.get("PipelineExecutionArn", record.arn)]


def _job(detail_type: str, place: str, mark: Callable[[Change], tuple[Any, ...] | None] = _status) -> Announced:
    return Announced(f"SageMaker {detail_type} State Change", mark, _described(place))


ANNOUNCED: Final[Mapping[str, Announced]] = {
    "sagemaker/TrainingJob": _job("Training Job", "training.training_job:TrainingJob", _secondary_status),
    "sagemaker/ProcessingJob": _job("Processing Job", "processing.processing_job:ProcessingJob"),
    "sagemaker/TransformJob": _job("Transform Job", "training.transform_job:TransformJob"),
    "sagemaker/HyperParameterTuningJob": _job(
        "HyperParameter Tuning Job", "tuning.hyper_parameter_tuning_job:HyperParameterTuningJob"
    ),
    "sagemaker/Model": _job("Model", "hosting.model:Model", _existence),
    "sagemaker/EndpointConfig": _job("Endpoint Config", "hosting.endpoint_config:EndpointConfig", _existence),
    "sagemaker/Endpoint": Announced("SageMaker Endpoint State Change", _status, _endpoint),
    "sagemaker/ModelPackage": Announced("SageMaker Model Package State Change", _status_or_request, _model_package),
    "sagemaker/ModelCard": Announced("SageMaker Model Card State Change", _state, _model_card),
    EXECUTION: Announced(
        "SageMaker Model Building Pipeline Execution Status Change", _status, _execution, _of_pipeline
    ),
    STEP: Announced("SageMaker Model Building Pipeline Execution Step Status Change", _status, _step, _of_pipeline),
}
"""By the kind of record."""

ANNOUNCED_BESIDE: Final[Mapping[str, Announced]] = {
    "sagemaker/Endpoint": Announced("SageMaker Endpoint Deployment State Change", _deployment, _endpoint),
}
"""The same, for what has events of two types."""
