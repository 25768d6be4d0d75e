"""Which trials are stopped, by either rule."""

from __future__ import annotations

from cloche.engines.tuning import Objective
from cloche.engines.tuning.stopping_early import bracket_of, is_below_median, is_halved, rungs

LOSS = Objective("loss", maximize=False)
AUC = Objective("auc", maximize=True)


def test_the_value_is_compared_with_the_median_of_running_averages() -> None:
    earlier = [[4.0, 2.0], [6.0, 4.0], [8.0, 6.0]]  # running averages after two epochs: 3, 5, 7
    assert is_below_median(LOSS, [9.0, 5.1], earlier)
    assert not is_below_median(LOSS, [9.0, 4.9], earlier)
    assert not is_below_median(AUC, [9.0, 5.1], earlier)
    assert is_below_median(AUC, [9.0, 4.9], earlier)


def test_nothing_is_stopped_before_there_is_something_to_compare_with() -> None:
    assert not is_below_median(LOSS, [100.0], [[1.0], [1.0]])
    assert not is_below_median(LOSS, [100.0] * 3, [[1.0] * 2] * 5)  # nobody came as far


def test_a_trial_has_a_quarter_of_the_time_of_others_before_it_is_judged() -> None:
    earlier = [[1.0] * 20] * 3
    assert not is_below_median(LOSS, [9.0] * 4, earlier)
    assert is_below_median(LOSS, [9.0] * 5, earlier)


def test_rungs_multiply() -> None:
    assert rungs(1, 27, 0) == [1, 3, 9]
    assert rungs(1, 27, 2) == [9]
    assert rungs(1, 27, 3) == []
    assert rungs(5, 5, 0) == []


def test_the_boldest_bracket_gets_most_trials() -> None:
    shares = [bracket_of(number, 1, 27) for number in range(1, 501)]
    counts = [shares.count(bracket) for bracket in range(4)]
    assert counts == sorted(counts, reverse=True)
    # Hyperband's own numbers of configurations for R = 27 and a third: 27, 12, 6, 4.
    assert all(abs(count / 500 - weight / 49) < 0.03 for count, weight in zip(counts, (27, 12, 6, 4), strict=True))


def bold(count: int, least: int = 1, most: int = 9) -> list[int]:
    """So many trials of the boldest bracket."""
    return [number for number in range(1, 500) if bracket_of(number, least, most) == 0][:count]


def test_only_the_best_third_passes_a_rung() -> None:
    numbers = bold(6)
    curves = {number: [float(at)] for at, number in enumerate(numbers)}
    halved = [is_halved(LOSS, number, curves, 0, 1, 9) for number in numbers]
    assert halved == [False, False, True, True, True, True]


def test_the_first_few_pass_and_a_rung_is_judged_once() -> None:
    one, two, three = bold(3)
    assert not is_halved(LOSS, one, {one: [5.0], two: [1.0]}, 0, 1, 9)
    curves = {one: [5.0, 5.0], two: [1.0], three: [2.0]}
    assert is_halved(LOSS, one, curves, 0, 1, 9)
    assert not is_halved(LOSS, one, curves, 1, 1, 9)


def test_a_trial_is_stopped_at_the_most_resource() -> None:
    (one,) = bold(1)
    assert is_halved(LOSS, one, {one: [1.0] * 9}, 8, 1, 9)
    assert not is_halved(LOSS, one, {one: [1.0] * 8}, 7, 1, 9)


def test_nothing_is_stopped_before_the_least_resource() -> None:
    numbers = bold(6, 3, 9)
    curves = {number: [float(at)] * 2 for at, number in enumerate(numbers)}
    assert not any(is_halved(LOSS, number, curves, 0, 3, 9) for number in numbers)
