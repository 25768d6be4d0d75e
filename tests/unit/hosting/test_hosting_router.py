"""Shares of traffic, and which instance is the least busy."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.hosting.router import ANY, Route, Target, Variant, Wanted
from cloche.engines.hosting.traffic import Traffic


class Busy:
    def __init__(self, outstanding: int) -> None:
        self.outstanding = outstanding


def variant(name: str, weight: float, busy: list[int] | None = None) -> Variant:
    targets = []
    for number, outstanding in enumerate(busy or []):
        target = Target(f"{name}{number}", f"/{name}{number}")
        target.pool = Busy(outstanding)  # type: ignore[assignment]
        targets.append(target)
    return Variant(name, weight, targets, Traffic())


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6).filter(any), st.integers(1, 300))
def test_shares_follow_the_weights_within_one_request_a_variant(weights: list[int], requests: int) -> None:
    route = Route([variant(str(number), weight) for number, weight in enumerate(weights)])
    counts = Counter(route.choose().name for _ in range(requests))
    for number, weight in enumerate(weights):
        assert abs(counts[str(number)] - requests * weight / sum(weights)) <= len(weights)


def test_a_variant_without_weight_gets_nothing_while_another_has_some() -> None:
    route = Route([variant("a", 0), variant("b", 1)])
    assert {route.choose().name for _ in range(50)} == {"b"}


def test_without_any_weight_all_are_equal() -> None:
    route = Route([variant("a", 0), variant("b", 0)])
    assert Counter(route.choose().name for _ in range(50)) == {"a": 25, "b": 25}


@pytest.mark.parametrize(("busy", "chosen"), [([3, 1, 2], "v1"), ([0, 4], "v0"), ([5], "v0")])
def test_the_least_busy_instance_is_chosen(busy: list[int], chosen: str) -> None:
    found = variant("v", 1, busy).least_busy()
    assert found is not None
    assert found.instance == chosen


def test_equals_take_turns() -> None:
    instances = variant("v", 1, [0, 0, 0])
    assert Counter(target.instance for _ in range(30) if (target := instances.least_busy())) == {
        "v0": 10,
        "v1": 10,
        "v2": 10,
    }


def test_the_one_that_was_just_unreachable_is_left_out() -> None:
    instances = variant("v", 1, [0, 9])
    assert instances.least_busy(instances.targets[0]) is instances.targets[1]
    alone = variant("w", 1, [0])
    assert alone.least_busy(alone.targets[0]) is None


def test_by_lot_every_instance_has_its_turn_and_the_unreachable_one_none() -> None:
    targets = [Target(str(number), str(number)) for number in range(3)]
    lot = Variant("v", 1.0, targets, Traffic(), at_random=True)
    chosen = Counter(target.instance for _ in range(600) if (target := lot.choose()))
    assert set(chosen) == {"0", "1", "2"}
    assert all(count > 100 for count in chosen.values()), chosen
    others = {target.instance for _ in range(50) if (target := lot.choose(targets[1]))}
    assert others == {"0", "2"}


def test_what_a_request_wants() -> None:
    route = Route([variant("a", 1, [0, 0]), variant("b", 0, [0])])

    def name(wanted: Wanted) -> str | None:
        found = route.find(wanted)
        return None if found is None else found.name

    assert name(ANY) == "a"
    assert name(Wanted("b")) == "b"
    assert name(Wanted("c")) is None
    assert name(Wanted(instance="b0")) == "b"
    assert name(Wanted("a", "b0")) is None
    assert name(Wanted(instance="b1")) is None
