"""What each state of a tuning job demands. Every step may be repeated: it finds what it did before.

A training job's end wakes its tuning job, and a value of the objective metric does where trials may be stopped early;
nothing waits by sleeping.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloche.engines.tuning.children import as_it_is, request_of
from cloche.engines.tuning.curves import Curves
from cloche.engines.tuning.machine import ALL_ENDED, ENOUGH, HOPELESS, LIFECYCLE, State
from cloche.engines.tuning.plan import Plan
from cloche.engines.tuning.progress import hopeless, is_enough, progress_of
from cloche.engines.tuning.proposing import chosen_at, definition_of_next, propose
from cloche.engines.tuning.publish import publish
from cloche.engines.tuning.searching import Searcher
from cloche.engines.tuning.stopping_early import is_below_median, is_halved
from cloche.engines.tuning.trials import Trial, drop, keep, of_tuning
from cloche.foundation.api import Api, Behalf, Refused
from cloche.foundation.clock import Clock
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event, Item, Lifecycle, Outcome, Wait
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata.database import Database

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 60.0
"""Ends of training jobs are told at once; this is for the case that the telling went wrong."""
FULL_SECONDS: Final = 5.0
"""Until a training job that a quota forbade is asked for again."""
OVER_QUOTA: Final = "ResourceLimitExceeded"


@dataclass(slots=True)
class Watched:
    """What is known in memory alone, and found again at a start."""

    children: dict[str, str] = field(default_factory=dict)
    """Training job → tuning job, of those that have not ended."""
    metrics: dict[tuple[str, str], str] = field(default_factory=dict)
    """(name of a training job, its objective metric) → tuning job, where trials may be stopped early."""
    decided: dict[str, int] = field(default_factory=dict)
    """How many values of a training job's metric have been judged by Hyperband."""

    def begin(self, plan: Plan, trial: Trial) -> None:
        self.children[trial.arn] = plan.arn
        if plan.watches_metrics:
            self.metrics[trial.name, plan.definitions[trial.definition].objective.metric] = plan.arn

    def end(self, plan: Plan, trial: Trial) -> None:
        self.children.pop(trial.arn, None)
        self.metrics.pop((trial.name, plan.definitions[trial.definition].objective.metric), None)
        self.decided.pop(trial.arn, None)


