"""The stages that policies come to."""

from __future__ import annotations

import pytest

from cloche.engines.hosting.policy import (
    ALL_AT_ONCE,
    CANARY,
    LINEAR,
    ROLLING,
    Policy,
    Size,
    Stage,
    stages_back,
    stages_of,
    watched_seconds,
)

THREE = {"A": 3}


def percent(value: int) -> Size:
    return Size(value, is_percent=True)


def counted(value: int) -> Size:
    return Size(value, is_percent=False)


def seen(stages: list[Stage]) -> list[tuple[int, int, int, float, int]]:
    """Old and new instances, those with requests, the share, the watching."""
    return [(s.old["A"], s.new["A"], s.on["A"], round(s.share["A"], 4), s.watched_seconds) for s in stages]


def test_all_at_once_is_one_stage_watched_until_the_old_fleet_goes() -> None:
    assert seen(stages_of(Policy(ALL_AT_ONCE, None, 7, 60), THREE, THREE)) == [(3, 3, 3, 1.0, 60)]


def test_a_canary_is_two_stages_with_waits_of_their_own() -> None:
    assert seen(stages_of(Policy(CANARY, percent(30), 600, 300), THREE, THREE)) == [
        (3, 3, 1, 0.3, 600),
        (3, 3, 3, 1.0, 300),
    ]
    assert seen(stages_of(Policy(CANARY, counted(1), 600), THREE, {"A": 4})) == [
        (3, 4, 1, 0.25, 600),
        (3, 4, 4, 1.0, 0),
    ]


@pytest.mark.parametrize(
    ("size", "shares"),
    [
        (percent(33), [0.33, 0.66, 1.0]),  # "33% * 3 = 1 instance" of AWS's notebook: three steps, not four
        (percent(20), [0.2, 0.4, 0.6, 0.8, 1.0]),
        (percent(50), [0.5, 1.0]),
        (percent(48), [0.48, 0.96, 1.0]),
        (counted(1), [0.3333, 0.6667, 1.0]),
    ],
)
def test_linear_steps_are_never_longer_than_asked_but_for_a_hundredth(size: Size, shares: list[float]) -> None:
    stages = stages_of(Policy(LINEAR, size, 60, 30), THREE, THREE)
    assert [round(stage.share["A"], 4) for stage in stages] == shares
    assert watched_seconds(stages) == 60 * (len(shares) - 1) + 30


def test_a_rolling_update_never_has_more_than_a_batch_beside_the_fleet() -> None:
    stages = stages_of(Policy(ROLLING, percent(33), 60), THREE, THREE)
    assert seen(stages) == [(3, 1, 1, 0.3333, 60), (2, 2, 2, 0.6667, 60), (1, 3, 3, 1.0, 60)]
    assert all(stage.old["A"] + stage.new["A"] <= 3 + 1 for stage in stages)


def test_the_way_back_from_blue_green_is_one_stage() -> None:
    back = stages_back(Policy(CANARY, percent(10), rollback_size=counted(1)), THREE, THREE, THREE, {"A": 0.1})
    assert seen(back) == [(3, 3, 0, 0.0, 0)]


def test_a_rolling_update_goes_back_in_batches_or_at_once() -> None:
    batches = Policy(ROLLING, counted(1), 60, rollback_size=counted(1))
    assert seen(stages_back(batches, {"A": 1}, THREE, THREE, {"A": 1.0})) == [
        (2, 3, 1, 0.3333, 0),
        (3, 1, 0, 0.0, 0),
    ]
    at_once = Policy(ROLLING, counted(1), 60)
    assert seen(stages_back(at_once, {"A": 1}, THREE, THREE, {"A": 1.0})) == [(3, 3, 0, 0.0, 0)]


def test_variants_of_several_sizes_take_their_steps_together() -> None:
    stages = stages_of(Policy(LINEAR, counted(1), 60), {"A": 2, "B": 4}, {"A": 2, "B": 4})
    assert [(stage.share["A"], stage.share["B"]) for stage in stages] == [
        (0.5, 0.25),
        (1.0, 0.5),
        (1.0, 0.75),
        (1.0, 1.0),
    ]


def test_policies_come_back_from_their_documents() -> None:
    policy = Policy(ROLLING, counted(1), 60, 0, percent(50), 1800, ("one", "two"))
    assert Policy.of(policy.document()) == policy
    (stage,) = stages_of(Policy(ALL_AT_ONCE), THREE, THREE)
    assert Stage.of(stage.document()) == stage
