"""What others may know of a tuning job: its record's status, and a document beside it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from cloche.engines.tuning.machine import State
from cloche.engines.tuning.plan import Plan
from cloche.engines.tuning.progress import Counters, progress_of
from cloche.engines.tuning.trials import Trial, of_tuning
from cloche.lifecycle.machine import Item
from cloche.storage.metadata import records

INTERNAL: Final = "InternalServerError: We encountered an internal error. Please try again."
"""As for a training job (aws/sagemaker-python-sdk#2013)."""


@dataclass(frozen=True, slots=True)
class TuningState:
    """Kept as JSON in ``record.state``; times are seconds since 1970."""

    counters: Counters
    best: Mapping[str, Any] | None
    """A trial as ``trial_document`` tells it."""
    overall_best: Mapping[str, Any] | None
    """Of a warm start with the same data and algorithm: of its own trials and its parents'."""
    not_improving: int
    converged_at: float | None
    ended_at: float | None
    runtime_seconds: int
    failure_reason: str | None


def trial_document(plan: Plan, trial: Trial) -> dict[str, Any]:
    """All there is to tell of one trial."""
    definition = plan.definitions[trial.definition]
    return {
        "definition": definition.name,
        "name": trial.name,
        "arn": trial.arn,
        "chosen": trial.chosen,
        "status": trial.status or "InProgress",
        "objective": trial.objective if trial.succeeded else None,
        "metric": definition.objective.metric,
        "maximize": definition.objective.maximize,
        "objective_status": trial.objective_status,
        "created_at": trial.created_at,
        "started_at": trial.started_at,
        "ended_at": trial.ended_at,
        "reason": trial.reason,
    }


def publish(tx: sqlite3.Connection, item: Item, now: float) -> None:
    """In the transaction that changed the trials, or in which ``item`` entered its state."""
    plan = Plan.from_data(item.data["plan"])
    state = State[item.state]
    progress = progress_of(plan, of_tuning(tx, item.id))
    best = None if progress.best is None else trial_document(plan, progress.best)
    reason = None
    if state is State.Failed:
        reason = item.data.get("failure_reason") or f"{INTERNAL} ({item.message})"
    document = {
        "counters": asdict(progress.counters),
        "best": best,
        "overall_best": _overall(plan, best),
        "not_improving": progress.not_improving,
        "converged_at": progress.converged_at,
        "ended_at": item.ended_at,
        "runtime_seconds": math.ceil((item.ended_at or now) - item.created_at),
        "failure_reason": reason,
    }
    records.set_status(tx, item.id, state.status, now, state=document)


def from_document(document: Mapping[str, Any]) -> TuningState:
    return TuningState(**{**document, "counters": Counters(**document["counters"])})


def _overall(plan: Plan, best: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    parents = plan.parent_best
    if parents is None or best is None:
        return parents
    objective = plan.definitions[0].objective
    return best if objective.better(best["objective"], parents["objective"]) else parents
