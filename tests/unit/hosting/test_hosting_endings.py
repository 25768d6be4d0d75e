"""What an instance's log says last, where its model server ended and nobody had asked it to."""

from __future__ import annotations

import signal

import pytest

from cloche.compute.runtime import Ended, Lost, Observation, Running
from cloche.engines.hosting.endings import last_words


def ended(cause: str, code: int | None = None, number: int | None = None, message: str = "") -> Ended:
    return Ended(cause, code, number, 0.0, 1.0, message=message)  # type: ignore[arg-type]


SAID: list[tuple[Observation | None, str]] = [
    (ended("exited", code=3), "The container ended with exit code 3."),
    (ended("exited", code=0), "The container ended with exit code 0."),
    (ended("exited", number=signal.SIGSEGV), "The container was ended by SIGSEGV."),
    (ended("exited", number=signal.SIGKILL), "The container was ended by SIGKILL, perhaps for want of memory."),
    (ended("not_started", message="no such file: serve"), "The container could not be started: no such file: serve"),
    (ended("limit_reached", message="Out of memory: 9 bytes"), "The container was ended: Out of memory: 9 bytes"),
    (ended("stopped", code=0), "The container answered no health checks any more and was stopped."),
    (Lost(0.0), "The container was killed together with the process that watched over it."),
    (Running(0.0, 1), ""),
    (None, ""),
]


@pytest.mark.parametrize(("observed", "words"), SAID, ids=lambda value: value if isinstance(value, str) else "")
def test_how_it_ended(observed: Observation | None, words: str) -> None:
    assert last_words(observed, is_unhealthy=True) == words


def test_what_was_asked_to_end_says_nothing() -> None:
    assert last_words(ended("stopped", code=0), is_unhealthy=False) == ""
