"""What falls due by Cloche's clock, in order: how schedules are kept, and how a month can pass in minutes.

A part that has something to do at a time enters itself: ``next_at`` tells the earliest moment, ``run`` does what is due
then. One thread sleeps until the earliest of all. Parts with threads of their own are watched instead: they are woken
when the clock has moved, and say whether they are at work.

``advance`` lets time pass as it would have: the clock stands still until nobody is at work (jobs under way, deliveries,
whatever these set off), then moves to the next moment at which something falls due, never past it. So a month of hourly
monitors comes in the order of a month, each hour's work done before the next hour begins.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cloche.foundation.clock import TurnableClock
from cloche.foundation.errors import Conflict, Invalid

log = logging.getLogger(__name__)

YEARS_MAX: Final = 50 * 366 * 86_400.0
LOOK_SECONDS_MAX: Final = 30.0
BACK_OFF_SECONDS: Final = 1.0
QUIET_LOOKS: Final = 3
"""So many looks in a row must find nobody at work: work on its way from one part to another is at neither for a moment,
if they are asked in the wrong order."""
LOOK_PAUSE_SECONDS: Final = (0.001, 0.02)


@dataclass(slots=True)
class _Entry:
    name: str
    next_at: Callable[[], float | None]
    run: Callable[[float], None] | None = None
    wake: Callable[[], None] | None = None
    busy: Callable[[], bool] = lambda: False
    not_before: float = 0.0
    """By the monotonic clock: one that failed, or that did nothing, is left alone for a moment."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the clock stands, and where it is going. Times in seconds since 1970."""

    now: float
    real: float
    """The same moment by the machine's clock."""
    frozen: bool
    advancing_from: float | None = None
    advancing_to: float | None = None
    waits_for: tuple[str, ...] = ()

    @property
    def is_turned(self) -> bool:
        """Whether Cloche's time is another than the machine's, or will be in a moment."""
        return self.frozen or self.advancing_to is not None or abs(self.now - self.real) >= 1


@dataclass(slots=True)
class _Journey:
    begun_at: float
    to: float
    runs_on: bool
    waits_for: tuple[str, ...] = ()
    given_up: threading.Event = field(default_factory=threading.Event)


