"""What is evaluated of a metric alarm: its request, read once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloche.engines.alarms import windows
from cloche.engines.alarms.judging import BANDS, Point, samples_wanted
from cloche.storage.metrics import Statistics

Compute = Callable[[Statistics], float | None]
Dimensions = tuple[tuple[str, str], ...]
Metric = tuple[str, str, Dimensions]
"""Namespace, name, dimensions in their order."""

PERIOD_DEFAULT: Final = 300
"""Of expressions that name no metric: SEARCH_PERIOD_DEFAULT of GetMetricData."""
_BY_THE_CLOCK: Final = re.compile(
    r"\b(MINUTE|HOUR|DAY|DATE|MONTH|YEAR|EPOCH|TIME_SERIES|SEARCH|ANOMALY_DETECTION_BAND)\s*\("
)
_PERCENTILE: Final = re.compile(r"[pP](\d{1,3}(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Plan:
    period: int
    periods: int
    needed: int
    is_needed_said: bool
    operator: str
    threshold: float | None
    """``None``: a band."""
    missing: str
    metrics: tuple[Metric, ...]
    """All it looks at."""
    unit: str | None
    statistic: str | None
    compute: Compute | None
    queries: Sequence[Mapping[str, Any]]
    """Of an alarm on expressions; empty for one on a single metric."""
    main: str
    """The Id that is watched."""
    band: str | None
    """The Id of the band it is held against."""
    samples_least: float
    """With fewer samples a percentile changes nothing."""
    by_the_clock: bool
    """May change without new data: evaluated every time."""
    on_the_hour: bool
    """Periods begin where the clock's do (``WallClockWindow``)."""

    @property
    def interval(self) -> int:
        return windows.interval(self.period, self.periods)

    def is_breaching(self, point: Point) -> bool:
        return point.is_breaching(self.operator, self.threshold or 0.0)


def read(request: Mapping[str, Any], statistic: Callable[[str], Compute]) -> Plan:
    """Of a request that has been validated."""
    queries = request.get("Metrics") or ()
    operator, band = request["ComparisonOperator"], request.get("ThresholdMetricId")
    named = request.get("Statistic") or request.get("ExtendedStatistic")
    if queries:
        stats = [query["MetricStat"] for query in queries if "MetricStat" in query]
        metrics = tuple(dict.fromkeys(_metric(stat["Metric"]) for stat in stats))
        main = next(query["Id"] for query in queries if query.get("ReturnData", True) and query["Id"] != band)
    else:
        metrics, main = (_metric(request),), ""
    wall = "WallClockWindow" in (request.get("EvaluationWindow") or {})
    clocked = any(_BY_THE_CLOCK.search(query.get("Expression", "")) for query in queries)
    return Plan(
        period=period_of(request),
        periods=request["EvaluationPeriods"],
        needed=request.get("DatapointsToAlarm") or request["EvaluationPeriods"],
        is_needed_said="DatapointsToAlarm" in request,
        operator=operator,
        threshold=None if operator in BANDS else request["Threshold"],
        missing=request.get("TreatMissingData") or _missing_default(metrics),
        metrics=metrics,
        unit=request.get("Unit"),
        statistic=named,
        compute=None if queries else statistic(named or ""),
        queries=queries,
        main=main,
        band=band,
        samples_least=_samples_least(request),
        by_the_clock=clocked,
        on_the_hour=wall or clocked,
    )


def period_of(request: Mapping[str, Any]) -> int:
    """The longest there is, as where expressions are computed."""
    queries = request.get("Metrics")
    if not queries:
        return int(request["Period"])
    said = [query["MetricStat"]["Period"] for query in queries if "MetricStat" in query]
    said += [query["Period"] for query in queries if "Period" in query]
    return int(max(said, default=PERIOD_DEFAULT))


def _metric(named: Mapping[str, Any]) -> Metric:
    pairs = sorted((pair["Name"], pair["Value"]) for pair in named.get("Dimensions") or ())
    return named["Namespace"], named["MetricName"], tuple(pairs)


def _missing_default(metrics: Sequence[Metric]) -> str:
    """Of the namespace AWS/DynamoDB alarms ignore missing data by default (alarms-and-missing-data.html)."""
    return "ignore" if any(namespace == "AWS/DynamoDB" for namespace, _, _ in metrics) else "missing"


def _samples_least(request: Mapping[str, Any]) -> float:
    if request.get("EvaluateLowSampleCountPercentile") != "ignore":
        return 0.0
    found = _PERCENTILE.fullmatch(request.get("ExtendedStatistic") or "")
    return samples_wanted(float(found[1])) if found else 0.0
