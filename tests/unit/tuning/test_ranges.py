"""Ranges as places in the unit cube and back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.tuning import Range

places = st.floats(0.0, 1.0)
SCALES = ["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]
ends = st.floats(1e-6, 0.999, allow_nan=False)


@given(place=places, low=ends, high=ends, scaling=st.sampled_from(SCALES))
def test_a_number_goes_to_its_place_and_back(place: float, low: float, high: float, scaling: str) -> None:
    low, high = sorted((low, high))
    searched = Range("x", "Continuous", low, high, scaling)
    value = searched.value_at(place)
    assert low <= float(value) <= high
    found = searched.place_of(value)
    assert found is not None and -1e-9 <= found <= 1 + 1e-9
    assert float(searched.value_at(found)) == pytest.approx(float(value), rel=1e-6, abs=1e-12)


@given(
    place=places, low=st.integers(1, 500), width=st.integers(0, 5000), scaling=st.sampled_from(["Auto", "Logarithmic"])
)
def test_a_whole_number_is_one_and_comes_back_itself(place: float, low: int, width: int, scaling: str) -> None:
    searched = Range("n", "Integer", low, low + width, scaling)
    value = searched.value_at(place)
    assert value.isdigit() and low <= int(value) <= low + width
    found = searched.place_of(value)
    assert found is not None and searched.value_at(found) == value


def test_whole_numbers_share_the_axis_evenly() -> None:
    searched = Range("n", "Integer", 1, 4, "Linear")
    drawn = [searched.value_at((at + 0.5) / 1000) for at in range(1000)]
    assert {value: drawn.count(value) for value in "1234"} == dict.fromkeys("1234", 250)


def test_logarithmic_places_are_even_in_orders_of_magnitude() -> None:
    searched = Range("rate", "Continuous", 1e-4, 1.0, "Logarithmic")
    assert float(searched.value_at(0.5)) == pytest.approx(1e-2)
    mirrored = Range("momentum", "Continuous", 0.0, 0.9999, "ReverseLogarithmic")
    assert float(mirrored.value_at(0.5)) == pytest.approx(0.99)


def test_auto_takes_the_logarithmic_scale_over_two_orders_of_magnitude() -> None:
    assert Range("a", "Continuous", 1e-3, 1e-1).scale == "Logarithmic"
    assert Range("a", "Continuous", 1e-2, 0.5).scale == "Linear"
    assert Range("a", "Continuous", 0.0, 100.0).scale == "Linear"


def test_a_value_outside_has_no_place() -> None:
    searched = Range("x", "Continuous", 1, 2)
    assert searched.place_of("2.5") is None
    assert searched.place_of("much") is None
    assert Range("c", "Categorical", values=("a", "b")).place_of("c") is None


def test_a_range_of_one_value() -> None:
    alone = Range("x", "Continuous", 0.5, 0.5, "Logarithmic")
    assert alone.value_at(0.9) == "0.5"
    assert alone.place_of("0.5") == 0.5
    assert alone.count == 1
    assert math.isinf(Range("x", "Continuous", 0.5, 0.6).count)
