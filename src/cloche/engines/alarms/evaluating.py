"""One evaluation of one metric alarm: points are read, judged, and the outcome put in words. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cloche.engines.alarms import reasons, windows
from cloche.engines.alarms.judging import INSUFFICIENT_DATA, RANGE_EXTRA, Point, Verdict, judge
from cloche.engines.alarms.plan import Plan
from cloche.foundation.errors import Invalid, NotSupported
from cloche.storage.metrics import MetricStore

ERROR: Final = "EVALUATION_ERROR"
REASON_MAX: Final = 1_023
"""Characters of ``StateReason``, by the model."""


@dataclass(frozen=True, slots=True)
class Row:
    """Points of an evaluation range, newest period first, and when it would next look different."""

    points: list[Point | None]
    moves_at: int | None


class Expressions(Protocol):
    """Who computes expressions over metrics (``server/alarm_expressions.py``)."""

    def row(self, account: str, region: str, plan: Plan, end: int, count: int) -> list[Point | None]:
        """Raises ``Invalid`` or ``NotSupported`` for what cannot be computed."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    state: str | None
    """``None``: as it is, and nothing to say of it."""
    reason: str
    data: str | None
    evaluation: str | None
    """An ``EvaluationState``."""
    next_at: int | None
    """When it is worth while to look again, if no data come before."""


def evaluate(
    metrics: MetricStore, expressions: Expressions, account: str, region: str, plan: Plan, state: str, now: float
) -> Outcome:
    """As of the last evaluation that was due at ``now``, of an alarm that is in ``state``."""
    moment, end = _moments(plan, now)
    count = plan.periods + RANGE_EXTRA
    try:
        row = _read(metrics, expressions, account, region, plan, end, count)
    except (Invalid, NotSupported) as error:
        return Outcome(
            INSUFFICIENT_DATA, f"Evaluation error: {error.message}"[:REASON_MAX], None, ERROR, moment + plan.interval
        )
    following = moment + plan.interval
    next_at = None if row.moves_at is None else max(windows.upwards(row.moves_at, plan.interval), following)
    if plan.by_the_clock:  # until the next period of the clock ends, only new data make a difference
        next_at = windows.upwards(moment + 1, max(plan.period, plan.interval))
    verdict = judge(
        row.points, periods=plan.periods, needed=plan.needed, missing=plan.missing, breaching=plan.is_breaching
    )
    if any((point.samples or 0.0) < plan.samples_least for point in verdict.points):
        verdict = Verdict(None, verdict.points, 0)
    if verdict.state is None or verdict.state == state:
        return Outcome(None, "", None, None, next_at)
    return Outcome(verdict.state, _reason(plan, verdict), _data(plan, verdict, end, now), None, next_at)


def points(
    metrics: MetricStore, expressions: Expressions, account: str, region: str, plan: Plan, now: float
) -> list[Point]:
    """What the last evaluation that was due at ``now`` looks at, newest first. Raises ``Invalid`` or ``NotSupported``
    for expressions that cannot be computed."""
    _, end = _moments(plan, now)
    row = _read(metrics, expressions, account, region, plan, end, plan.periods)
    return [point for point in row.points if point is not None]


def _moments(plan: Plan, now: float) -> tuple[int, int]:
    """When it was due, and where its newest period ends."""
    moment = int(now // plan.interval * plan.interval)
    return moment, moment // plan.period * plan.period if plan.on_the_hour else moment


def _read(
    metrics: MetricStore, expressions: Expressions, account: str, region: str, plan: Plan, end: int, count: int
) -> Row:
    step, begin = windows.piece(plan.period), end - count * plan.period
    beginnings: set[int] = set()
    gathered: list[Any] = []
    for namespace, name, dimensions in plan.metrics:
        held = metrics.query(
            account,
            region,
            namespace,
            name,
            dimensions,
            start=begin,
            end=float("inf"),
            period=step,
            unit=plan.unit,
        )
        beginnings.update(at for at, _, _ in held)
        if not plan.queries:
            gathered = list(windows.gather(((at, each) for at, _, each in held), end, plan.period, count))
    moves_at = windows.next_change(beginnings, end, plan.period, count)
    if plan.queries:
        return Row(expressions.row(account, region, plan, end, count), moves_at)
    assert plan.compute is not None
    points: list[Point | None] = []
    for place, samples in enumerate(gathered):
        value = None if samples is None else plan.compute(samples)
        at = end - (place + 1) * plan.period
        points.append(None if value is None else Point(at, value, samples.count))
    return Row(points, moves_at)


def _reason(plan: Plan, verdict: Verdict) -> str:
    assert verdict.state is not None
    return reasons.text(
        verdict,
        verdict.state,
        operator=plan.operator,
        threshold=plan.threshold or 0.0,
        periods=plan.periods,
        needed=plan.needed if plan.is_needed_said else None,
        missing=plan.missing,
        breaching=plan.is_breaching,
    )


def _data(plan: Plan, verdict: Verdict, end: int, now: float) -> str:
    starts: Sequence[int] = [end - place * plan.period for place in range(1, plan.periods + 1)]
    return reasons.data(
        verdict,
        now=now,
        starts=starts,
        period=plan.period,
        statistic=plan.statistic,
        unit=plan.unit,
        threshold=plan.threshold,
    )
