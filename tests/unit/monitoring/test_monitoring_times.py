"""When executions fall due and what they look at."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.monitoring.times import parse_offset, parse_schedule, window_at
from cloche.foundation.errors import Invalid


def at(day: int, hour: int, minute: int = 0) -> float:
    return datetime(2020, 1, day, hour, minute, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("expression", "hours"),
    [
        ("cron(0 * ? * * *)", list(range(24))),
        ("cron(0 12 ? * * *)", [12]),
        ("cron(0 00 ? * * *)", [0]),
        ("cron(0 17/12 ? * * *)", [5, 17]),  # "Every 12 hours, starting at 5pm UTC" (API_ScheduleConfig)
        ("cron(0 0/2 ? * * *)", list(range(0, 24, 2))),
        ("cron(0 0/10 ? * * *)", [0, 10, 20]),  # "at midnight, 10am, and 8pm every day" (the SDK's generator)
        ("cron(0 7/24 ? * * *)", [7]),
        ("NOW", []),
    ],
)
def test_expressions_of_the_reference(expression: str, hours: list[int]) -> None:
    assert list(parse_schedule(expression).hours) == hours


@pytest.mark.parametrize(
    "expression",
    [
        "Hourly: cron(0 * ? * * *)",
        "cron(0 24 ? * * *)",
        "cron(5 * ? * * *)",
        "cron(0 1/0 ? * * *)",
        "cron(0 1/25 ? * * *)",
        "cron(0 * * * ? *)",
        "cron(0 12 ? * MON *)",
        "rate(1 hour)",
        "now",
        "cron(0 १ ? * * *)",
        " cron(0 * ? * * *)",
        "",
    ],
)
def test_any_other_expression_is_refused(expression: str) -> None:
    with pytest.raises(Invalid, match="ScheduleExpression"):
        parse_schedule(expression)


def test_the_next_slot_is_later_and_on_an_hour_that_is_meant() -> None:
    hourly, twice = parse_schedule("cron(0 * ? * * *)"), parse_schedule("cron(0 17/12 ? * * *)")
    assert hourly.next_slot(at(1, 13, 30)) == at(1, 14)
    assert hourly.next_slot(at(1, 14)) == at(1, 15)
    assert twice.next_slot(at(1, 17)) == at(2, 5)
    assert twice.next_slot(at(1, 4, 59)) == at(1, 5)
    assert parse_schedule("cron(0 0 ? * * *)").next_slot(at(1, 0)) == at(2, 0)


@given(
    first=st.integers(0, 23), step=st.integers(1, 24), after=st.floats(0, 4e9, allow_nan=False, allow_infinity=False)
)
def test_slots_follow_each_other_at_their_intervals(first: int, step: int, after: float) -> None:
    schedule = parse_schedule(f"cron(0 {first}/{step} ? * * *)")
    slot = schedule.next_slot(after)
    then = schedule.next_slot(slot)
    assert after < slot < then
    assert then - slot == schedule.interval(then) >= schedule.shortest
    assert window_at(schedule, then).start == slot


def test_offsets_count_from_the_slot() -> None:
    # dg/model-monitor-model-quality-schedule.html
    hourly = parse_schedule("cron(0 * ? * * *)")
    window = window_at(
        hourly, at(9, 13), start=parse_offset("-P8D", "StartTimeOffset"), end=parse_offset("-P1D", "EndTimeOffset")
    )
    assert (window.start, window.end) == (at(1, 13), at(8, 13))
    assert len(window.hours) == 7 * 24
    assert window_at(hourly, at(1, 14)).hours == [at(1, 13)]


def test_a_window_that_begins_within_an_hour_looks_at_that_hour_too() -> None:
    window = window_at(parse_schedule("NOW"), at(1, 14, 20), start=-3600.0, end=0.0)
    assert window.hours == [at(1, 13), at(1, 14)]


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(Invalid):
        window_at(parse_schedule("NOW"), at(1, 14), start=0.0, end=-3600.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("-PT5H", -18_000),
        ("-P1D", -86_400),
        ("-P1DT2H3M4S", -93_784),
        ("-PT30M", -1_800),
        ("-PT0H", 0),
        ("PT0S", 0),
        ("P0D", 0),
    ],
)
def test_offsets(text: str, seconds: float) -> None:
    assert parse_offset(text, "StartTimeOffset") == seconds


@pytest.mark.parametrize("text", ["PT5H", "+PT1H", "-P", "-PT", "-P1DT", "-P1W", "-P1Y", "5H", "-PT1.5H", "--PT1H", ""])
def test_what_is_no_offset_into_the_past_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="EndTimeOffset"):
        parse_offset(text, "EndTimeOffset")
