"""Schedule expressions of AWS, ``rate(5 minutes)``, ``cron(0 9 ? * MON-FRI *)`` and ``at(2026-11-26T09:00:00)``, and
the moment each falls due next.

A rate counts seconds from a start: a day is 24 hours whatever the clocks on the wall do. The other two name times on a
wall, so they need a time zone. A time that the wall clock leaps over is skipped, and one that it shows twice falls due
the first time only: among the moments of the wall's times (``fold=0``) the later one on the wall is the later one in
the world, so that the next one is found by walking up the fields without looking back.

docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html (all three, and daylight saving time) and
docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html (the fields and what they may hold).
"""

from __future__ import annotations

import calendar
import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from cloche.foundation.errors import Invalid

YEARS: Final = (1970, 2199)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_MONTHS: Final = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS: Final = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_STEPS_MAX: Final = {"Minutes": 59, "Hours": 24, "Day-of-month": 31, "Month": 12, "Day-of-week": 7, "Year": 230}
"""``*/60`` is refused (aws/aws-sdk-js#4212); a monitoring schedule may say ``0/24`` of hours
(docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-schedule-expression.html)."""
_SECONDS: Final = {"minute": 60, "hour": 3_600, "day": 86_400}
_RATE: Final = re.compile(r"rate\(\s*([0-9]{1,9})\s+(minute|hour|day)(s?)\s*\)")
_CRON: Final = re.compile(r"cron\(\s*([^()]*?)\s*\)")
_AT: Final = re.compile(r"at\(\s*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\s*\)")
_PART: Final = re.compile(r"(?:(\*)|([0-9]{1,4}|[A-Z]{3})(?:-([0-9]{1,4}|[A-Z]{3}))?)(?:/([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many seconds, the first time at the start."""

    seconds: int
    is_spoken: bool
    """Is the unit in the number of its value: ``1 minute``, ``5 minutes``? Some services insist."""

    def next_after(self, moment: float, *, start: float, zone: tzinfo = UTC) -> float | None:
        if moment < start:
            return start
        found = start + (math.floor((moment - start) / self.seconds) + 1) * self.seconds
        if found <= moment:  # where the division was rounded
            found += self.seconds
        return found if found < _END else None


@dataclass(frozen=True, slots=True)
class At:
    """Once, at a time on the wall."""

    wall: datetime

    def next_after(self, moment: float, *, start: float, zone: tzinfo = UTC) -> float | None:
        found = _moment(self.wall, zone)
        return found if found is not None and found > moment else None


@dataclass(frozen=True, slots=True)
class Cron:
    """At the times on the wall that fit all fields. Of the two fields of days one is empty: it was ``?``."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days_of_month: tuple[int, ...]
    months: tuple[int, ...]
    days_of_week: tuple[int, ...]
    years: tuple[int, ...]
    which: str = ""
    """What else the field of days says: ``L``, ``LW`` and ``W`` (of the month); ``L`` and ``#2`` (of the week)."""

    def next_after(self, moment: float, *, start: float, zone: tzinfo = UTC) -> float | None:
        if moment >= _END:
            return None
        wall = (_EPOCH + timedelta(seconds=max(moment, 0.0))).astimezone(zone).replace(tzinfo=None)
        for each in self._walls(wall):
            found = _moment(each, zone)
            if found is not None and found > moment:
                return found
        return None

    def fits(self, wall: datetime) -> bool:
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.month in self.months
            and wall.year in self.years
            and wall.day in self._days(wall.year, wall.month)
        )

    def _walls(self, first: datetime) -> Iterator[datetime]:
        """From the minute of ``first`` on, upwards. Each field starts anew once one above it has moved."""
        for year in _from(self.years, first.year):
            at_year = year == first.year
            for month in _from(self.months, first.month if at_year else 0):
                at_month = at_year and month == first.month
                for day in _from(self._days(year, month), first.day if at_month else 0):
                    at_day = at_month and day == first.day
                    for hour in _from(self.hours, first.hour if at_day else 0):
                        for minute in _from(self.minutes, first.minute if at_day and hour == first.hour else 0):
                            yield datetime(year, month, day, hour, minute)  # noqa: DTZ001 - a time on a wall

    def _days(self, year: int, month: int) -> tuple[int, ...]:
        count = calendar.monthrange(year, month)[1]
        if self.days_of_week:
            return self._weekdays(year, month, count)
        if self.which == "L":
            return (count,)
        if self.which:
            return _nearest_weekday(year, month, count, count if self.which == "LW" else self.days_of_month[0])
        return tuple(day for day in self.days_of_month if day <= count)

    def _weekdays(self, year: int, month: int, count: int) -> tuple[int, ...]:
        first = (calendar.weekday(year, month, 1) + 1) % 7 + 1  # Sunday is 1
        found = [day for day in range(1, count + 1) if (first + day - 2) % 7 + 1 in self.days_of_week]
        if self.which == "L":
            return (found[-1],)
        if self.which:
            return tuple(found[int(self.which[1:]) - 1 :][:1])
        return tuple(found)


