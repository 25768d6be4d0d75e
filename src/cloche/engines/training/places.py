"""How many training processes run at once, and who is next."""

from __future__ import annotations

import os
import threading
from typing import Final

from cloche.engines.training.machine import KIND, PLACED, WAITING, State
from cloche.lifecycle.reconciler import Reconciler

PLACES_MIN: Final = 2


def places_of_machine() -> int:
    return max(PLACES_MIN, os.cpu_count() or 1)


class Places:
    """Given in the order the jobs were created. What holds a place is read from the jobs' states; only those who
    were let in and have not entered the next state yet are remembered here. Interrupted jobs for which there is no
    capacity yet do not ask, and hold up nobody."""

    def __init__(self, reconciler: Reconciler, count: int) -> None:
        self.count = count
        self._reconciler = reconciler
        self._lock = threading.Lock()
        self._let_in: set[str] = set()

    def let_in(self, arn: str) -> bool:
        with self._lock:
            active = self._reconciler.active(KIND)
            self._let_in &= {id for id, state in active if state not in PLACED}
            taken = sum(state in PLACED for _, state in active) + len(self._let_in)
            waiting = [
                id
                for id, state in active
                if state not in PLACED and id not in self._let_in and (id == arn or state != State.Interrupted.name)
            ]
            if arn in self._let_in:
                return True
            if arn not in waiting[: max(0, self.count - taken)]:
                return False
            self._let_in.add(arn)
            return True

    def waiting(self) -> list[str]:
        """Those who wait, in the order they are next."""
        return [id for id, state in self._reconciler.active(KIND) if state in WAITING]
