"""A tuning job's trials as pictures: scatters of the objective, and parallel coordinates, the best above the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloche.console.asking import Members

HEIGHT: Final = 220
STEP: Final = 150
MARGIN: Final = 60
TOP: Final = 26
DRAWN_MAX: Final = 300
"""Lines of parallel coordinates; of more trials the best are drawn."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One hyperparameter: ``labels`` are the values of a categorical one, in their order along the axis."""

    name: str
    low: float
    high: float
    labels: tuple[str, ...] = ()
    is_logarithmic: bool = False

    def number(self, value: str) -> float:
        return float(self.labels.index(value)) if self.labels else float(value)

    def place(self, value: str) -> float:
        """From 0 to 1 along the axis."""
        number, low, high = self.number(value), self.low, self.high
        if self.is_logarithmic:
            number, low, high = math.log(number), math.log(low), math.log(high)
        return (number - low) / (high - low) if high > low else 0.5

    @property
    def ends(self) -> tuple[str, str]:
        return (self.labels[0], self.labels[-1]) if self.labels else (f"{self.low:.4g}", f"{self.high:.4g}")


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    points: str
    """Of an SVG polyline."""
    share: float
    """How good it is: 1 for the best, 0 for the worst."""
    told: str


@dataclass(frozen=True, slots=True)
class Coordinates:
    axes: tuple[tuple[int, Axis], ...]
    """Each with its place from the left."""
    lines: tuple[Line, ...]
    """The best last, so that it lies above the others."""
    width: int
    height: int = HEIGHT


def axes_of(ranges: Members) -> list[Axis]:
    """Of a ``ParameterRanges`` structure."""
    numbers = [*(ranges.get("ContinuousParameterRanges") or ()), *(ranges.get("IntegerParameterRanges") or ())]
    axes = []
    for each in numbers:
        low, high = float(each["MinValue"]), float(each["MaxValue"])
        is_logarithmic = each.get("ScalingType") == "Logarithmic" or (low > 0 and high / low >= 100)
        axes.append(Axis(each["Name"], low, high, is_logarithmic=is_logarithmic and low > 0))
    for each in ranges.get("CategoricalParameterRanges") or ():
        axes.append(Axis(each["Name"], 0.0, max(len(each["Values"]) - 1.0, 0.0), tuple(each["Values"])))
    return axes


def charts(trials: Sequence[Members], axes: Sequence[Axis], *, maximize: bool) -> list[dict[str, Any]]:
    """By the number of the trial, then by each hyperparameter. ``trials`` are in the order they were begun."""
    told = [(number, trial) for number, trial in enumerate(trials, 1) if _objective(trial) is not None]
    if not told:
        return []
    best, line = None, []
    for _, trial in told:
        value = _objective(trial)
        assert value is not None
        best = value if best is None else max(best, value) if maximize else min(best, value)
        line.append(best)
    by_number = _scatter("objective by trial", "trial", [(float(number), trial) for number, trial in told])
    by_number["series"].append({"label": "best so far", "values": line})
    return [by_number, *(_of_axis(axis, [trial for _, trial in told]) for axis in axes)]


def _of_axis(axis: Axis, trials: Sequence[Members]) -> dict[str, Any]:
    placed = [
        (axis.number(trial["TunedHyperParameters"][axis.name]), trial)
        for trial in trials
        if axis.name in trial["TunedHyperParameters"]
    ]
    chart = _scatter(f"objective by {axis.name}", axis.name, sorted(placed, key=lambda each: each[0]))
    return {**chart, "x_labels": list(axis.labels), "x_log": axis.is_logarithmic}


def _scatter(title: str, x_is: str, placed: Sequence[tuple[float, Members]]) -> dict[str, Any]:
    """Trials that completed and those that were stopped, each in a colour."""
    series = []
    for label, statuses in (("objective", ("Completed",)), ("stopped", ("Stopped",))):
        values = [_objective(trial) if trial["TrainingJobStatus"] in statuses else None for _, trial in placed]
        if label == "objective" or any(value is not None for value in values):
            series.append({"label": label, "values": values, "marks": True})
    return {"title": title, "x": [x for x, _ in placed], "x_is": x_is, "series": series}


def coordinates(trials: Sequence[Members], axes: Sequence[Axis], *, maximize: bool) -> Coordinates | None:
    """``None`` where there is nothing to compare."""
    told = [trial for trial in trials if _objective(trial) is not None]
    if len(told) < 2 or not axes:
        return None
    told.sort(key=lambda trial: _objective(trial) or 0.0, reverse=not maximize)
    told = told[-DRAWN_MAX:]
    values = [_objective(trial) or 0.0 for trial in told]
    last = Axis("objective", min(values), max(values))
    placed = tuple((MARGIN + at * STEP, axis) for at, axis in enumerate([*axes, last]))
    lines = []
    for rank, trial in enumerate(told):
        chosen = {**trial["TunedHyperParameters"], last.name: repr(values[rank])}
        points = [(x, axis.place(chosen[axis.name])) for x, axis in placed if axis.name in chosen]
        lines.append(
            Line(
                trial["TrainingJobName"],
                " ".join(f"{x},{HEIGHT - MARGIN / 2 - place * (HEIGHT - MARGIN / 2 - TOP):.1f}" for x, place in points),
                rank / (len(told) - 1),
                ", ".join(f"{name} {value}" for name, value in chosen.items()),
            )
        )
    return Coordinates(placed, tuple(lines), 2 * MARGIN + len(axes) * STEP)


def _objective(trial: Members) -> float | None:
    told = trial.get("FinalHyperParameterTuningJobObjectiveMetric")
    return None if told is None else float(told["Value"])
