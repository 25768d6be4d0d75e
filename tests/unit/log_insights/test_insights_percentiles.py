"""Percentiles of many values: found without sorting them all, and what sorting them would give."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable

import pytest

from cloche.engines.log_insights.scan import aggregates
from cloche.engines.log_insights.scan.aggregates import AGGREGATES

COUNT = 30_011
DICE = random.Random(5)
SHAPES: dict[str, Callable[[int], float]] = {
    "by chance": lambda at: DICE.expovariate(0.05),
    "rising": float,
    "falling": lambda at: -float(at),
    "one value": lambda at: 7.0,
    "two values": lambda at: float(at % 2),
    "waves as long as the sample's step": lambda at: float(at % 30),
    "all of the sample is high": lambda at: 1e9 + at if at % 30 == 0 else float(at % 977),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_percentile_is_what_sorting_gives(shape: str) -> None:
    values = array("d", [SHAPES[shape](at) for at in range(COUNT)])
    assert len(values) > aggregates.SORTED_AT_ONCE_MAX
    ordered = sorted(values)
    for percentage in (0, 0.001, 1, 50, 99, 99.99, 100):
        rank = (COUNT - 1) * percentage / 100
        low = int(rank)
        high = min(low + 1, COUNT - 1)
        expected = ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
        assert AGGREGATES["pct"].result([values], 0, percentage) == expected, percentage


def test_numbers_and_texts_have_one_least_and_one_greatest() -> None:
    mixed = [5, "b10", 2.5, "b9", "7", "a", 9, -1]
    for name, expected in (("min", "a"), ("max", 9)):
        keeping = AGGREGATES[name]
        names = {**aggregates.NAMES, "NUMBERS": {int, float}}
        places = list(eval(f"[{keeping.start}]", names))
        for value in mixed:
            exec(keeping.update.format(g="g", i=0, x="x"), {**names, "g": places, "x": value})
        assert keeping.result(places, 0, 0) == expected
