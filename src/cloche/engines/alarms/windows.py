"""Periods that end at the moment of the evaluation, and when they would next hold something else. Pure.

CloudWatch evaluates an alarm every minute over periods that end with that minute, however long they are: "at the end
of minute 6, the alarm is evaluated based on the data from minutes 2 to 6"
(docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html). Nearly all of these evaluations look
at what the one before has seen. As all points are known here, so is the next moment at which one of them enters a
period or leaves it, and nothing is evaluated before: the outcome would be the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cloche.storage.metrics import Statistics

MINUTE: Final = 60
HIGH_RESOLUTION_SECONDS: Final = 10
HOUR: Final = 3600
DAY: Final = 86_400

Held = list[tuple[int, Statistics]]
"""(beginning, samples) of pieces of a minute, or of ten seconds."""


def interval(period: int, periods: int) -> int:
    """Seconds between evaluations (alarm-evaluation.html): 10 for short periods, an hour for alarms over days."""
    if period < MINUTE:
        return HIGH_RESOLUTION_SECONDS
    return HOUR if period * periods > DAY else MINUTE


def piece(period: int) -> int:
    """How finely points are read."""
    return HIGH_RESOLUTION_SECONDS if period < MINUTE else MINUTE


def gather(held: Iterable[tuple[int, Statistics]], end: int, period: int, count: int) -> list[Statistics | None]:
    """The samples of the ``count`` periods before ``end``, newest first."""
    found: list[Statistics | None] = [None] * count
    step = piece(period)
    for at, samples in held:
        place = (end - at - step) // period
        if at + step <= end and 0 <= place < count:
            whole = found[place]
            if whole is None:
                whole = found[place] = Statistics()
            whole.add(samples)
    return found


def next_change(beginnings: Iterable[int], end: int, period: int, count: int) -> int | None:
    """The first moment after ``end`` at which periods that end then hold other points; ``None``: never, as it is."""
    step = piece(period)
    best: int | None = None
    for at in beginnings:
        complete = at + step
        if complete > end:
            moves = complete
        else:
            place = (end - complete) // period
            if place >= count:
                continue
            moves = complete + (place + 1) * period
        if best is None or moves < best:
            best = moves
    return best


def upwards(moment: float, step: int) -> int:
    """The first multiple of ``step`` that is not before ``moment``."""
    return int(-(-moment // step) * step)
