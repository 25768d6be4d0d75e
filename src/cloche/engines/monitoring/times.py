"""When a schedule's executions fall due, and which hours of data each looks at. Pure; times are seconds since 1970.

Expressions: docs.aws.amazon.com/sagemaker/latest/APIReference/API_ScheduleConfig.html. "Every 12 hours, starting at
5pm UTC: cron(0 17/12 ? * * *)" goes on past midnight there, and "daily_every_x_hours(10)" of the SDK begins anew each
midnight; both are true of hours counted for a day from the first one.

    slot ─ DELAY ─► the execution begins
    [slot - interval, slot)          the hours it looks at, unless offsets say otherwise

Offsets count from the slot: with ``-P8D`` and ``-P1D`` a job of 09T13:00 analyses 01T13:00 to 08T13:00
(docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-schedule.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cloche.foundation.errors import Invalid

HOUR: Final = 3600
DAY: Final = 24 * HOUR
NOW: Final = "NOW"
_CRON: Final = re.compile(r"cron\(0 (?:(?P<all>\*)|(?P<hour>\d{1,2})(?:/(?P<step>\d{1,2}))?) \? \* \* \*\)", re.ASCII)
_OFFSET: Final = re.compile(
    r"(?P<sign>[+-]?)P(?=.)(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,8})S)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """``hours`` of the day, UTC, at which executions fall due; empty for one that runs once, now."""

    hours: tuple[int, ...]

    @property
    def is_once(self) -> bool:
        return not self.hours

    def next_slot(self, after: float) -> float:
        """The first moment later than ``after``."""
        slot = (int(after) // HOUR + 1) * HOUR
        while self.hours and slot % DAY // HOUR not in self.hours:
            slot += HOUR
        return float(slot)

    def interval(self, slot: float) -> int:
        """Seconds from the moment before ``slot`` to it. One that runs once stands for an hour."""
        before = int(slot) - HOUR
        while self.hours and before % DAY // HOUR not in self.hours:
            before -= HOUR
        return int(slot) - before

    @property
    def shortest(self) -> int:
        """Seconds between two executions at least."""
        return min((self.interval(hour * HOUR) for hour in self.hours), default=DAY)


def parse_schedule(expression: str) -> Schedule:
    """Raises ``Invalid``."""
    if expression == NOW:
        return Schedule(())
    found = _CRON.fullmatch(expression)
    if found is not None and found["all"]:
        return Schedule(tuple(range(24)))
    if found is not None and int(found["hour"]) < 24:
        first, step = int(found["hour"]), int(found["step"] or 24)
        if 1 <= step <= 24:
            return Schedule(tuple(sorted({hour % 24 for hour in range(first, first + 24, step)})))
    raise Invalid(
        f"Invalid ScheduleExpression: {expression}. It must be cron(0 * ? * * *), cron(0 [00-23] ? * * *), "
        "cron(0 [00-23]/[01-24] ? * * *) or NOW.",
        field="ScheduleExpression",
    )


def parse_offset(text: str, member: str) -> float:
    """Seconds, negative or 0, of an ISO 8601 duration such as ``-PT5H``. Raises ``Invalid``."""
    found = _OFFSET.fullmatch(text)
    if found is not None and any(found[part] is not None for part in ("days", "hours", "minutes", "seconds")):
        parts = {name: int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds")}
        seconds = parts["days"] * DAY + parts["hours"] * HOUR + parts["minutes"] * 60 + parts["seconds"]
        if seconds == 0 or found["sign"] == "-":
            return -float(seconds)
    raise Invalid(f"{member} {text} is not an offset into the past such as -PT1H or -P1D.", field=member)


@dataclass(frozen=True, slots=True)
class Window:
    """Which data an execution looks at: from ``start`` up to ``end``."""

    slot: float
    start: float
    end: float

    @property
    def hours(self) -> list[int]:
        """The beginnings of the hours that it touches."""
        return list(range(int(self.start) // HOUR * HOUR, int(-(-self.end // 1)), HOUR))


def window_at(schedule: Schedule, slot: float, *, start: float | None = None, end: float | None = None) -> Window:
    """``start`` and ``end`` are offsets. Raises ``Invalid`` for a window that ends before it begins."""
    begins = slot - schedule.interval(slot) if start is None else slot + start
    ends = slot if end is None else slot + end
    if begins >= ends:
        raise Invalid("The start of the data to analyze must lie before its end.", field="StartTimeOffset")
    return Window(slot, begins, ends)
