"""How many processes of jobs run at once, whatever their kind, and who is next."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Final

from cloche.lifecycle.reconciler import Reconciler

PLACES_MIN: Final = 2


def places_of_machine() -> int:
    return max(PLACES_MIN, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Queue:
    """What the states of one kind of job mean for places."""

    placed: frozenset[str]
    """In these a job holds a place."""
    waiting: frozenset[str]
    """In these it waits for one."""
    away: frozenset[str] = frozenset()
    """Of those who wait: they do not ask yet and hold up nobody."""


class Places:
    """Given in the order the jobs were created. What holds a place is read from the jobs' states; only those who
    were let in and have not entered the next state yet are remembered here."""

    def __init__(self, reconciler: Reconciler, count: int | None = None) -> None:
        self.count = count or places_of_machine()
        self._reconciler = reconciler
        self._queues: dict[str, Queue] = {}
        self._lock = threading.Lock()
        self._let_in: set[str] = set()

    def add(self, kind: str, queue: Queue) -> None:
        """Take on a kind of job. Before the reconciler starts."""
        self._queues[kind] = queue

    def let_in(self, arn: str) -> bool:
        with self._lock:
            active = self._reconciler.active(*self._queues)
            placed = {id for id, kind, state in active if state in self._queues[kind].placed}
            self._let_in &= {id for id, _, _ in active} - placed
            if arn in self._let_in:
                return True
            waiting = [
                id
                for id, kind, state in active
                if id not in placed and id not in self._let_in and (id == arn or state not in self._queues[kind].away)
            ]
            if arn not in waiting[: max(0, self.count - len(placed) - len(self._let_in))]:
                return False
            self._let_in.add(arn)
            return True

    def wake_next(self) -> None:
        """A place is free: have those looked at who are next."""
        active = self._reconciler.active(*self._queues)
        waiting = [id for id, kind, state in active if state in self._queues[kind].waiting]
        for arn in waiting[: self.count]:
            self._reconciler.wake(arn)