@dataclass(frozen=True, slots=True)
class TuningDriver:
    database: Database
    clock: Clock
    reconciler: Reconciler
    api: Api
    searcher: Searcher
    curves: Curves
    watched: Watched

    @property
    def lifecycle(self) -> Lifecycle:
        return LIFECYCLE

    def work(self, item: Item) -> Outcome:
        plan = Plan.from_data(item.data["plan"])
        trials = self._refreshed(plan)
        return self._run(item, plan, trials) if item.state == State.Running.name else self._end(plan, trials)

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        publish(tx, item, item.entered_at)

    # -- running -----------------------------------------------------------------------------------------

    def _run(self, item: Item, plan: Plan, trials: list[Trial]) -> Outcome:
        seconds = self.clock.time() - item.created_at
        enough = is_enough(plan, trials, progress_of(plan, trials), seconds)
        if enough is not None:
            return Event(ENOUGH, message=enough)
        left = len(trials) < plan.jobs_max and definition_of_next(plan, trials) is not None
        runs = any(not trial.has_ended for trial in trials)
        why = hopeless(plan, trials, all_ended=not runs and not left)
        if why is not None:
            return Event(HOPELESS, {"failure_reason": why})
        if not runs and not left:
            return Event(ALL_ENDED)
        if plan.watches_metrics:
            self._stop_early(plan, trials)
        try:
            full = self._begin_trials(item, plan, trials)
        except Refused as refused:
            return Event(HOPELESS, {"failure_reason": refused.message[:1024]})
        until = LOOK_SECONDS if plan.runtime_seconds_max is None else max(plan.runtime_seconds_max - seconds, 0.1)
        return Wait(min(until, FULL_SECONDS if full else LOOK_SECONDS))

    def _begin_trials(self, item: Item, plan: Plan, trials: list[Trial]) -> bool:
        """Create training jobs as long as there may be more; whether a quota forbade one. Raises ``Refused``."""
        for trial in [trial for trial in trials if not trial.status]:
            if not self._create(plan, trials, trial):
                return True
        while sum(not trial.has_ended for trial in trials) < plan.parallel_max and len(trials) < plan.jobs_max:
            at = definition_of_next(plan, trials)
            if at is None or not self.reconciler.is_current(item):
                return False
            trial = self._chosen(plan, trials, at)
            self.database.write(lambda tx, trial=trial: keep(tx, plan.arn, [trial]))  # type: ignore[misc]
            trials.append(trial)
            if not self._create(plan, trials, trial):
                return True
        return False

    def _chosen(self, plan: Plan, trials: Sequence[Trial], at: int) -> Trial:
        number = len(trials) + 1
        definition = plan.definitions[at]
        point = propose(plan, at, number, trials, self.searcher.ask)
        chosen = chosen_at(definition, point)
        places = [each.place_of(chosen[each.name]) for each in definition.ranges]
        name = f"{plan.name}-{number:03d}-{secrets.token_hex(4)}"
        return Trial(
            number=number,
            definition=at,
            name=name,
            arn=f"arn:aws:sagemaker:{plan.region}:{plan.account}:training-job/{name}",
            chosen=chosen,
            point=tuple(0.5 if place is None else place for place in places),
            created_at=self.clock.time(),
        )

    def _create(self, plan: Plan, trials: list[Trial], trial: Trial) -> bool:
        """Have the training job created; false where a quota forbids it now. Raises ``Refused``, and the trial is
        none any more."""
        self.watched.begin(plan, trial)
        try:
            self._call(plan, "CreateTrainingJob", request_of(plan, trial), {"TuningJobArn": plan.arn})
        except Refused as refused:
            if refused.code == OVER_QUOTA:
                return False
            self.watched.end(plan, trial)
            self.database.write(lambda tx: drop(tx, plan.arn, trial.number))
            trials.remove(trial)
            raise
        self._keep(plan, trials, [as_it_is(self.database.reader, plan, trial)])
        return True

    # -- stopping ----------------------------------------------------------------------------------------

    def _stop_early(self, plan: Plan, trials: list[Trial]) -> None:
        curves = {trial.number: self.curves.of(plan, trial) for trial in trials if trial.status}
        for trial in [trial for trial in trials if trial.number in curves and not trial.has_ended]:
            curve = curves[trial.number]
            if trial.stop_asked or not curve:
                continue
            mine = [other for other in trials if other.definition == trial.definition and other.number in curves]
            objective = plan.definitions[trial.definition].objective
            if plan.strategy == "Hyperband":
                decided = self.watched.decided.get(trial.arn, 0)
                there = {other.number: curves[other.number] for other in mine}
                bad = is_halved(objective, trial.number, there, decided, plan.min_resource, plan.max_resource)
                self.watched.decided[trial.arn] = len(curve)
            else:
                earlier = [curves[other.number] for other in mine if other.has_ended and other.status != "Failed"]
                bad = is_below_median(objective, curve, earlier)
            if bad:
                self._stop(plan, trials, trial)

    def _end(self, plan: Plan, trials: list[Trial]) -> Outcome:
        """No more trials: those that run are stopped, one that was never created is none."""
        for trial in list(trials):
            if not trial.status:
                self.watched.end(plan, trial)
                self.database.write(lambda tx, trial=trial: drop(tx, plan.arn, trial.number))  # type: ignore[misc]
                trials.remove(trial)
            elif not trial.has_ended and not trial.stop_asked:
                self._stop(plan, trials, trial)
        return Wait(LOOK_SECONDS) if any(not trial.has_ended for trial in trials) else Event(ALL_ENDED)

    def _stop(self, plan: Plan, trials: list[Trial], trial: Trial) -> None:
        try:
            self._call(plan, "StopTrainingJob", {"TrainingJobName": trial.name})
        except Refused as refused:
            log.info("%s need not be stopped: %s", trial.name, refused.message)  # it has ended meanwhile
        self._keep(plan, trials, [replace(as_it_is(self.database.reader, plan, trial), stop_asked=True)])

    # -- rows --------------------------------------------------------------------------------------------

    def _refreshed(self, plan: Plan) -> list[Trial]:
        trials = of_tuning(self.database.reader, plan.arn)
        changed = [
            now
            for trial in trials
            if not trial.has_ended and (now := as_it_is(self.database.reader, plan, trial)) != trial
        ]
        self._keep(plan, trials, changed)
        return trials

    def _keep(self, plan: Plan, trials: list[Trial], changed: Sequence[Trial]) -> None:
        """Write these, publish what follows from them, and put them into ``trials``."""
        if not changed:
            return

        def change(tx: sqlite3.Connection) -> None:
            now = rows.read(tx, plan.arn)
            if now is not None:
                keep(tx, plan.arn, changed)
                publish(tx, now, self.clock.time())

        self.database.write(change)
        places = {trial.number: place for place, trial in enumerate(trials)}
        for trial in changed:
            trials[places[trial.number]] = trial
            if trial.has_ended:
                self.watched.end(plan, trial)

    def _call(self, plan: Plan, operation: str, request: dict[str, Any], origin: dict[str, str] | None = None) -> None:
        """As the account itself: SageMaker does this, and the execution role needs no right to it
        (docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html, CreateHyperParameterTuningJob)."""
        self.api.call(Behalf(plan.account, plan.region), "sagemaker", operation, request, origin)
