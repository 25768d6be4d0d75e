"""What scaling needs of others; ``server`` brings it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from cloche.engines.autoscaling.deciding import Reading
    from cloche.engines.autoscaling.dimensions import Dimension


class Capacity(NamedTuple):
    """Of a resource, as its service tells it."""

    current: int
    desired: int
    is_active: bool
    """Does it serve?"""
    is_scalable: bool
    """May it be given another capacity now?"""
    failure: str = ""


class Resources(Protocol):
    def read(self, connection: sqlite3.Connection, account: str, region: str, dimension: Dimension) -> Capacity | None:
        """``None``: it is not there."""
        ...

    def scale(self, account: str, region: str, role: str, dimension: Dimension, capacity: int) -> None:
        """Ask its service, as the role, for another capacity. From a worker thread. Raises ``Refused``."""
        ...


class AlarmBook(Protocol):
    """The alarms of CloudWatch."""

    def put(
        self, tx: sqlite3.Connection, account: str, region: str, name: str, request: dict[str, Any], now: float
    ) -> str:
        """Its ARN."""
        ...

    def remove(self, tx: sqlite3.Connection, arn: str, now: float) -> None:
        """Nothing happens where there is none."""
        ...

    def readings(self, arns: Sequence[str]) -> Mapping[str, Reading]:
        """Of the metric alarms of these that are there, now. Outside of any transaction."""
        ...
