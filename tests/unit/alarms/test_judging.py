"""States of rows of data points: AWS's own tables, and what holds for all rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.alarms.judging import ALARM, INSUFFICIENT_DATA, OK, Point, judge, samples_wanted

KEPT = None
# docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html: data points with the newest on
# the right (0 not breaching, X breaching, - missing), DatapointsToAlarm, and the state for missing data treated as
# missing, ignore, breaching, notBreaching. EvaluationPeriods is 3 throughout, the evaluation range 5.
TABLE = [
    ("0-X-X", 3, (OK, OK, OK, OK)),
    ("0----", 3, (OK, OK, OK, OK)),
    ("-----", 3, (INSUFFICIENT_DATA, KEPT, ALARM, OK)),
    ("0XX-X", 3, (ALARM, ALARM, ALARM, ALARM)),
    ("--X--", 3, (ALARM, KEPT, ALARM, OK)),
    ("0-X-X", 2, (ALARM, ALARM, ALARM, ALARM)),
    ("00X0X", 2, (ALARM, ALARM, ALARM, ALARM)),
    ("0-X--", 2, (OK, OK, ALARM, OK)),
    ("----0", 2, (OK, OK, ALARM, OK)),
    ("---X-", 2, (ALARM, KEPT, ALARM, OK)),
    # From the paragraphs on premature transitions, and an older edition of the tables:
    ("----X", 3, (INSUFFICIENT_DATA, KEPT, ALARM, OK)),
    ("---X-", 3, (INSUFFICIENT_DATA, KEPT, ALARM, OK)),
    ("---X0", 3, (OK, OK, OK, OK)),
    ("--X-0", 3, (OK, OK, OK, OK)),
    ("X----", 3, (ALARM, KEPT, ALARM, OK)),
    ("----X", 2, (INSUFFICIENT_DATA, KEPT, ALARM, OK)),
]
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def row_of(text: str) -> list[Point | None]:
    return [None if sign == "-" else Point(60 * at, 1.0 if sign == "X" else 0.0) for at, sign in enumerate(text)][::-1]


def is_bad(point: Point) -> bool:
    return point.value > 0.5


def state_of(text: str, *, periods: int, needed: int, missing: str) -> str | None:
    return judge(row_of(text), periods=periods, needed=needed, missing=missing, breaching=is_bad).state


@pytest.mark.parametrize(("text", "needed", "expected"), TABLE)
def test_the_tables_of_the_documentation(text: str, needed: int, expected: tuple[str | None, ...]) -> None:
    assert tuple(state_of(text, periods=3, needed=needed, missing=missing) for missing in TREATMENTS) == expected


def test_few_points_of_one_period() -> None:
    assert state_of("--X", periods=1, needed=1, missing="missing") == ALARM
    assert state_of("X--", periods=1, needed=1, missing="missing") == ALARM, "the range reaches further back"
    assert state_of("X-0", periods=1, needed=1, missing="breaching") == OK
    assert state_of("---", periods=1, needed=1, missing="ignore") is None


rows = st.integers(1, 6).flatmap(
    lambda periods: st.tuples(
        st.just(periods),
        st.integers(1, periods),
        st.text("0X-", min_size=periods + 2, max_size=periods + 2),
    )
)


@given(rows)
def test_with_enough_points_the_treatment_does_not_matter(case: tuple[int, int, str]) -> None:
    periods, needed, text = case
    states = {state_of(text, periods=periods, needed=needed, missing=missing) for missing in TREATMENTS}
    if sum(sign != "-" for sign in text) >= periods:
        assert len(states) == 1
        newest = [sign for sign in text[::-1] if sign != "-"][:periods]
        assert states == {ALARM if newest.count("X") >= needed else OK}


@given(rows)
def test_breaching_is_never_milder_and_ignore_keeps_or_agrees(case: tuple[int, int, str]) -> None:
    periods, needed, text = case
    told = {missing: state_of(text, periods=periods, needed=needed, missing=missing) for missing in TREATMENTS}
    if told["notBreaching"] == ALARM:
        assert set(told.values()) == {ALARM}
    if told["missing"] == ALARM:
        assert told["breaching"] == ALARM
    assert told["ignore"] in (None, told["missing"])
    assert told["breaching"] in (OK, ALARM)


@given(rows)
def test_needing_fewer_points_never_calms(case: tuple[int, int, str]) -> None:
    periods, needed, text = case
    for missing in TREATMENTS:
        if needed > 1 and state_of(text, periods=periods, needed=needed, missing=missing) == ALARM:
            assert state_of(text, periods=periods, needed=needed - 1, missing=missing) == ALARM


def test_how_many_samples_a_percentile_wants() -> None:
    # percentiles-with-low-samples.html: p99 needs 1000
    assert samples_wanted(99) == pytest.approx(1000)
    assert samples_wanted(50) == 20
    assert samples_wanted(10) == 100