Schedule = Rate | Cron | At


def parse(text: str) -> Schedule:
    """Raises ``Invalid``, which says what is wrong with it."""
    if found := _RATE.fullmatch(text):
        value = int(found[1])
        if value == 0:
            raise Invalid("The value of a rate must be a positive number.")
        return Rate(value * _SECONDS[found[2]], (value == 1) == (found[3] == ""))
    if found := _AT.fullmatch(text):
        try:
            wall = datetime.fromisoformat(found[1])
        except ValueError:
            raise Invalid(f"{found[1]} is not a date and time.") from None
        if not YEARS[0] < wall.year <= YEARS[1]:  # so that it is one in every time zone
            raise Invalid(f"The year must be between {YEARS[0]} and {YEARS[1]}.")
        return At(wall)
    if found := _CRON.fullmatch(text):
        return _cron(found[1].upper().split())
    raise Invalid("It is none of rate(value unit), cron(fields) and at(yyyy-mm-ddThh:mm:ss).")


def _cron(fields: list[str]) -> Cron:
    if len(fields) != 6:
        raise Invalid(f"A cron expression has six fields, not {len(fields)}.")
    minutes, hours, of_month, months, of_week, years = fields
    if (of_month == "?") == (of_week == "?"):
        raise Invalid("One of Day-of-month and Day-of-week must be ?, and the other must not.")
    days, which = ((), "") if of_month == "?" else _days_of_month(of_month)
    weekdays, which = ((), which) if of_week == "?" else _days_of_week(of_week)
    return Cron(
        _values("Minutes", minutes, 0, 59),
        _values("Hours", hours, 0, 23),
        days,
        _values("Month", months, 1, 12, _MONTHS),
        weekdays,
        _values("Year", years, *YEARS),
        which,
    )


def _days_of_month(text: str) -> tuple[tuple[int, ...], str]:
    if text in ("L", "LW"):
        return (), text
    if text.endswith("W"):
        return (_value("Day-of-month", text[:-1], 1, 31, {}),), "W"
    return _values("Day-of-month", text, 1, 31), ""


def _days_of_week(text: str) -> tuple[tuple[int, ...], str]:
    name = "Day-of-week"
    if text == "L":
        return (7,), ""
    if "#" in text:
        day, _, number = text.partition("#")
        return (_value(name, day, 1, 7, _WEEKDAYS),), f"#{_value(name, number, 1, 5, {})}"
    if text.endswith("L"):
        return (_value(name, text[:-1], 1, 7, _WEEKDAYS),), "L"
    return _values(name, text, 1, 7, _WEEKDAYS), ""


def _values(name: str, text: str, low: int, high: int, names: dict[str, int] | None = None) -> tuple[int, ...]:
    """Of a list of values, ranges and steps. A range of what comes round again may go round its end: ``FRI-MON``."""
    found: set[int] = set()
    for part in text.split(","):
        read = _PART.fullmatch(part)
        if read is None:
            raise Invalid(f"{name} cannot be read: {part}")
        first = low if read[1] else _value(name, read[2], low, high, names or {})
        last = _value(name, read[3], low, high, names or {}) if read[3] else high if read[1] or read[4] else first
        step = int(read[4] or 1)
        if not 1 <= step <= _STEPS_MAX[name]:
            raise Invalid(f"{name} cannot go in steps of {step}.")
        if last < first and name == "Year":
            raise Invalid(f"{name} cannot be read: {part}")
        around = high - low + 1
        found |= {low + (at - low) % around for at in range(first, last + (around if last < first else 0) + 1, step)}
    return tuple(sorted(found))


def _value(name: str, text: str, low: int, high: int, names: dict[str, int]) -> int:
    value = names.get(text, int(text) if text.isascii() and text.isdigit() else -1)
    if not low <= value <= high:
        raise Invalid(f"{name} must be between {low} and {high}, not {text}.")
    return value


def _from(values: tuple[int, ...], first: int) -> tuple[int, ...]:
    return values[bisect_left(values, first) :]


def _nearest_weekday(year: int, month: int, count: int, day: int) -> tuple[int, ...]:
    """Of the same month; none where the month has no such day."""
    if day > count:
        return ()
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return (day + 2 if day == 1 else day - 1,)
    if weekday == calendar.SUNDAY:
        return (day - 2 if day == count else day + 1,)
    return (day,)


def _moment(wall: datetime, zone: tzinfo) -> float | None:
    """Of a time on the wall; ``None`` where the wall never shows it."""
    there = wall.replace(tzinfo=zone, fold=0)
    moment = (there.astimezone(UTC) - _EPOCH).total_seconds()
    shown = (_EPOCH + timedelta(seconds=moment)).astimezone(zone)
    return moment if shown.replace(tzinfo=None, fold=0) == wall else None
