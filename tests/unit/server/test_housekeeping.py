"""Chores run, and one that fails does not keep the others from it."""

from __future__ import annotations

import threading

from cloche.foundation.clock import SystemClock
from cloche.server.housekeeping import Housekeeping


def test_every_chore_runs_though_one_fails() -> None:
    done = threading.Event()

    def fails() -> None:
        raise OSError("disk full")

    house = Housekeeping([fails, done.set], SystemClock(), first=0.01)
    house.start()
    assert done.wait(10)
    house.stop()


def test_it_may_be_stopped_before_it_was_started() -> None:
    Housekeeping([], SystemClock()).stop()
