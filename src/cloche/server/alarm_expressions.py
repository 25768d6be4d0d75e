"""Metric math for alarms: what expressions are given, and what they make of it, period by period.

Periods end with the evaluation, not where the clock's begin (``engines/alarms/windows``); expressions know only the
latter, so they are given times that are shifted by the difference. Functions of the date and bands are not: their
alarms have periods of the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloche.engines.alarms import windows
from cloche.engines.alarms.detectors import Detectors
from cloche.engines.alarms.judging import Point
from cloche.engines.alarms.plan import PERIOD_DEFAULT, Plan
from cloche.engines.metric_math import Model, Series, evaluate, statistic, train
from cloche.foundation.errors import Invalid, NotSupported
from cloche.storage.metrics import MetricStore

MODEL_SECONDS: Final = 3600
"""For how long what was learnt of a metric is used."""
MODELS_MAX: Final = 500

_Key = tuple[str, str, Any, str, int]


class AlarmExpressions:
    def __init__(self, metrics: MetricStore, detectors: Detectors) -> None:
        self._metrics, self._detectors = metrics, detectors
        self._models: dict[_Key, tuple[int, Model | None]] = {}

    def row(self, account: str, region: str, plan: Plan, end: int, count: int) -> list[Point | None]:
        """Newest first. Raises ``Invalid`` or ``NotSupported``."""
        scope = _Scope(self, account, region, plan, end, count)
        main = _one(evaluate(scope, plan.main).series)
        upper: Mapping[int, float] = {}
        lower: Mapping[int, float] = {}
        if plan.band is not None:
            edges = evaluate(scope, plan.band).series
            if len(edges) != 2:
                raise Invalid(f"The expression '{plan.band}' is not a band")
            upper, lower = edges[0].points, edges[1].points
        row: list[Point | None] = []
        for place in range(count):
            at = end - (place + 1) * plan.period
            value = main.points.get(at - scope.offset)
            high, low = upper.get(at - scope.offset), lower.get(at - scope.offset)
            has_band = plan.band is None or (high is not None and low is not None)
            row.append(Point(at, value, None, low, high) if value is not None and has_band else None)
        return row

    def read(
        self, account: str, region: str, stat: Mapping[str, Any], end: int, begin: int, offset: int
    ) -> dict[int, float]:
        period = stat["Period"]
        namespace, name, dimensions = _metric(stat["Metric"])
        held = self._metrics.query(
            account,
            region,
            namespace,
            name,
            dimensions,
            start=begin,
            end=end,
            period=windows.piece(period),
            unit=stat.get("Unit"),
        )
        count = -(-(end - begin) // period)
        gathered = windows.gather(((at, each) for at, _, each in held), end, period, count)
        compute = statistic(stat["Stat"])
        points = {}
        for place, samples in enumerate(gathered):
            if samples is not None and (value := compute(samples)) is not None:
                points[end - (place + 1) * period - offset] = value
        return points

    def model(self, account: str, region: str, stat: Mapping[str, Any], before: int) -> Model | None:
        metric, hour = _metric(stat["Metric"]), before // MODEL_SECONDS
        key = (account, region, metric, stat["Stat"], stat["Period"])
        held = self._models.get(key)
        if held is None or held[0] != hour or held[1] is None:
            if len(self._models) >= MODELS_MAX:
                self._models.clear()
            compute = statistic(stat["Stat"])
            past = self._detectors.history(account, region, metric, stat["Stat"], compute, stat["Period"], before)
            held = self._models[key] = (hour, train(past))
        return held[1]


class _Scope:
    """A ``metric_math.Scope`` of one evaluation."""

    def __init__(
        self, expressions: AlarmExpressions, account: str, region: str, plan: Plan, end: int, count: int
    ) -> None:
        self._expressions, self._account, self._region = expressions, account, region
        self._queries = {query["Id"]: query for query in plan.queries}
        self._end, self._begin = end, end - count * plan.period
        self.offset = end % plan.period
        self.start, self.end = float(self._begin - self.offset), float(end - self.offset)
        self._period = plan.period

    def metric_ids(self) -> list[str]:
        return [id for id, query in self._queries.items() if "MetricStat" in query]

    def metric(self, id: str) -> Series:
        stat = self._queries[id]["MetricStat"]
        points = self._expressions.read(self._account, self._region, stat, self._end, self._begin, self.offset)
        return Series(points, stat["Period"], self._queries[id].get("Label") or stat["Metric"]["MetricName"])

    def expression(self, id: str) -> str | None:
        query = self._queries.get(id)
        return None if query is None else query.get("Expression")

    def period(self, id: str) -> int:
        return int(self._queries[id].get("Period") or self._period or PERIOD_DEFAULT)

    def search(self, query: str, stat: str, period: int) -> list[Series]:
        raise NotSupported("SEARCH is not supported in alarms, as on AWS")

    def model(self, id: str) -> Model | None:
        stat = self._queries[id]["MetricStat"]
        return self._expressions.model(self._account, self._region, stat, self._begin)


def _metric(named: Mapping[str, Any]) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    pairs = sorted((pair["Name"], pair["Value"]) for pair in named.get("Dimensions") or ())
    return named["Namespace"], named["MetricName"], tuple(pairs)


def _one(series: list[Series]) -> Series:
    if len(series) != 1:
        raise Invalid(f"The expression makes {len(series)} time series; an alarm watches one")
    return series[0]
