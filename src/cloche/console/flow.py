"""The newest deliveries of events, remembered from the server's start, and when schedules occur next.

Apart from the pages, as ``recent`` is: it must listen before anybody opens one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from cloche.foundation.bus import Bus, EventDelivered

KEPT: Final = 200


class Flow:
    """``occurs_next``: of a rule's or a schedule's ARN, in seconds since 1970."""

    def __init__(self, bus: Bus, occurs_next: Callable[[str], float | None]) -> None:
        self.occurs_next = occurs_next
        self._kept: deque[EventDelivered] = deque(maxlen=KEPT)
        bus.listen(EventDelivered, self._kept.append)

    def newest(self, count: int) -> list[EventDelivered]:
        """The last deliveries, newest first."""
        return list(self._kept)[: -count - 1 : -1]
