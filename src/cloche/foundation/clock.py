"""The one source of time in Cloche. Aware, UTC. Everything that waits, expires or is dated asks here.

Cloche's time may be turned (``TurnableClock``): frozen, set, let pass in a moment. So there are two times, and each
question has one that answers it. ``time`` dates what users see and decides what falls due: schedules, expiry,
retention, alarm periods, simulated waiting. ``real`` is the machine's own: signatures are checked against it, and
whatever waits for a real process, which goes on while Cloche's time stands still.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment by Cloche's clock, aware, in UTC."""
        ...

    def time(self) -> float:
        """The same as seconds since 1970."""
        ...

    def real(self) -> float:
        """The present moment by the machine's clock, in seconds since 1970. Nobody turns it."""
        ...

    def when_turned(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever somebody turned the clock, in his thread: for who sleeps until some time."""
        ...


class SystemClock:
    """The machine's clock, which nobody turns."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def time(self) -> float:
        return time.time()

    def real(self) -> float:
        return time.time()

    def when_turned(self, callback: Callable[[], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Setting:
    """How Cloche's time follows from the machine's: so many seconds ahead of it (or behind), or standing still."""

    ahead_seconds: float = 0.0
    stands_at: float | None = None


class TurnableClock:
    """``keep`` makes a setting durable: it is called before anything is dated by it."""

    def __init__(self, setting: Setting | None = None, keep: Callable[[Setting], None] = lambda _: None) -> None:
        self._setting = setting or Setting()
        self._keep = keep
        self._turned: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def time(self) -> float:
        setting = self._setting
        return time.time() + setting.ahead_seconds if setting.stands_at is None else setting.stands_at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def real(self) -> float:
        return time.time()

    def when_turned(self, callback: Callable[[], None]) -> None:
        self._turned.append(callback)

    @property
    def setting(self) -> Setting:
        return self._setting

    def freeze(self, at: float | None = None, *, goes_on: bool = False) -> None:
        """Stand still at ``at`` (seconds since 1970), or where it is. With ``goes_on`` only for this process: the next
        one finds a clock that runs on from there."""
        with self._lock:
            stands_at = self.time() if at is None else at
            self._keep(Setting(stands_at - time.time()) if goes_on else Setting(stands_at=stands_at))
            self._setting = Setting(stands_at=stands_at)
        self._tell()

    def resume(self, at: float | None = None) -> None:
        """Run on from ``at``, or from where it is, a second each second."""
        with self._lock:
            setting = Setting((self.time() if at is None else at) - time.time())
            self._keep(setting)
            self._setting = setting
        self._tell()

    def _tell(self) -> None:
        for callback in self._turned:
            callback()


def from_epoch(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def to_iso(at: datetime) -> str:
    """``2026-11-25T15:00:00Z``, the form AWS prints in XML and texts."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
