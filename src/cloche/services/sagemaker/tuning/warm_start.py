"""What earlier tuning jobs tell a new one.

Their training jobs are observations to begin with: exact ones where data and algorithm are the same; for transfer
learning only their order is believed, and that with a spread of half a standard deviation, since other data give other
values. Rules: docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.engines.tuning import Definition, Observation, Trial, from_document
from cloche.services.sagemaker.tuning import facts
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

IDENTICAL: Final = "IdenticalDataAndAlgorithm"
DOUBT: Final = 0.5
KIND: Final = "sagemaker/HyperParameterTuningJob"


@dataclass(frozen=True, slots=True)
class Parent:
    record: Record
    definitions: tuple[Definition, ...]
    trials: tuple[Trial, ...]


def parents_of(ctx: Context, config: Members | None) -> list[Parent]:
    """Raises for one that is not there or has not ended."""
    found: list[Parent] = []
    for each in (config or {}).get("ParentHyperParameterTuningJobs") or ():
        name = each.get("HyperParameterTuningJobName") or ""
        record = records.find(ctx.parts.database.reader, ctx.account, ctx.region, KIND, name)
        if record is None:
            raise facts.MISSING.error(name=name)
        if record.status not in ("Completed", "Stopped", "Failed"):
            raise facts.PARENT_RUNS.error(name=name, status=record.status)
        if name in {other.record.name for other in found}:
            raise facts.PARENT_TWICE.error(name=name)
        plan = ctx.parts.tuning.plan_of(record.arn)
        found.append(Parent(record, plan.definitions, tuple(ctx.parts.tuning.trials_of(record.arn))))
    return found


def plan_warm_start(
    request: Members, definitions: Sequence[Definition], parents: Sequence[Parent]
) -> tuple[tuple[Observation, ...], Mapping[str, Any] | None]:
    """(what is known of the new ranges, the parents' best training job where that may be compared)."""
    if not parents:
        return (), None
    is_identical = request["WarmStartConfig"]["WarmStartType"] == IDENTICAL
    observations: list[Observation] = []
    for at, definition in enumerate(definitions):
        for parent in parents:
            theirs = _matching(parent, definition, is_identical)
            observations += _observed(at, definition, parent, theirs, is_identical)
    return tuple(observations), _best(definitions[0], parents) if is_identical else None


def _matching(parent: Parent, mine: Definition, is_identical: bool) -> int:
    """Which of the parent's definitions goes with ``mine``: that of its name, else its only one."""
    names = [each.name for each in parent.definitions]
    at = names.index(mine.name) if mine.name in names else 0
    theirs, name = parent.definitions[at], parent.record.name
    if theirs.objective != mine.objective:
        raise facts.PARENT_OBJECTIVE.error(name=name, theirs=theirs.objective.metric, mine=mine.objective.metric)
    counts = [len(each.ranges) + len(each.request["HyperParameters"]) for each in (theirs, mine)]
    if counts[0] != counts[1]:
        raise facts.PARENT_COUNT.error(name=name, theirs=str(counts[0]), mine=str(counts[1]))
    if is_identical:
        for member in ("InputDataConfig", "AlgorithmSpecification"):
            if _compared(theirs, member) != _compared(mine, member):
                raise facts.PARENT_DATA.error(member=member, name=name)
    return at


def _compared(definition: Definition, member: str) -> Any:
    """Of the algorithm its image alone: logging and metrics may change."""
    value = definition.request.get(member)
    return value.get("TrainingImage") if member == "AlgorithmSpecification" and value else value


def _observed(at: int, mine: Definition, parent: Parent, theirs: int, is_identical: bool) -> Iterator[Observation]:
    told = [trial for trial in parent.trials if trial.definition == theirs and trial.succeeded]
    losses = [mine.objective.loss(trial.objective) for trial in told if trial.objective is not None]
    if not losses:
        return
    middle, spread = fmean(losses), pstdev(losses) or 1.0
    static = parent.definitions[theirs].request["HyperParameters"]
    for trial, loss in zip(told, losses, strict=True):
        values = {**static, **trial.chosen}
        places = [each.place_of(values[each.name]) if each.name in values else None for each in mine.ranges]
        if None not in places:
            point = tuple(place for place in places if place is not None)
            shown = loss if is_identical else (loss - middle) / spread
            yield Observation(at, point, shown, 0.0 if is_identical else DOUBT)


def _best(mine: Definition, parents: Sequence[Parent]) -> Mapping[str, Any] | None:
    states = [from_document(parent.record.state) for parent in parents]
    told = [state.overall_best or state.best for state in states]
    candidates = [each for each in told if each is not None and each["objective"] is not None]
    return min(candidates, key=lambda each: mine.objective.loss(each["objective"]), default=None)
