"""What a pipe does with the messages it has taken: which it keeps, what it makes of them, whom they go to. Pure.

docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-filtering.html, eb-pipes-input-transformation.html and
eb-pipes-event-target.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloche.engines.events import transform
from cloche.engines.events.pattern import Pattern, compile_pattern
from cloche.foundation.errors import Invalid
from cloche.storage.metadata.records import Record

BATCH_DEFAULT: Final = 10
_VARIABLE: Final = re.compile(r"<(\$[^<>]{0,256}|aws\.pipes\.[a-z.-]{1,64})>")
_OWN: Final = ("pipe-arn", "pipe-name", "source-arn", "enrichment-arn", "target-arn")
_OWN_OF_EVENT: Final = ("aws.pipes.event", "aws.pipes.event.json", "aws.pipes.event.ingestion-time")


@dataclass(frozen=True, slots=True)
class PipePlan:
    """A pipe as it is to run. Raises ``Invalid`` in ``of`` for one that cannot."""

    record: Record
    filters: tuple[Pattern, ...]
    batch_size: int
    window_seconds: int

    @classmethod
    def of(cls, record: Record) -> PipePlan:
        parameters = record.request.get("SourceParameters") or {}
        criteria = (parameters.get("FilterCriteria") or {}).get("Filters") or []
        of_queue = parameters.get("SqsQueueParameters") or {}
        return cls(
            record,
            tuple(compile_pattern(each["Pattern"]) for each in criteria if each.get("Pattern")),
            of_queue.get("BatchSize") or BATCH_DEFAULT,
            of_queue.get("MaximumBatchingWindowInSeconds") or 0,
        )

    @property
    def target(self) -> str:
        return str(self.record.request["Target"])

    @property
    def enrichment(self) -> str:
        return str(self.record.request.get("Enrichment") or "")

    @property
    def waits_for_function(self) -> bool:
        """Is the target a function whose answer says what has been handled?"""
        parameters = self._parameters("TargetParameters").get("LambdaFunctionParameters") or {}
        return is_function(self.target) and parameters.get("InvocationType") != "FIRE_AND_FORGET"

    def keeps(self, message: Mapping[str, Any]) -> bool:
        view = seen(message)
        return not self.filters or any(each.matches(view) for each in self.filters)

    def for_enrichment(self, event: Any, ingested: str) -> str:
        return self._shaped(self._parameters("EnrichmentParameters").get("InputTemplate"), event, ingested)

    def for_target(self, event: Any, ingested: str) -> str:
        return self._shaped(self._parameters("TargetParameters").get("InputTemplate"), event, ingested)

    def address(self, event: Any) -> dict[str, Any]:
        """The target, with the parameters that this event makes of the pipe's own."""
        said, view = self._parameters("TargetParameters"), seen(event)
        address: dict[str, Any] = {"Arn": self.target, "RoleArn": self.record.request["RoleArn"]}
        service = self.target.split(":")[2]
        if service == "sqs":
            address["SqsParameters"] = _dynamic(said.get("SqsQueueParameters") or {}, view)
        elif service == "events":
            named = {"Source": f"Pipe {self.record.name}", "DetailType": "Event from aws:sqs"}
            address["EventBridgeParameters"] = {
                **named,
                **_dynamic(said.get("EventBridgeEventBusParameters") or {}, view),
            }
        elif service == "sagemaker":
            address["SageMakerPipelineParameters"] = said.get("SageMakerPipelineParameters") or {}
        elif service == "logs":
            address |= _dynamic(said.get("CloudWatchLogsParameters") or {}, view)
        return address

    def _parameters(self, name: str) -> Mapping[str, Any]:
        return self.record.request.get(name) or {}

    def _shaped(self, template: str | None, event: Any, ingested: str) -> str:
        if not template:
            return event if isinstance(event, str) else transform.dumps(event)
        view, request = seen(event), self.record.request
        own = dict(zip(_OWN, (self.record.arn, self.record.name, *self._arns(request)), strict=True))

        def value_of(name: str) -> Any:
            if name.startswith("$"):
                return view if name == "$" else transform.at_path(view, name)
            if name == "aws.pipes.event.ingestion-time":
                return ingested
            return view if name in _OWN_OF_EVENT else own[name.removeprefix("aws.pipes.")]

        return transform.fill(template, value_of, _VARIABLE)

    def _arns(self, request: Mapping[str, Any]) -> tuple[str, str, str]:
        return request["Source"], self.enrichment, self.target


def is_function(arn: str) -> bool:
    return arn.startswith("arn:aws:lambda:")


def require_template(template: str | None) -> None:
    """Raises ``Invalid``."""
    for name in _VARIABLE.findall(template or ""):
        if name.startswith("$"):
            transform.steps_of(name)
        elif name not in _OWN_OF_EVENT and name.removeprefix("aws.pipes.") not in _OWN:
            raise Invalid(f"InputTemplate has an unknown variable: <{name}>.")


def seen(event: Any) -> Any:
    """What filters and paths see of an event: a body that is JSON is read."""
    if not isinstance(event, Mapping) or not isinstance(event.get("body"), str):
        return event
    try:
        return {**event, "body": json.loads(event["body"])}
    except (ValueError, RecursionError):
        return event


def listed(texts: Sequence[str]) -> bytes:
    """One document of several events. A text that is no JSON is a text in it."""
    return f"[{','.join(text if _is_json(text) else transform.dumps(text) for text in texts)}]".encode()


def answered(payload: bytes) -> list[Any]:
    """The events that an enrichment made; none for an empty answer, which ends it."""
    try:
        answer = json.loads(payload or b"null")
    except (ValueError, RecursionError):
        raise Invalid("The enrichment's answer is not JSON.") from None
    return [each for each in (answer if isinstance(answer, list) else [answer]) if each not in (None, "", {}, [])]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _dynamic(said: Mapping[str, Any], view: Any) -> dict[str, Any]:
    return {
        name: [transform.dynamic(each, view) for each in value]
        if isinstance(value, list)
        else transform.dynamic(value, view)
        for name, value in said.items()
    }
