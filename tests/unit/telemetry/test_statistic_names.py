"""Statistics by their names, against sorted lists."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.metric_math import statistic
from cloche.foundation.errors import Invalid
from cloche.storage.metrics import Statistics


def of(name: str, *values: float) -> float | None:
    return statistic(name)(Statistics.of_values([(value, 1) for value in values]))


TEN = tuple(float(number) for number in range(1, 11))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Average", 5.5),
        ("samplecount", 10),
        ("p50", 5.5),
        ("p99.99", pytest.approx(9.9991)),
        ("p100", 10),
        ("tm90", 5),
        ("TM(:90%)", 5),
        ("tc90", 9),
        ("ts90", 45),
        ("TM(10%:90%)", 5.5),
        ("TS(80%:)", 19),
        ("IQM", 5.5),
        ("TM(2:5)", 4),
        ("TC(2:5)", 3),
        ("TS(2:5)", 12),
        ("PR(:3)", 30),
        ("PR(3:8)", 50),
        ("PR(8:)", 20),
        ("WM(3:8)", pytest.approx((3 * 3 + 4 + 5 + 6 + 7 + 8 * 3) / 10)),
        ("wm90", pytest.approx((45 + 9.1) / 10)),
        ("WM(10%:90%)", pytest.approx((sum(range(2, 10)) + 1.9 + 9.1) / 10)),
        ("TM(20:30)", None),
    ],
)
def test_of_one_to_ten(name: str, expected: float | None) -> None:
    assert of(name, *TEN) == expected


@pytest.mark.parametrize(
    "name",
    ["", "p", "p101", "q5", "tm", "TM90", "tm(1:2)", "TM(:)", "TM(5)", "PR(5%:10%)", "TM(1:5%)", "TM(5:1)", "iqm"],
)
def test_no_such_statistic(name: str) -> None:
    with pytest.raises(Invalid, match=r"statistic|boundar"):
        statistic(name)


def test_sets_and_negative_values_have_none_of_the_trimmed() -> None:
    for name in ("p50", "tm90", "WM(10%:90%)", "TC(1:2)", "PR(:3)", "IQM"):
        assert statistic(name)(Statistics.of_set(3, 6, 1, 3)) is None
        assert statistic(name)(Statistics.of_set(3, 7, 2, 2)) is None, "a sum that does not fit"
        assert statistic(name)(Statistics.of_set(3, 6, 2, 2)) is not None or name == "TC(1:2)"
        assert of(name, -1.0, 2.0) is None


@given(st.lists(st.integers(0, 100).map(float), min_size=1, max_size=40), st.integers(0, 99), st.integers(1, 100))
def test_trimming_by_percent_is_that_of_the_sorted_samples(values: list[float], low: int, width: int) -> None:
    high = min(low + width, 100)
    # each sample in a hundred pieces: then percentages cut between pieces
    pieces = sorted(value for value in values for _ in range(100))
    kept = pieces[len(values) * low : len(values) * high]
    found = of(f"TM({low}%:{high}%)", *values)
    assert found is not None and math.isclose(found, sum(kept) / len(kept), abs_tol=1e-9)
    count = of(f"TC({low}%:{high}%)", *values)
    assert count is not None and math.isclose(count, len(kept) / 100, abs_tol=1e-9)


@given(st.lists(st.integers(0, 50).map(float), min_size=1, max_size=40), st.integers(0, 50), st.integers(1, 50))
def test_trimming_by_value(values: list[float], low: int, width: int) -> None:
    kept = [value for value in values if low < value <= low + width]
    assert of(f"TC({low}:{low + width})", *values) == len(kept)
    assert of(f"PR({low}:{low + width})", *values) == pytest.approx(100 * len(kept) / len(values))
    mean = of(f"TM({low}:{low + width})", *values)
    assert mean == (pytest.approx(sum(kept) / len(kept)) if kept else None)
