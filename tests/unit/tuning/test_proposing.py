"""What is tried next: grids, draws, first points, and what a search is asked."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from tuning_plans import NUMBER, SHAPE, definition, plan, trial

from cloche.engines.tuning import Observation, Plan, Range, Trial
from cloche.engines.tuning.proposing import chosen_at, combinations, definition_of_next, propose


def never(question: dict[str, Any]) -> tuple[float, ...]:
    raise AssertionError(f"nobody need be asked: {question}")


def run(made: Plan, count: int) -> list[Trial]:
    """So many trials that have not ended."""
    trials: list[Trial] = []
    for number in range(1, count + 1):
        at = definition_of_next(made, trials)
        if at is None:
            break
        point = propose(made, at, number, trials, never)
        chosen = chosen_at(made.definitions[at], point)
        trials.append(Trial(number, at, f"t-{number}", f"arn:{number}", chosen, point))
    return trials


def test_a_grid_is_every_combination_once() -> None:
    made = plan(definition(SHAPE, Range("n", "Categorical", values=("1", "2"))), strategy="Grid")
    trials = run(made, 100)
    assert [tuple(each.chosen.values()) for each in trials] == [
        (shape, n) for shape in ("round", "flat", "tall") for n in ("1", "2")
    ]


def test_grids_of_several_definitions_take_turns_until_each_is_done() -> None:
    small = definition(Range("n", "Categorical", values=("1", "2")), name="small")
    made = plan(small, definition(SHAPE, Range("k", "Categorical", values=("x", "y")), name="big"), strategy="Grid")
    trials = run(made, 100)
    assert [each.definition for each in trials] == [0, 1, 0, 1, 1, 1, 1, 1]


def test_the_same_seed_draws_the_same_and_another_others() -> None:
    one, same, other = (run(plan(seed=seed), 10) for seed in (1, 1, 2))
    assert [each.chosen for each in one] == [each.chosen for each in same]
    assert [each.chosen for each in one] != [each.chosen for each in other]


def test_a_draw_does_not_depend_on_what_others_found() -> None:
    made = plan()
    before = run(made, 5)
    known = [replace(each, status="Completed", objective=1.0) for each in before[:4]]
    assert propose(made, 0, 5, known, never) == before[4].point


def test_no_combination_is_drawn_twice_while_there_are_others() -> None:
    made = plan(definition(SHAPE, Range("n", "Integer", 1, 4, "Linear")), jobs_max=12)
    drawn = [tuple(each.chosen.values()) for each in run(made, 12)]
    assert len(set(drawn)) == 12 == combinations(made.definitions[0])


def test_a_bayesian_search_begins_with_points_that_fill_the_range() -> None:
    made = plan(strategy="Bayesian", jobs_max=40)
    points = sorted(each.point[0] for each in run(made, 3))
    assert min(high - low for low, high in pairwise(points)) > 0.15


def test_a_bayesian_search_asks_with_all_it_knows() -> None:
    made = plan(strategy="Bayesian", jobs_max=20)
    trials = [trial(n, objective=n / 10) for n in range(1, 5)]
    trials += [trial(5, status="Failed"), trial(6, status="InProgress")]
    asked: list[dict[str, Any]] = []

    def search(question: dict[str, Any]) -> tuple[float, ...]:
        asked.append(question)
        return (0.25,)

    assert propose(made, 0, 7, trials, search) == (0.25,)
    assert asked[0]["dimensions"] == [["number", 0]]
    assert asked[0]["points"] == [[0.01], [0.02], [0.03], [0.04], [0.05]]
    assert asked[0]["losses"] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.7])  # the failed one is beyond the worst
    assert asked[0]["pending"] == [[0.06]]
    assert asked[0]["seed"] == [5, 0, 7]


def test_to_maximize_is_to_minimize_the_opposite() -> None:
    made = plan(definition(NUMBER, maximize=True), strategy="Bayesian")
    asked: list[dict[str, Any]] = []
    propose(made, 0, 5, [trial(n, objective=n) for n in range(1, 5)], lambda q: asked.append(q) or (0.0,))  # type: ignore[func-returns-value]
    assert asked[0]["losses"] == [-1, -2, -3, -4]


def test_a_warm_start_asks_from_the_first_trial_on() -> None:
    known = (Observation(0, (0.2,), 1.0, 0.0), Observation(0, (0.4,), 2.0, 0.0))
    made = plan(strategy="Bayesian", observations=known)
    asked: list[dict[str, Any]] = []
    propose(made, 0, 1, [], lambda q: asked.append(q) or (0.3,))  # type: ignore[func-returns-value]
    assert asked[0]["points"] == [[0.2], [0.4]]
    assert asked[0]["losses"] == [1.0, 2.0]


def test_results_of_other_data_are_compared_in_standard_deviations() -> None:
    known = (Observation(0, (0.2,), -1.0, 0.5), Observation(0, (0.4,), 1.0, 0.5))
    made = plan(strategy="Bayesian", observations=known)
    asked: list[dict[str, Any]] = []
    mine = [trial(1, objective=100.0), trial(2, objective=300.0)]
    propose(made, 0, 3, mine, lambda q: asked.append(q) or (0.3,))  # type: ignore[func-returns-value]
    assert asked[0]["losses"] == [-1.0, 1.0, -1.0, 1.0]
    assert asked[0]["noise"] == [0.5, 0.5, 0.0, 0.0]
