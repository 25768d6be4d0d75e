"""What has outlived its retention is removed now and then, in a thread that is otherwise asleep.

Nothing depends on when: what is past its time is already not shown.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

log = logging.getLogger(__name__)

FIRST_SECONDS: Final = 60.0
EVERY_SECONDS: Final = 3600.0


class Housekeeping:
    """Runs each of ``chores`` a minute after ``start`` and then every hour; one that fails does not stop others."""

    def __init__(self, chores: Sequence[Callable[[], object]], first: float = FIRST_SECONDS) -> None:
        self._chores = chores
        self._first = first
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns once a chore in progress is done. Safe if it was never started."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        wait = self._first
        while not self._stop.wait(wait):
            wait = EVERY_SECONDS
            for chore in self._chores:
                try:
                    chore()
                except Exception:
                    log.exception("housekeeping failed")
