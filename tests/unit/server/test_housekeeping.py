"""Chores run, and one that fails does not keep the others from it."""

from __future__ import annotations

import threading

from cloche.foundation.clock import Setting, SystemClock, TurnableClock
from cloche.server.housekeeping import Housekeeping


def test_every_chore_runs_though_one_fails() -> None:
    done = threading.Event()

    def fails() -> None:
        raise OSError("disk full")

    house = Housekeeping([fails, done.set], SystemClock(), first=0.01)
    house.start()
    assert done.wait(10)
    house.stop()


def test_it_keeps_to_hours_of_the_day_whenever_it_began() -> None:
    clock, seen = TurnableClock(Setting(stands_at=12 * 86_400 + 12_345.0)), []
    done = threading.Event()

    def note() -> None:
        seen.append(clock.time())
        done.set()

    house = Housekeeping([note], clock)
    house.start()
    for _ in range(3):
        clock.freeze(house.next_at())
        house.wake()
        assert done.wait(10)
        done.clear()
        while house.next_at() <= clock.time():
            pass
    house.stop()
    assert seen == [12 * 86_400 + at for at in (12_405.0, 21_600.0, 43_200.0)]


def test_it_may_be_stopped_before_it_was_started() -> None:
    Housekeeping([], SystemClock()).stop()
