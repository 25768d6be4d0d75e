"""What others may know of a job: its record's status, and a document beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cloche.engines.transform.machine import State
from cloche.jobs.ending import INTERNAL
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Item
from cloche.storage.metadata import records


@dataclass(frozen=True, slots=True)
class TransformState:
    """Times are seconds since 1970."""

    status: str
    started_at: float | None
    """When a place was taken."""
    ended_at: float | None
    failure_reason: str | None


def publish(tx: sqlite3.Connection, item: Item) -> None:
    """In the transaction in which ``item`` entered its state."""
    history = rows.transitions(tx, item.id)
    state = State[item.state]
    failed = state is State.Failed
    document = TransformState(
        status=state.status,
        started_at=next((step.at for step in history if step.state == State.Starting.name), None),
        ended_at=item.ended_at,
        failure_reason=(item.data.get("failure_reason") or f"{INTERNAL} ({item.message})") if failed else None,
    )
    records.set_status(tx, item.id, state.status, item.entered_at, state=asdict(document))


def from_document(document: Mapping[str, Any]) -> TransformState:
    """The state as published in a record."""
    return TransformState(**document)
