"""When schedules fall due: AWS's documented examples, and what must hold of every expression in every time zone."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.foundation.errors import Invalid
from cloche.foundation.schedule_expression import Cron, Rate, parse

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")


def moment(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def following(expression: str, after: str, count: int, zone: str = "UTC") -> list[str]:
    """The next times on that zone's wall."""
    schedule, at, found = parse(expression), moment(after, zone), []
    for _ in range(count):
        due = schedule.next_after(at, start=0, zone=ZoneInfo(zone))
        if due is None:
            break
        found.append(datetime.fromtimestamp(due, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M"))
        at = due
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html, the table of examples
        ("cron(0 10 * * ? *)", ["2026-11-26 10:00", "2026-11-27 10:00"]),
        ("cron(15 12 * * ? *)", ["2026-11-26 12:15", "2026-11-27 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", ["2026-11-26 18:00", "2026-11-27 18:00", "2026-11-30 18:00"]),
        ("cron(0 8 1 * ? *)", ["2026-12-01 08:00", "2027-01-01 08:00"]),
        ("cron(0/15 * * * ? *)", ["2026-11-26 00:15", "2026-11-26 00:30"]),
        ("cron(0/10 * ? * MON-FRI *)", ["2026-11-26 00:10", "2026-11-26 00:20"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", ["2026-11-26 08:00", "2026-11-26 08:05"]),
        ("cron(0 9 ? * 2#1 *)", ["2026-12-07 09:00", "2027-01-04 09:00"]),
        ("cron(0/30 20-2 ? * MON-FRI *)", ["2026-11-26 00:30", "2026-11-26 01:00"]),
        # docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
        ("cron(15 10 ? * 6L 2026-2027)", ["2026-11-27 10:15", "2026-12-25 10:15", "2027-01-29 10:15"]),
        # docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-schedule-expression.html
        ("cron(0 * ? * * *)", ["2026-11-26 01:00", "2026-11-26 02:00"]),
        ("cron(0 17/12 ? * * *)", ["2026-11-26 17:00", "2026-11-27 17:00"]),
        ("cron(0 0/24 ? * * *)", ["2026-11-27 00:00", "2026-11-28 00:00"]),
        # accepted by AWS: localstack/localstack#13572
        ("cron(1-31/30 1-1 ? * 1,7 *)", ["2026-11-28 01:01", "2026-11-28 01:31", "2026-11-29 01:01"]),
        ("cron(0 0 L * ? *)", ["2026-11-30 00:00", "2026-12-31 00:00", "2027-01-31 00:00", "2027-02-28 00:00"]),
        ("cron(0 0 LW FEB ? *)", ["2027-02-26 00:00", "2028-02-29 00:00"]),
        ("cron(0 0 1W * ? 2027)", ["2027-01-01 00:00", "2027-02-01 00:00", "2027-03-01 00:00", "2027-04-01 00:00"]),
        ("cron(0 0 1W MAY ? *)", ["2027-05-03 00:00", "2028-05-01 00:00"]),  # a Saturday: not back into April
        ("cron(0 0 31W JAN ? *)", ["2027-01-29 00:00", "2028-01-31 00:00"]),  # a Sunday: not on into February
        ("cron(0 0 ? * L *)", ["2026-11-28 00:00", "2026-12-05 00:00"]),
        ("cron(0 0 ? * FRI#5 *)", ["2027-01-29 00:00", "2027-04-30 00:00"]),
        ("cron(0 0 29 2 ? *)", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("cron(0 0 30 2 ? *)", []),
        ("cron(0 0 1 1 ? 2020)", []),
        ("at(2026-11-26T00:00:01)", ["2026-11-26 00:00"]),
        ("at(2026-11-26T00:00:00)", []),
    ],
)
def test_falls_due(expression: str, expected: list[str]) -> None:
    assert following(expression, "2026-11-26 00:00:00", len(expected) or 1) == expected


def test_a_time_that_the_wall_leaps_over_is_skipped() -> None:
    zone = "America/New_York"  # on 2026-03-08 02:00 is followed by 03:00
    assert following("cron(30 2 * * ? *)", "2026-03-07 00:00", 2, zone) == ["2026-03-07 02:30", "2026-03-09 02:30"]
    assert following("at(2026-03-08T02:30:00)", "2026-03-07 00:00", 1, zone) == []


def test_a_time_that_the_wall_shows_twice_is_due_once() -> None:
    zone = "America/New_York"  # on 2026-11-01 01:59 is followed by 01:00
    assert following("cron(30 1 * * ? *)", "2026-11-01 00:00", 2, zone) == ["2026-11-01 01:30", "2026-11-02 01:30"]
    again = parse("cron(0/30 * * * ? *)").next_after(moment("2026-11-01 01:10", zone, 1), start=0, zone=ZoneInfo(zone))
    assert again == moment("2026-11-01 02:00", zone)


def test_a_rate_counts_24_hours_for_a_day() -> None:
    start = moment("2026-03-07 12:00", "America/New_York")
    assert following_moments("rate(1 day)", start, start, 2) == [start + 86_400, start + 2 * 86_400]


def following_moments(expression: str, start: float, after: float, count: int) -> list[float]:
    found: list[float] = []
    for _ in range(count):
        due = parse(expression).next_after(after, start=start, zone=ZoneInfo("America/New_York"))
        assert due is not None
        found.append(due)
        after = due
    return found


@pytest.mark.parametrize(
    "expression",
    [
        "", "rate(0 minutes)", "rate(5 seconds)", "rate(-1 minutes)", "rate(5)", "rate(\u0661 minute)", "every(1 day)",
        "cron(0 10 * * *)", "cron(0 10 * * * *)", "cron(0 10 ? * ? *)", "cron(0 10 1 * MON *)", "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)", "cron(0 0 0 * ? *)", "cron(0 0 32 * ? *)", "cron(0 0 * 13 ? *)", "cron(0 0 ? * 0 *)",
        "cron(0 0 ? * 8 *)", "cron(0 0 ? * MON#6 *)", "cron(0 0 ? * 3#1,6#3 *)", "cron(0 0 * * ? 1969)",
        "cron(0 0 * * ? 2200)", "cron(0/0 0 * * ? *)", "cron(*/60 * * * ? *)", "cron(0,, 0 * * ? *)",
        "cron(0 0 * JANUARY ? *)", "cron(0 0 ? * XL *)", "cron(0 0 WW * ? *)", "cron(0 0 * * ? 2027-2026)",
        "cron(0 0 * * ? *) ", "at(2026-02-30T00:00:00)", "at(2026-11-26)", "at(9999-12-31T23:59:59)",
        "at(0001-01-01T00:00:00)", "cron((0 0 * * ? *))",
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(Invalid):
        parse(expression)


def test_whether_a_rate_is_spoken_as_its_number_asks() -> None:
    read = {text: parse(f"rate({text})") for text in ("1 minute", "5 minutes", "1 minutes", "5 hour")}
    spoken = [text for text, each in read.items() if isinstance(each, Rate) and each.is_spoken]
    assert spoken == ["1 minute", "5 minutes"]


def field(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    step = st.integers(1, high)
    part = st.one_of(
        st.just("*"),
        value.map(str),
        st.builds("{}/{}".format, value, step),
        st.builds("*/{}".format, step),
        st.builds("{}-{}".format, value, value),
    )
    return st.lists(part, min_size=1, max_size=3).map(",".join)


days = st.one_of(
    st.tuples(field(1, 31) | st.sampled_from(["L", "LW", "15W", "1W", "31W"]), st.just("?")),
    st.tuples(st.just("?"), field(1, 7) | st.sampled_from(["L", "6L", "SUN#1", "3#5", "MON-FRI"])),
)
expressions = st.builds(
    lambda minute, hour, day, month: f"cron({minute} {hour} {day[0]} {month} {day[1]} 2025-2040)",
    field(0, 59), field(0, 23), days, field(1, 12),
)  # fmt: skip
moments = st.floats(moment("2025-01-01"), moment("2032-01-01"))


@given(expressions, moments, st.sampled_from(ZONES))
def test_the_next_one_is_later_fits_and_is_the_first(expression: str, after: float, zone: str) -> None:
    schedule, there = parse(expression), ZoneInfo(zone)
    assert isinstance(schedule, Cron)
    due = schedule.next_after(after, start=0, zone=there)
    if due is None:
        return
    assert due > after
    wall = datetime.fromtimestamp(due, there)
    assert wall.fold == 0
    assert wall.second == 0
    assert schedule.fits(wall.replace(tzinfo=None))
    # none between: by the minute, for as long as that is quick
    minute = (int(after) // 60 + 1) * 60
    for between in range(minute, min(int(due), minute + 600 * 60), 60):
        seen = datetime.fromtimestamp(between, there)
        assert seen.fold == 1 or not schedule.fits(seen.replace(tzinfo=None))


@given(st.integers(1, 400), st.sampled_from(["minutes", "hours", "days"]), moments, st.floats(0, 40_000_000))
def test_a_rate_is_due_at_whole_periods_from_its_start(value: int, unit: str, start: float, gone: float) -> None:
    schedule = parse(f"rate({value} {unit})")
    assert isinstance(schedule, Rate)
    due = schedule.next_after(start + gone, start=start)
    assert due is not None
    assert start + gone < due <= start + gone + schedule.seconds + 0.001
    periods = (due - start) / schedule.seconds
    assert abs(periods - round(periods)) < 1e-6
    assert schedule.next_after(start - 1, start=start) == start


def test_the_days_of_a_nearest_weekday_are_what_a_calendar_says() -> None:
    """Every month of thirty years, held against a search over the month's weekdays."""
    for year in range(2020, 2050):
        for month in range(1, 13):
            count = calendar.monthrange(year, month)[1]
            weekdays = [day for day in range(1, count + 1) if calendar.weekday(year, month, day) < 5]
            for asked in (1, 15, count):
                nearest = min(weekdays, key=lambda day: (abs(day - asked), day < asked))
                schedule = parse(f"cron(0 0 {asked}W {month} ? {year})")
                before = datetime(year, month, 1, tzinfo=UTC) - timedelta(minutes=1)
                due = schedule.next_after(before.timestamp(), start=0)
                assert due == datetime(year, month, nearest, tzinfo=UTC).timestamp()
