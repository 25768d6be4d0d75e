"""A thread that sleeps until somebody has work for it, or until something falls due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

AFTER_FAILURE_SECONDS: Final = 1.0


def _for_ever() -> float | None:
    return None


class Woken:
    """Calls ``work`` after each ``wake`` and after ``pause()`` seconds (``None``: only when woken), until ``stop``.

    ``work`` is called once more where it was woken meanwhile, never twice at once. What it raises is logged, and it is
    called again a second later.
    """

    def __init__(self, name: str, work: Callable[[], object], pause: Callable[[], float | None] = _for_ever) -> None:
        self._name, self._work, self._pause = name, work, pause
        self._some = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_stopping(self) -> bool:
        """For long work that ends early."""
        return self._ending.is_set()

    def wake(self) -> None:
        """From any thread, before ``start`` too."""
        self._some.set()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns once the work in progress is done. Safe if it was never started."""
        self._ending.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self.is_stopping:
            try:
                self._some.wait(self._pause())
                self._some.clear()
                if not self.is_stopping:
                    self._work()
            except Exception:
                log.exception("the work of %s failed; it is tried again", self._name)
                self._ending.wait(AFTER_FAILURE_SECONDS)
                self._some.set()
