"""The newest requests, remembered from the server's start: what the live list shows before anything is streamed.

Apart from the pages, and without Starlette or Jinja, because it must listen from the first request on while the pages
are made only when somebody opens them. What the console asks for itself does not pass the wire and is not in here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from cloche.foundation.bus import Bus, RequestServed

KEPT = 300


class Recent:
    """The last ``KEPT`` requests that were served, and whoever wants to hear of the next."""

    def __init__(self, bus: Bus) -> None:
        self._kept: deque[RequestServed] = deque(maxlen=KEPT)
        self._listener: Callable[[RequestServed], None] | None = None
        bus.listen(RequestServed, self._heard)

    def newest(self, count: int = KEPT) -> list[RequestServed]:
        """The last requests, newest first."""
        return list(self._kept)[: -count - 1 : -1]

    def tell(self, listener: Callable[[RequestServed], None]) -> None:
        """Call ``listener`` with every further request, on whatever thread served it."""
        self._listener = listener

    def _heard(self, served: RequestServed) -> None:
        self._kept.append(served)
        if self._listener is not None:
            self._listener(served)
