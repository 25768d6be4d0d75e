"""A reconciler without threads: it does what is to be done when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from cloche.lifecycle.reconciler import Reconciler


class ByHand(Executor):
    """In place of the pool of a reconciler that was not started."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._handed: list[tuple[str, str]] = []
        reconciler._pool, reconciler._is_running = self, True  # type: ignore[assignment]

    def submit(self, call: Callable[..., Any], /, *given: Any, **_: Any) -> Future[Any]:
        self._handed.append((given[0], given[1]))
        return Future()

    def work(self) -> None:
        """One look, and one step of whoever is due or was woken."""
        self._reconciler._database.submit(
            lambda tx: None
        ).result()  # by now whoever follows commits has heard of the last one
        self._reconciler._take()
        handed, self._handed = sorted(self._handed), []
        for id, lease in handed:
            self._reconciler._handle(id, lease)
