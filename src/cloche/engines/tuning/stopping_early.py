"""Which trials are not worth their time, by the values of the objective metric they have told so far.

Two rules; both are pure. Values of the metric stand for epochs: what is told n-th is told in the n-th epoch.

*The median rule* (TrainingJobEarlyStoppingType Auto). AWS compares the value after an epoch with the median of the
running averages of earlier training jobs up to the same epoch, and stops a job whose value is worse
(docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html). How many jobs and epochs it waits
for that page does not say; "Amazon SageMaker Automatic Model Tuning" (Perrone et al., KDD 2021, section 5) tells of a
minimum that follows from completed jobs. Here it is ``EARLIER_MIN`` jobs and a quarter of the median length of them.

*Hyperband* (Li et al., JMLR 2018) as asynchronous successive halving (Li et al., MLSys 2020): a trial belongs to a
bracket; at each of the bracket's rungs it goes on only if its value is among the best third of all that came there.
At ``MaxResource`` every trial is stopped, as AWS does (API_HyperbandStrategyConfig).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from cloche.engines.tuning.plan import Objective

Curve = Sequence[float]
EARLIER_MIN: Final = 3
SHARE_MIN: Final = 0.25
REDUCTION: Final = 3
"""Of the trials at a rung, one in so many goes on."""
_GOLDEN: Final = (5**0.5 - 1) / 2


def is_below_median(objective: Objective, curve: Curve, earlier: Sequence[Curve]) -> bool:
    """Whether a trial with ``curve`` is to be stopped, given the curves of trials that ended."""
    from statistics import median  # with its fractions and decimals it is slow to load, and seldom needed

    long_ones = [each for each in earlier if each]
    if len(long_ones) < EARLIER_MIN:
        return False
    epochs = len(curve)
    if epochs < max(1, math.ceil(SHARE_MIN * median(len(each) for each in long_ones))):
        return False
    averages = [sum(each[:epochs]) / epochs for each in long_ones if len(each) >= epochs]
    return len(averages) >= EARLIER_MIN and objective.better(median(averages), curve[-1])


def rungs(least: int, most: int, bracket: int) -> list[int]:
    """Numbers of epochs at which a bracket's trials are compared; the higher the bracket, the later it begins."""
    steps = range(bracket, _brackets(least, most))
    return [rung for step in steps if (rung := least * REDUCTION**step) < most]


def bracket_of(number: int, least: int, most: int) -> int:
    """The bracket of trial ``number``: each bracket gets the share of trials that Hyperband gives it."""
    count = _brackets(least, most)
    weights = [math.ceil(count / (count - at) * REDUCTION ** (count - 1 - at)) for at in range(count)]
    place = (number * _GOLDEN) % 1.0 * sum(weights)
    for bracket, weight in enumerate(weights):
        if place < weight:
            return bracket
        place -= weight
    return count - 1


def is_halved(
    objective: Objective, number: int, curves: Mapping[int, Curve], decided: int, least: int, most: int
) -> bool:
    """Whether Hyperband stops trial ``number`` for what it told after epoch ``decided``. ``curves`` are those of all
    trials, by number."""
    mine, bracket = curves[number], bracket_of(number, least, most)
    for rung in rungs(least, most, bracket):
        if not decided < rung <= len(mine):
            continue
        there = [
            each[rung - 1]
            for other, each in curves.items()
            if len(each) >= rung and bracket_of(other, least, most) == bracket
        ]
        better = sum(objective.better(each, mine[rung - 1]) for each in there)
        if len(there) >= REDUCTION and better >= max(1, len(there) // REDUCTION):
            return True
    return len(mine) >= most


def _brackets(least: int, most: int) -> int:
    count = 1
    while least * REDUCTION**count <= most:
        count += 1
    return count
