"""The one source of time in Cloche. Aware, UTC. Everything that waits, expires or is dated asks here."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    def time(self) -> float:
        """The same as seconds since 1970."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def time(self) -> float:
        return time.time()


def from_epoch(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def to_iso(at: datetime) -> str:
    """``2026-11-25T15:00:00Z``, the form AWS prints in XML and texts."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
