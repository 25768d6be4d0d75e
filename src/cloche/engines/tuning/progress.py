"""How far a tuning job is: counters, the best trial, and whether a completion criterion is met. Pure.

An improvement is one of at least 1 % of the value at the last improvement (API_BestObjectiveNotImproving). AWS tells no
more of its test for convergence than that it was developed over many benchmarks; here a job has converged when none of
the last ``CONVERGED_AFTER`` trials, or twice as many as there are ranges, has improved on the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloche.engines.tuning.plan import Plan
from cloche.engines.tuning.trials import Trial

IMPROVEMENT: Final = 0.01
CONVERGED_AFTER: Final = 10
FAILURES_MAX: Final = 5
OURS: Final = "InternalServerError"
"""How the reason begins of a failure that is no fault of the training job's."""
NONE_SUCCEEDED: Final = (
    "No training job succeeded after {count} attempts. Please take a look at the training job failures to get more "
    "details."
)
"""aws/amazon-sagemaker-examples#2437, #2436"""
NO_METRIC: Final = (
    "No objective metrics found after running {count} training jobs. Please ensure that the training jobs emit the "
    "objective metric {metric} as defined by its regular expression."
)
"""That AWS ends such a job: dg/automatic-model-tuning-monitor.html (ObjectiveStatus Failed); words: Cloche's own."""


@dataclass(frozen=True, slots=True)
class Counters:
    completed: int
    in_progress: int
    retryable_error: int
    non_retryable_error: int
    stopped: int
    objective_succeeded: int
    objective_pending: int
    objective_failed: int


@dataclass(frozen=True, slots=True)
class Progress:
    counters: Counters
    best: Trial | None
    not_improving: int
    """Trials since the last that improved on the best by as much as counts."""
    converged_at: float | None


def counters_of(trials: Sequence[Trial]) -> Counters:
    begun = [trial for trial in trials if trial.status]
    failed = [trial for trial in begun if trial.status == "Failed"]
    ours = sum((trial.reason or "").startswith(OURS) for trial in failed)
    objective = [trial.objective_status for trial in begun]
    return Counters(
        completed=sum(trial.status == "Completed" for trial in begun),
        in_progress=sum(not trial.has_ended for trial in begun),
        retryable_error=ours,
        non_retryable_error=len(failed) - ours,
        stopped=sum(trial.status == "Stopped" for trial in begun),
        objective_succeeded=objective.count("Succeeded"),
        objective_pending=objective.count("Pending"),
        objective_failed=objective.count("Failed"),
    )


def progress_of(plan: Plan, trials: Sequence[Trial]) -> Progress:
    not_improving, converged_at = _improvements(plan, trials)
    return Progress(counters_of(trials), best_of(plan, trials), not_improving, converged_at)


def best_of(plan: Plan, trials: Sequence[Trial]) -> Trial | None:
    """Of those that completed; where none did, of those that were stopped after they had told the metric."""
    counted = [trial for trial in trials if trial.succeeded and trial.objective is not None]
    completed = [trial for trial in counted if trial.status == "Completed"]

    def loss(trial: Trial) -> float:
        return plan.definitions[trial.definition].objective.loss(trial.objective or 0.0)

    return min(completed or counted, key=lambda trial: (loss(trial), trial.number), default=None)


def is_enough(plan: Plan, trials: Sequence[Trial], progress: Progress, seconds: float) -> str | None:
    """The criterion that is met, in words; ``None`` where none is."""
    if plan.runtime_seconds_max is not None and seconds >= plan.runtime_seconds_max:
        return f"the maximum runtime of {plan.runtime_seconds_max:g} seconds"
    completion = plan.completion
    best = progress.best
    if completion.target is not None and best is not None and best.objective is not None:
        objective = plan.definitions[best.definition].objective
        if not objective.better(completion.target, best.objective):
            return f"the target {completion.target:g}"
    if completion.not_improving_max is not None and progress.not_improving >= completion.not_improving_max:
        return f"{progress.not_improving} training jobs without improvement"
    if completion.on_convergence and progress.converged_at is not None:
        return "convergence"
    return None


def hopeless(plan: Plan, trials: Sequence[Trial], *, all_ended: bool) -> str | None:
    """Why the tuning job fails; ``None`` while there is hope. ``all_ended``: no other trial will come."""
    ended = [trial for trial in trials if trial.has_ended]
    if any(trial.succeeded for trial in ended) or not ended:
        return None
    if len(ended) < FAILURES_MAX and not all_ended:
        return None
    if all(trial.status == "Stopped" for trial in ended):
        return None
    if any(trial.status == "Completed" for trial in ended):
        return NO_METRIC.format(count=len(ended), metric=plan.definitions[0].objective.metric)
    return NONE_SUCCEEDED.format(count=len(ended))


def _improvements(plan: Plan, trials: Sequence[Trial]) -> tuple[int, float | None]:
    """(trials since the last improvement, when convergence was seen first)."""
    counted = [trial for trial in trials if trial.succeeded and trial.objective is not None]
    enough = max(CONVERGED_AFTER, 2 * max(len(definition.ranges) for definition in plan.definitions))
    since, best, converged_at = 0, None, None
    for trial in sorted(counted, key=lambda trial: (trial.ended_at or 0.0, trial.number)):
        loss = plan.definitions[trial.definition].objective.loss(trial.objective or 0.0)
        if best is None or loss < best - IMPROVEMENT * abs(best):
            best, since = loss, 0
            continue
        since += 1
        if since >= enough and converged_at is None:
            converged_at = trial.ended_at
    return since, converged_at
