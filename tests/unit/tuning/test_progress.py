"""Counters, the best trial, and when a tuning job ends."""

from __future__ import annotations

import pytest
from tuning_plans import NUMBER, definition, plan, trial

from cloche.engines.tuning import Completion
from cloche.engines.tuning.machine import LIFECYCLE, State
from cloche.engines.tuning.plan import Plan
from cloche.engines.tuning.progress import best_of, counters_of, hopeless, is_enough, progress_of


def test_the_lifecycle_has_no_flaws() -> None:
    assert LIFECYCLE.flaws() == []
    assert {state.name for state in State} == LIFECYCLE.states


def test_counters() -> None:
    counted = counters_of(
        [
            trial(1, 0.5),
            trial(2, None),
            trial(3, 0.4, status="Stopped"),
            trial(4, 0.1, status="Failed", reason="AlgorithmError: no"),
            trial(5, None, status="Failed", reason="InternalServerError: ours"),
            trial(6, None, status="InProgress"),
            trial(7, None, status=""),  # written down, not created
        ]
    )
    assert (counted.completed, counted.in_progress, counted.stopped) == (2, 1, 1)
    assert (counted.retryable_error, counted.non_retryable_error) == (1, 1)
    assert (counted.objective_succeeded, counted.objective_pending, counted.objective_failed) == (2, 1, 3)


def test_the_best_is_of_those_that_completed() -> None:
    made = plan()
    trials = [trial(1, 0.5), trial(2, 0.3), trial(3, 0.1, status="Stopped"), trial(4, 0.0, status="Failed")]
    best = best_of(made, trials)
    assert best is not None and best.number == 2
    best = best_of(made, trials[2:])
    assert best is not None and best.number == 3  # with Hyperband all may have been stopped
    assert best_of(made, [trial(1, None)]) is None
    best = best_of(plan(definition(NUMBER, maximize=True)), trials)
    assert best is not None and best.number == 1


def test_an_improvement_is_of_one_percent() -> None:
    made = plan()
    assert progress_of(made, [trial(1, 100.0), trial(2, 99.5), trial(3, 98.9)]).not_improving == 0
    assert progress_of(made, [trial(1, 100.0), trial(2, 99.5), trial(3, 99.2)]).not_improving == 2


def enough(made: Plan, *objectives: float, seconds: float = 1.0) -> str | None:
    trials = [trial(number, objective) for number, objective in enumerate(objectives, 1)]
    return is_enough(made, trials, progress_of(made, trials), seconds)


def test_completion_criteria() -> None:
    assert enough(plan(), 1.0, 1.0) is None
    target = plan(completion=Completion(target=0.5))
    assert enough(target, 0.51) is None
    assert enough(target, 0.5) == "the target 0.5"
    patient = plan(completion=Completion(not_improving_max=3))
    assert enough(patient, 1.0, 1.0, 1.0) is None
    assert enough(patient, 1.0, 1.0, 1.0, 1.0) == "3 training jobs without improvement"
    assert enough(plan(runtime_seconds_max=120), 1.0, seconds=120) == "the maximum runtime of 120 seconds"


def test_convergence_is_seen_and_ends_the_job_only_if_asked() -> None:
    flat = [1.0] * 12
    trials = [trial(number, objective) for number, objective in enumerate(flat, 1)]
    assert progress_of(plan(), trials).converged_at == 11.0
    assert enough(plan(), *flat) is None
    assert enough(plan(completion=Completion(on_convergence=True)), *flat) == "convergence"


@pytest.mark.parametrize("count", [4, 5])
def test_five_failures_and_no_success_are_hopeless(count: int) -> None:
    failed = [trial(number, None, status="Failed") for number in range(1, count + 1)]
    told = hopeless(plan(), failed, all_ended=False)
    assert told == (
        None
        if count < 5
        else "No training job succeeded after 5 attempts. Please take a look at the training job failures to get more "
        "details."
    )
    assert hopeless(plan(), [*failed, trial(9, 1.0)], all_ended=False) is None


def test_a_metric_that_is_never_told() -> None:
    silent = [trial(number, None) for number in range(1, 4)]
    assert hopeless(plan(), silent, all_ended=False) is None
    told = hopeless(plan(), silent, all_ended=True)
    assert told is not None and told.startswith("No objective metrics found after running 3 training jobs.")


def test_jobs_that_a_person_stopped_are_no_failure() -> None:
    assert hopeless(plan(), [trial(1, None, status="Stopped")], all_ended=True) is None
