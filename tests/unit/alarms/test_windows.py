"""Looking only when something changes sees what looking every minute sees."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.alarms import windows
from cloche.storage.metrics import Statistics

END = 600 * 60


@given(
    st.lists(st.integers(0, 120), max_size=8, unique=True),
    st.integers(1, 20),
    st.integers(3, 6),
)
def test_nothing_is_missed(minutes: list[int], length: int, count: int) -> None:
    period, beginnings = length * 60, [END - minute * 60 for minute in minutes]
    held = [(at, Statistics.of(float(at))) for at in beginnings]

    def seen(end: int) -> list[float | None]:
        return [None if each is None else each.total for each in windows.gather(held, end, period, count)]

    at, before = END, seen(END)
    due = windows.next_change(beginnings, END, period, count)
    for _ in range(200):
        at += 60
        if due is not None and at >= windows.upwards(due, 60):
            due = windows.next_change(beginnings, at, period, count)
            before = seen(at)
        assert seen(at) == before, "it changed without being due"
    assert due is None or due > at


def test_how_often() -> None:
    # alarm-evaluation.html
    assert windows.interval(10, 3) == 10
    assert windows.interval(300, 3) == 60
    assert windows.interval(86_400, 1) == 60
    assert windows.interval(86_400, 2) == 3600
