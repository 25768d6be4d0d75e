"""What others may know of a job: its record's status, and a document beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from cloche.engines.processing.machine import State
from cloche.jobs.ending import INTERNAL
from cloche.lifecycle.machine import Item
from cloche.storage.metadata import records


@dataclass(frozen=True, slots=True)
class ProcessingState:
    """All of it is kept as JSON in ``record.state``; times are seconds since 1970."""

    status: str
    message: str
    """Where the job stands, for a person."""
    started_at: float | None = None
    """When its inputs were there and its process was started."""
    ended_at: float | None = None
    exit_message: str | None = None
    failure_reason: str | None = None


_MEMBERS = tuple(member.name for member in fields(ProcessingState))


def state_of(item: Item) -> ProcessingState:
    state = State[item.state]
    failed = state is State.Failed
    return ProcessingState(
        status=state.status,
        message=state.message if failed else item.message or state.message,
        started_at=item.data.get("started_at"),
        ended_at=item.ended_at,
        exit_message=item.data.get("exit_message"),
        failure_reason=(item.data.get("failure_reason") or f"{INTERNAL} ({item.message})") if failed else None,
    )


def publish(tx: sqlite3.Connection, item: Item) -> None:
    """In the transaction in which ``item`` entered its state."""
    state = state_of(item)
    document = {name: getattr(state, name) for name in _MEMBERS}
    records.set_status(tx, item.id, state.status, item.entered_at, state=document)


def from_document(status: str, document: Mapping[str, Any]) -> ProcessingState:
    """The state as published in a record."""
    return ProcessingState(**{**document, "status": status})
