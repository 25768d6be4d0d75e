"""What others may know of a job: its record's status, and a document beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloche.engines.training import warm_pools
from cloche.engines.training.machine import LIFECYCLE, WAITING, State
from cloche.jobs.ending import INTERNAL
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Item
from cloche.storage.metadata import records


@dataclass(frozen=True, slots=True)
class Transition:
    status: str
    message: str
    started_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class TrainingState:
    """All of it is kept as JSON in ``record.state``; times are seconds since 1970."""

    status: str
    secondary_status: str
    transitions: tuple[Transition, ...]
    started_at: float | None
    """When a place was taken and the inputs were begun to be fetched."""
    ended_at: float | None
    billable_seconds: float
    """Of an ended job: how long it held a place, without what lay between an interruption and the next start."""
    metrics: tuple[tuple[str, float, float], ...]
    """(name, value, time), the last seen of each."""
    model_artifacts: str | None
    failure_reason: str | None


def state_of(item: Item, history: list[rows.Transition]) -> TrainingState:
    state = State[item.state]
    transitions = _transitions(history, state)
    failed = state is State.Failed
    return TrainingState(
        status=state.status,
        secondary_status=state.secondary_status,
        transitions=transitions,
        started_at=next((step.at for step in history if step.state == State.Downloading.name), None),
        ended_at=item.ended_at,
        billable_seconds=_billable_seconds(history),
        metrics=tuple((name, value, at) for name, value, at in item.data.get("metrics", ())),
        model_artifacts=item.data.get("model_artifacts"),
        failure_reason=(item.data.get("failure_reason") or f"{INTERNAL} ({item.message})") if failed else None,
    )


def _billable_seconds(history: list[rows.Transition]) -> float:
    total, since = 0.0, None
    for step in history:
        if step.state == State.Downloading.name and since is None:
            since = step.at
        elif since is not None and (step.state in WAITING or State[step.state].is_terminal):
            total, since = total + step.at - since, None
    return total


def _transitions(history: list[rows.Transition], state: State) -> tuple[Transition, ...]:
    """One entry for each stretch of one secondary status, with the last thing said in it, as AWS shows them. How a
    job failed belongs in the reason, not in the message of the transition."""
    shown: list[Transition] = []
    for step in history:
        entered = State[step.state]
        said = entered.message if entered is State.Failed else step.message or entered.message
        if shown and shown[-1].status == entered.secondary_status:
            shown[-1] = replace(shown[-1], message=said)
            continue
        if shown:
            shown[-1] = replace(shown[-1], ended_at=step.at)
        shown.append(Transition(entered.secondary_status, said, step.at, None))
    if state.is_terminal:
        shown[-1] = replace(shown[-1], ended_at=history[-1].at)
    return tuple(shown)


def publish(tx: sqlite3.Connection, item: Item) -> None:
    """In the transaction in which ``item`` entered its state."""
    state = state_of(item, rows.transitions(tx, item.id))
    document = {**to_document(state), "warm_pool": warm_pools.document(tx, item.id)}
    records.set_status(tx, item.id, state.status, item.entered_at, state=document)


def to_document(state: TrainingState) -> dict[str, Any]:
    return {
        "secondary_status": state.secondary_status,
        "transitions": [[step.status, step.message, step.started_at, step.ended_at] for step in state.transitions],
        "started_at": state.started_at,
        "ended_at": state.ended_at,
        "billable_seconds": state.billable_seconds,
        "metrics": [list(metric) for metric in state.metrics],
        "model_artifacts": state.model_artifacts,
        "failure_reason": state.failure_reason,
    }


def from_document(status: str, document: Mapping[str, Any]) -> TrainingState:
    """The state as published in a record."""
    return TrainingState(
        status=status,
        secondary_status=document["secondary_status"],
        transitions=tuple(Transition(*step) for step in document["transitions"]),
        started_at=document["started_at"],
        ended_at=document["ended_at"],
        billable_seconds=document.get("billable_seconds", 0.0),
        metrics=tuple((name, value, at) for name, value, at in document["metrics"]),
        model_artifacts=document["model_artifacts"],
        failure_reason=document["failure_reason"],
    )


assert all(name in State.__members__ for name in LIFECYCLE.states)
