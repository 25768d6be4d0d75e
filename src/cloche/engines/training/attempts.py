"""A job's runs: the first, and those after an interruption or a failure of ours.

Each run has a process, a folder and a log stream of its own; what they share are the job's checkpoints in S3 and its
limits. ``MaxRuntimeInSeconds`` counts the runs together, ``MaxWaitTimeInSeconds`` everything from the job's creation
(docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cloche.engines.training.plan import Plan
from cloche.foundation.ids import short_id
from cloche.jobs.ending import Ending
from cloche.lifecycle.machine import Item

MARK: Final = "training-"
"""Every process and folder of this engine begins so."""
OURS: Final = "InternalServerError"
"""How the reason of a failure begins that is retried (API_RetryStrategy)."""


def first_run(plan: Plan, now: float) -> dict[str, Any]:
    return {"process": _process(plan), "stream": _stream(plan, int(now))}


def next_run(item: Item, plan: Plan, now: float, *, ran_seconds: float, retried: bool = False) -> dict[str, Any]:
    """What changes in the job's document for another run."""
    last = int(item.data["stream"].rpartition("-")[2])
    return {
        "process": _process(plan),
        "stream": _stream(plan, max(int(now), last + 1)),
        "left": item.data["process"],
        "ending": None,
        "ran_seconds": item.data.get("ran_seconds", 0.0) + ran_seconds,
        "retries": item.data.get("retries", 0) + retried,
    }


def may_retry(item: Item, plan: Plan, failure_reason: str) -> bool:
    retries: int = item.data.get("retries", 0)
    return retries < plan.retries and failure_reason.startswith(OURS)


def limited(item: Item, plan: Plan, now: float) -> Plan:
    """The plan of the next run: with what is left of its limits, a second at least."""
    left = plan.max_runtime_seconds - item.data.get("ran_seconds", 0.0)
    if plan.max_wait_seconds is not None:
        left = min(left, waits_until(item, plan) - now)
    return replace(plan, max_runtime_seconds=max(1.0, left))


def waits_until(item: Item, plan: Plan) -> float:
    return item.created_at + (plan.max_wait_seconds if plan.max_wait_seconds is not None else float("inf"))


def has_waited_too_long(item: Item, plan: Plan, ending: Ending) -> bool:
    """Which of its limits a process that was ended for one has met."""
    left: float = plan.max_runtime_seconds - item.data.get("ran_seconds", 0.0)
    return waits_until(item, plan) < ending.started_at + left


def left_behind(data: Mapping[str, Any]) -> str | None:
    """The process of the run before this one."""
    left: str | None = data.get("left")
    return left


def _process(plan: Plan) -> str:
    return f"{MARK}{re.sub(r'[^A-Za-z0-9-]', '-', plan.name)}-{short_id()}"


def _stream(plan: Plan, at: int) -> str:
    return f"{plan.name}/algo-1-{at}"
