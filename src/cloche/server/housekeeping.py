"""What has outlived its retention is removed now and then, by Cloche's clock, in a thread that is otherwise asleep.

What is past its time is already not shown; but S3 tells of an object that a rule expired, so the moment must not depend
on when the server was started: the same script has the same events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from cloche.foundation.clock import Clock
from cloche.foundation.woken import Woken

log = logging.getLogger(__name__)

FIRST_SECONDS: Final = 60.0
EVERY_SECONDS: Final = 6 * 3600.0
LOOK_SECONDS_MAX: Final = 60.0


class Housekeeping:
    """Runs each of ``chores`` a minute after ``start``, then at 0, 6, 12 and 18 o'clock (UTC); one that fails does not
    stop others."""

    def __init__(self, chores: Sequence[Callable[[], object]], clock: Clock, first: float = FIRST_SECONDS) -> None:
        self._chores = chores
        self._clock = clock
        self._next_at = clock.time() + first
        self._thread = Woken("housekeeping", self._look, self._pause)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns once a chore in progress is done. Safe if it was never started."""
        self._thread.stop()

    def next_at(self) -> float:
        """When it is due, in Cloche's time: in the past until it is done."""
        return self._next_at

    def wake(self) -> None:
        self._thread.wake()

    def _pause(self) -> float:
        return min(max(self._next_at - self._clock.time(), 0.0), LOOK_SECONDS_MAX)

    def _look(self) -> None:
        if self._clock.time() < self._next_at:
            return
        for chore in self._chores:
            try:
                chore()
            except Exception:
                log.exception("housekeeping failed")
        self._next_at = (self._clock.time() // EVERY_SECONDS + 1) * EVERY_SECONDS