class Agenda:
    def __init__(self, clock: TurnableClock) -> None:
        self._clock = clock
        self._entries: list[_Entry] = []
        self._before_moving: list[Callable[[], None]] = []
        self._some = threading.Event()
        self._stopping = False
        self._running = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._journey: _Journey | None = None
        clock.when_turned(self.poke)

    # -- who takes part ----------------------------------------------------------------------------------

    def add(self, name: str, next_at: Callable[[], float | None], run: Callable[[float], None]) -> None:
        """``next_at``: the earliest moment something falls due (``None``: nothing does; the past: now). ``run(now)``
        does all that is due at ``now``, so that a repetition after a crash changes nothing, and hands long work on.
        What is due at the same moment is run in the order of ``add``."""
        self._entries.append(_Entry(name, next_at, run=run))

    def watch(
        self, name: str, next_at: Callable[[], float | None], wake: Callable[[], None], busy: Callable[[], bool]
    ) -> None:
        """A part with threads of its own: ``wake`` tells it that the clock has moved; ``busy`` is whether it has begun
        what is due, or is about to, and time must wait for it."""
        self._entries.append(_Entry(name, next_at, wake=wake, busy=busy))

    def before_moving(self, call: Callable[[], None]) -> None:
        """Have ``call`` made when nobody is at work any more, before the clock leaves that moment: for what is counted
        and written now and then."""
        self._before_moving.append(call)

    def poke(self) -> None:
        """Something earlier may have come. From any thread."""
        self._some.set()

    # -- the thread --------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="agenda", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what runs. An advance under way ends where it is."""
        self._stopping = True
        self.give_up()
        self._some.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._some.wait(self._pause())
            self._some.clear()
            self._running = True
            try:
                while not self._stopping and self._run_due():
                    pass
            finally:
                self._running = False

    def _pause(self) -> float:
        now, pause, mono = self._clock.time(), LOOK_SECONDS_MAX, time.monotonic()
        frozen = self._clock.setting.stands_at is not None
        for entry in self._entries:
            due = self._due(entry) if entry.run is not None else None
            if due is None or (frozen and due > now):
                continue
            pause = min(pause, max(due - now, entry.not_before - mono, 0.0))
        return pause

    def _run_due(self) -> bool:
        """Run everybody whose moment has come, once; whether there was one."""
        now, ran = self._clock.time(), False
        for entry in self._entries:
            if entry.run is None or self._stopping or time.monotonic() < entry.not_before:
                continue
            due = self._due(entry)
            if due is None or due > now:
                continue
            ran = True
            try:
                entry.run(now)
            except Exception:
                log.exception("%s could not do what was due; it is tried again", entry.name)
                entry.not_before = time.monotonic() + BACK_OFF_SECONDS
                continue
            if self._due(entry) == due:
                entry.not_before = time.monotonic() + BACK_OFF_SECONDS
        return ran

    def _due(self, entry: _Entry) -> float | None:
        try:
            return entry.next_at()
        except Exception:
            log.exception("%s could not say what falls due", entry.name)
            return None

    # -- turning the clock -------------------------------------------------------------------------------

    def standing(self) -> Standing:
        journey, now, real = self._journey, self._clock.time(), self._clock.real()
        if journey is not None:
            return Standing(now, real, not journey.runs_on, journey.begun_at, journey.to, journey.waits_for)
        return Standing(now, real, self._clock.setting.stands_at is not None)

    def upcoming(self) -> list[tuple[str, float]]:
        """Who has something to do next and when (in seconds since 1970; the past: it is being done), in that order."""
        due = [(entry.name, at) for entry in self._entries if (at := self._due(entry)) is not None]
        return sorted(due, key=lambda each: each[1])

    def freeze(self) -> None:
        """Raises ``Conflict`` while an advance is under way."""
        with self._lock:
            self._require_no_journey()
            self._clock.freeze()

    def resume(self) -> None:
        """Raises ``Conflict`` while an advance is under way."""
        with self._lock:
            self._require_no_journey()
            self._clock.resume()

    def advance(self, to: float) -> threading.Thread:
        """Begin to let time pass until ``to`` (seconds since 1970); the thread ends with it, see ``standing``.

        Raises ``Invalid`` for a moment in the past or beyond 50 years, ``Conflict`` while another advance is under way.
        """
        with self._lock:
            self._require_no_journey()
            now = self._clock.time()
            if to < now:
                raise Invalid("the clock cannot be set back: what is kept would be dated after the present")
            if not to <= now + YEARS_MAX:
                raise Invalid("the clock is advanced by 50 years at most")
            journey = _Journey(now, to, self._clock.setting.stands_at is None)
            self._clock.freeze(goes_on=journey.runs_on)
            self._journey = journey
        thread = threading.Thread(target=self._travel, args=(journey,), name="advance", daemon=True)
        thread.start()
        return thread

    def give_up(self) -> None:
        """End the advance under way, if there is one, at the moment it has reached."""
        journey = self._journey
        if journey is not None:
            journey.given_up.set()

    def _require_no_journey(self) -> None:
        if self._journey is not None:
            raise Conflict("the clock is being advanced already")

    def _travel(self, journey: _Journey) -> None:
        try:
            while self._settled(journey):
                now = self._clock.time()
                for call in self._before_moving:
                    call()
                if now >= journey.to:
                    return
                moments = [at for entry in self._entries if (at := self._due(entry)) is not None and at > now]
                self._clock.freeze(min([*moments, journey.to]), goes_on=journey.runs_on)
                self._wake()
        except Exception:
            log.exception("the clock could not be advanced further")
        finally:
            with self._lock:
                if journey.runs_on:
                    self._clock.resume()
                self._journey = None
            self._wake()

    def _wake(self) -> None:
        for entry in self._entries:
            if entry.wake is not None:
                entry.wake()

    def _settled(self, journey: _Journey) -> bool:
        """Wait until nobody is at work at this moment; whether it came to that."""
        quiet, (pause, longest) = 0, LOOK_PAUSE_SECONDS
        while not journey.given_up.is_set():
            journey.waits_for = tuple(entry.name for entry in self._entries if self._at_work(entry))
            if journey.waits_for or self._running:
                quiet, pause = 0, min(pause * 1.5, longest)
            else:
                quiet += 1
                if quiet == QUIET_LOOKS:
                    return True
                pause = LOOK_PAUSE_SECONDS[0]
            journey.given_up.wait(pause)
        return False

    def _at_work(self, entry: _Entry) -> bool:
        due = self._due(entry)
        return (due is not None and due <= self._clock.time()) or entry.busy()
