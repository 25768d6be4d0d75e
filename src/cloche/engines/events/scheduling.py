"""What an occurrence of a schedule of the Scheduler causes: its target invoked, and its own end after the last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from cloche.engines.events.schedules import Occurrence, occurrence_id, scheduled_event
from cloche.foundation.clock import from_epoch, to_iso

SCHEDULE: Final = "scheduler/Schedule"
GROUP: Final = "scheduler/ScheduleGroup"


def target_of(occurrence: Occurrence) -> Mapping[str, Any]:
    """Without an input it is handed an event, whose detail is a text
    (docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html)."""
    target: dict[str, Any] = occurrence.record.request["Target"]
    if target.get("Input"):
        return target
    event = scheduled_event(occurrence.record, occurrence.at, "aws.scheduler", "{}")
    return {**target, "Input": orjson.dumps(event).decode()}


def context_of(occurrence: Occurrence) -> dict[str, Any]:
    """What ``<aws.scheduler.…>`` stands for in an input
    (docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html)."""
    arn = occurrence.record.arn
    return {
        "schedule-arn": arn,
        "scheduled-time": to_iso(from_epoch(occurrence.at)),
        "execution-id": occurrence_id(arn, occurrence.at).hex[:16],
    }


def is_over_after(occurrence: Occurrence) -> bool:
    return occurrence.is_last and occurrence.record.request.get("ActionAfterCompletion") == "DELETE"
