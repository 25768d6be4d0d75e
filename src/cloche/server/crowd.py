"""How many connections a server holds, and who gives way to a newcomer when it holds no more.

Idle connections cost nobody anything until there are too many; then it would be a poor host that turned the next
guest away to keep empty chairs. So each newcomer beyond the limit takes the place of the connection that has waited
the longest without a request in flight: kept alive and idle, or still dribbling its first head (bytes of a head do not
count as progress). A request in flight is never ended for another. Only when every connection has one is a newcomer's
request answered with 503.

Joining the end of the queue and leaving it are two operations on a ``dict``, which keeps the order of arrival.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from time import monotonic
from typing import Any, Final, Protocol, runtime_checkable

log = logging.getLogger(__name__)
_SAID_EVERY_SECONDS: Final = 60.0
_SWEEP_SECONDS: Final = 5.0
_TRIES_MAX: Final = 32
"""How many clients that have not yet read their last answer are passed over for one newcomer."""


class Connection(Protocol):
    """What the crowd is made of."""

    def give_way(self) -> bool:
        """End now, unless the client is still to read something; whether it ended."""


@runtime_checkable
class Exchanging(Protocol):
    """A connection that carries requests and answers."""

    def end_if_stalled(self, now: float) -> None:
        """End it when its client has made no progress for too long; ``now`` is monotonic."""


class Crowd:
    def __init__(self, most: int) -> None:
        self.most = most
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._said_at = -_SAID_EVERY_SECONDS

    def enter(self, connection: Connection, everybody: set[Any]) -> None:
        """``connection`` stands; ``everybody`` are all that do, it among them."""
        self._waiting[connection] = None
        if len(everybody) > self.most:
            self._make_room(connection, everybody)

    def busy(self, connection: Connection) -> None:
        """A request of it is in flight now; or it has gone, or has become another protocol's."""
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """Its request is answered: from now on it waits for the next."""
        self._waiting[connection] = None
        self._waiting.move_to_end(connection)

    def _make_room(self, newcomer: Connection, everybody: set[Any]) -> None:
        for _ in range(_TRIES_MAX):
            longest = next(iter(self._waiting))
            if longest is newcomer:
                break
            if longest.give_way():
                del self._waiting[longest]
                everybody.discard(longest)
                break
            self._waiting.move_to_end(longest)
        if (now := monotonic()) - self._said_at > _SAID_EVERY_SECONDS:
            self._said_at = now
            log.warning("%d connections are open; those that wait longest are closed for newcomers", len(everybody))


async def watch(everybody: set[Any]) -> None:
    """End what has stalled, now and then, until cancelled."""
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        now = monotonic()
        for connection in tuple(everybody):
            if isinstance(connection, Exchanging):
                connection.end_if_stalled(now)
