"""A lifecycle as a table, and what one step of it may answer. No clock, no I/O, no AWS in here."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

BROKEN = "Broken"
"""The event when ``work`` failed again and again: our fault. Every active state must have a way out by it."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """``table`` maps (state, event) to the next state; what is not in it cannot happen."""

    kind: str
    initial: str
    table: Mapping[tuple[str, str], str]
    terminal: frozenset[str]
    standing: frozenset[str] = frozenset()
    """States in which a thing may stay for good, looked after but with nothing to come: an endpoint in service. Time
    that is made to pass does not wait for it."""

    def next(self, state: str, event: str) -> str | None:
        """The state that follows, or ``None`` where the event means nothing in this state."""
        return self.table.get((state, event))

    @property
    def states(self) -> frozenset[str]:
        return frozenset({self.initial, *(state for state, _ in self.table), *self.table.values()})

    @property
    def active(self) -> frozenset[str]:
        return self.states - self.terminal

    def flaws(self) -> list[str]:
        """What is wrong with the table itself (for its unit test): dead ends, ways out of an end, no way out."""
        found = [f"{state} is terminal but has {event}" for state, event in self.table if state in self.terminal]
        for state in sorted(self.active):
            if (state, BROKEN) not in self.table:
                found.append(f"{state} has no way out by {BROKEN}")
        return found


@dataclass(frozen=True, slots=True)
class Item:
    """A row as a driver sees it. ``data`` is the engine's own document (JSON), ``id`` usually the ARN."""

    id: str
    kind: str
    state: str
    data: Mapping[str, Any]
    message: str
    version: int
    created_at: float
    entered_at: float
    ended_at: float | None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened: look it up in the table, keep ``changes`` in the document, say ``message``. The state that
    is entered is worked on after ``rest_seconds``, or when woken: at once, unless there is nothing to do yet. With
    ``rest_until`` (seconds since 1970, Cloche's time) it rests until then."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    rest_seconds: float = 0.0
    rest_until: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing yet: look again after ``seconds``, and keep ``changes``.

    ``seconds`` are the machine's, for who waits for a process. ``until`` is a moment of Cloche's time, for who
    waits for time itself; whichever comes first. With neither the thing is looked at only when woken.
    """

    seconds: float | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    until: float | None = None


Outcome = Event | Wait


class Driver(Protocol):
    """What an engine brings for one kind of thing."""

    @property
    def lifecycle(self) -> Lifecycle: ...

    def work(self, item: Item) -> Outcome:
        """Do what ``item.state`` demands, outside any transaction, in a worker thread.

        It is called again after a crash, so what was done before must be found, not done twice. An exception is
        logged and the call repeated with back-off; after ``ATTEMPTS_MAX`` the event is ``Broken``.
        """
        ...

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        """``item`` has just entered ``item.state`` (also right after ``submit``), in the transaction that says
        so: the place to keep what must change with it, such as the record's status. No slow work here."""
        ...
