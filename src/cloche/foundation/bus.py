"""In-process events: an engine tells, whoever cares listens. Nothing durable hangs on a listener.

What must happen exactly once is a row written in the same transaction as its cause; the bus is for those who
want to know soon (the console, a waiting request, CloudWatch publishing).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

log = logging.getLogger(__name__)
E = TypeVar("E")


class RequestServed(NamedTuple):
    """A request that has been answered (for the console's live list)."""

    at: float
    request_id: str
    service: str
    operation: str
    caller: str
    status: int
    code: str
    seconds: float
    passed_on: str = ""
    """The server that answered in Cloche's stead (``--fallback``)."""


@dataclass(frozen=True, slots=True)
class LifecycleChanged:
    """A long-running thing has entered ``state``."""

    at: float
    kind: str
    id: str
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class EventDelivered:
    """What came of an attempt to deliver an event of a bus, a schedule or a pipe (for the console's flow of events)."""

    at: float
    sender: str
    """The ARN of the rule, schedule or pipe."""
    target: str
    what: str
    outcome: str
    """``delivered``, ``failed`` (and tried again), ``given up`` or ``dead letter``."""
    message: str


class Bus:
    def __init__(self) -> None:
        self._listeners: dict[type, tuple[Callable[[Any], None], ...]] = {}
        """Replaced, never changed: who is being told of something is not disturbed."""

    def listen(self, event: type[E], listener: Callable[[E], None]) -> Callable[[], None]:
        """Call ``listener`` with each event of that type; the answer is a function that ends it."""
        self._listeners[event] = (*self._listeners.get(event, ()), listener)

        def end() -> None:
            left = list(self._listeners[event])
            left.remove(listener)
            self._listeners[event] = tuple(left)

        return end

    def tell(self, event: object) -> None:
        for listener in self._listeners.get(type(event), ()):
            try:
                listener(event)
            except Exception:
                log.exception("a listener to %s failed", type(event).__name__)
