"""What a tuning job tries next. Everything follows from the plan, its seed and the trials that were.

Grid, random and the first points of a Bayesian search are arithmetic; where a model is to be asked, ``propose`` calls
the searcher. So no library needs to be loaded before the first trials run.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from cloche.engines.tuning.plan import Definition, Plan
from cloche.engines.tuning.trials import Trial

Point = tuple[float, ...]
Search = Callable[[dict[str, Any]], Point]
DRAWS_MAX: Final = 200
FIRST_MIN: Final = 3
FIRST_MAX: Final = 10
_LOSS_OF_FAILURE: Final = 1.0
"""How far beyond the worst loss a failed trial is taken to be, in widths of all losses: the search avoids its place."""


def definition_of_next(plan: Plan, trials: Sequence[Trial]) -> int | None:
    """Definitions take turns; one whose combinations have all been tried is passed over. ``None``: nothing is left."""
    tried = [sum(trial.definition == at for trial in trials) for at in range(len(plan.definitions))]
    open_ones = [
        at for at, definition in enumerate(plan.definitions) if tried[at] < combinations(definition) or not _fixed(plan)
    ]
    return min(open_ones, key=lambda at: (tried[at], at), default=None)


def combinations(definition: Definition) -> float:
    """How many different trials there are; infinite with a continuous range."""
    return math.prod(each.count for each in definition.ranges)


def chosen_at(definition: Definition, point: Point) -> dict[str, str]:
    return {each.name: each.value_at(place) for each, place in zip(definition.ranges, point, strict=True)}


def propose(plan: Plan, at: int, number: int, trials: Sequence[Trial], search: Search) -> Point:
    """The place of trial ``number``, of definition ``at``."""
    definition = plan.definitions[at]
    mine = [trial for trial in trials if trial.definition == at]
    if plan.strategy == "Grid":
        return _combination(definition, len(mine))
    if plan.strategy == "Bayesian":
        known = [observed for observed in plan.observations if observed.definition == at]
        first = 0 if known else first_points(plan, definition)
        seen = sum(trial.has_ended for trial in mine) + len(known)
        if len(mine) < first or seen < min(2, first + len(known)):
            return _unlike(definition, mine, _spread_out(plan, definition, at, len(mine)))
        return search(_question(plan, definition, at, number, mine))
    return _unlike(definition, mine, _drawn(plan, definition, at, number))


def first_points(plan: Plan, definition: Definition) -> int:
    """How many trials a Bayesian search begins with before it asks a model."""
    share = plan.jobs_max // len(plan.definitions)
    return max(FIRST_MIN, min(2 * len(definition.ranges), share // 4, FIRST_MAX))


def _fixed(plan: Plan) -> bool:
    """No combination may come twice."""
    return plan.strategy == "Grid"


def _combination(definition: Definition, number: int) -> Point:
    """Counted from 0; the last range changes fastest."""
    point: list[float] = []
    for each in reversed(definition.ranges):
        number, value = divmod(number, len(each.values))
        point.append((value + 0.5) / len(each.values))
    return tuple(reversed(point))


def _drawn(plan: Plan, definition: Definition, at: int, number: int) -> Iterator[Point]:
    for attempt in itertools.count():
        dice = random.Random(f"{plan.seed}/{at}/{number}/{attempt}")  # noqa: S311 - to be repeated, not unguessable
        yield tuple(dice.random() for _ in definition.ranges)


def _spread_out(plan: Plan, definition: Definition, at: int, count: int) -> Iterator[Point]:
    """Points that fill the cube evenly from the first on: the additive recurrence of the generalised golden ratio
    (extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences), begun at a place of the seed's."""
    width = len(definition.ranges)
    ratio = 2.0
    for _ in range(40):
        ratio = (1 + ratio) ** (1 / (width + 1))
    steps = [ratio ** -(axis + 1) for axis in range(width)]
    dice = random.Random(f"{plan.seed}/{at}")  # noqa: S311
    begin = [dice.random() for _ in range(width)]
    for index in itertools.count(count):
        yield tuple((start + (index + 1) * step) % 1.0 for start, step in zip(begin, steps, strict=True))


def _unlike(definition: Definition, mine: Sequence[Trial], points: Iterator[Point]) -> Point:
    """The first of ``points`` that is another trial than all before, if one of the first many is."""
    tried = {tuple(trial.chosen.items()) for trial in mine}
    first = next(points)
    for point in itertools.islice(itertools.chain([first], points), DRAWS_MAX):
        if tuple(chosen_at(definition, point).items()) not in tried:
            return point
    return first


def _compared(losses: list[float]) -> list[float]:
    """Losses beside those of other data, which are told in standard deviations from their mean."""
    from statistics import fmean, pstdev  # with its fractions and decimals it is slow to load, and seldom needed

    if not losses:
        return []
    spread = pstdev(losses) or 1.0
    return [(loss - fmean(losses)) / spread for loss in losses]


def _question(plan: Plan, definition: Definition, at: int, number: int, mine: Sequence[Trial]) -> dict[str, Any]:
    known = [observed for observed in plan.observations if observed.definition == at]
    ended = [trial for trial in mine if trial.has_ended]
    good = [trial for trial in ended if trial.succeeded and trial.objective is not None]
    own = [definition.objective.loss(trial.objective) for trial in good if trial.objective is not None]
    losses = [observed.loss for observed in known]
    losses += _compared(own) if any(observed.noise for observed in known) else own
    points = [list(observed.point) for observed in known] + [list(trial.point) for trial in good]
    noise = [observed.noise for observed in known] + [0.0] * len(good)
    failed = [trial for trial in ended if not trial.succeeded]
    if losses and failed:
        beyond = max(losses) + _LOSS_OF_FAILURE * (max(losses) - min(losses))
        points += [list(trial.point) for trial in failed]
        losses += [beyond] * len(failed)
        noise += [0.0] * len(failed)
    return {
        "dimensions": [list(each.dimension) for each in definition.ranges],
        "points": points,
        "losses": losses,
        "noise": noise,
        "pending": [list(trial.point) for trial in mine if not trial.has_ended],
        "seed": [plan.seed, at, number],
    }
