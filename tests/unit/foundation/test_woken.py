"""A thread that is woken, or wakes by itself, survives its work's failures, and ends when told."""

from __future__ import annotations

import threading
import time

import pytest

from cloche.foundation.woken import Woken


def test_work_is_done_when_woken_and_once_more_when_woken_meanwhile() -> None:
    begun, go, calls = threading.Event(), threading.Event(), []

    def work() -> None:
        calls.append(None)
        begun.set()
        go.wait(10)

    woken = Woken("woken", work)
    woken.wake()  # before it was started
    woken.start()
    assert begun.wait(10)
    begun.clear()
    woken.wake()
    woken.wake()
    go.set()
    assert begun.wait(10)
    woken.stop()
    assert len(calls) == 2


def test_a_pause_that_is_over_wakes_it() -> None:
    done = threading.Event()
    woken = Woken("paused", done.set, lambda: 0.001)
    woken.start()
    assert done.wait(10)
    woken.stop()


def test_a_failure_is_told_and_tried_again(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloche.foundation.woken.AFTER_FAILURE_SECONDS", 0.001)
    done, calls = threading.Event(), []

    def work() -> None:
        calls.append(None)
        if len(calls) == 1:
            raise RuntimeError("no")
        done.set()

    woken = Woken("failing", work)
    woken.wake()
    woken.start()
    assert done.wait(10)
    woken.stop()
    assert "the work of failing failed" in caplog.text


def test_long_work_is_told_to_end_and_waited_for() -> None:
    begun, ended = threading.Event(), []

    def work() -> None:
        begun.set()
        while not woken.is_stopping:
            time.sleep(0.001)
        ended.append(None)

    woken = Woken("long", work)
    woken.wake()
    woken.start()
    assert begun.wait(10)
    woken.stop()
    assert ended
    Woken("never", work).stop()
