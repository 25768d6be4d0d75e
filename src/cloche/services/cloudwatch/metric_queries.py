"""GetMetricStatistics and GetMetricData: statistics of one metric by period, and many metrics in one call.

Metric maths, Metrics Insights and the trimmed statistics (``tm``, ``wm``, ``pr``, ``tc``, ``ts``, ``iqm``) are
refused by name.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.cloudwatch.errors import invalid_combination, invalid_value
from cloche.services.cloudwatch.metric_data import dimensions_of
from cloche.storage.metadata import records
from cloche.storage.metrics import Statistics

# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html and API_GetMetricData.html
STATISTICS_POINTS_MAX: Final = 1_440
QUERIES_MAX: Final = 500
POINTS_MAX: Final = 100_800
SHORT_PERIODS: Final = (1, 5, 10, 20, 30)

_PERCENTILE: Final = re.compile(r"p(100(?:\.0+)?|\d{1,2}(?:\.\d{1,10})?)", re.IGNORECASE)


@operation("GetMetricStatistics", reads=True)
def get_metric_statistics(ctx: Context, request: Members) -> Members:
    """One data point for each period and unit with samples, earliest first."""
    names: list[str] = request.get("Statistics") or []
    extended: list[str] = request.get("ExtendedStatistics") or []
    if bool(names) == bool(extended):
        raise invalid_combination("Exactly one of the parameters Statistics and ExtendedStatistics must be specified.")
    for stat in extended:
        if not _PERCENTILE.fullmatch(stat):
            raise _unknown_statistic(stat)
    period, start, end = _period(request["Period"]), request["StartTime"], request["EndTime"]
    _require_order(start, end)
    count = (end.timestamp() - start.timestamp()) / period
    if count > STATISTICS_POINTS_MAX:
        raise invalid_combination(
            f"You have requested up to {int(count):,} datapoints, which exceeds the limit of "
            f"{STATISTICS_POINTS_MAX:,}. You may reduce the datapoints requested by increasing Period, or decreasing "
            "the time range."
        )
    ctx.parts.metrics.flush()
    found = ctx.parts.metrics.query(
        ctx.account,
        ctx.region,
        request["Namespace"],
        request["MetricName"],
        dimensions_of(request),
        start=_aligned(start, period),
        end=end.timestamp(),
        period=period,
        unit=request.get("Unit"),
    )
    points: list[Members] = []
    for at, unit, held in found:
        point: Members = {"Timestamp": from_epoch(at), "Unit": unit}
        point.update({name: statistic(held, name) for name in names})
        if extended:
            values = {name: value for name in extended if (value := statistic(held, name)) is not None}
            if not values:
                continue
            point["ExtendedStatistics"] = values
        points.append(point)
    return {"Label": request["MetricName"], "Datapoints": points}


@operation("GetMetricData", reads=True)
def get_metric_data(ctx: Context, request: Members) -> Members:
    """Each query's points, latest first unless asked otherwise. ``MaxDatapoints`` cuts into pages."""
    queries: list[Members] = request["MetricDataQueries"]
    start, end = request["StartTime"], request["EndTime"]
    _require_order(start, end)
    _require_queries(queries)
    ascending = request.get("ScanBy") == "TimestampAscending"
    room = min(request.get("MaxDatapoints", POINTS_MAX), POINTS_MAX)
    question = _question(ctx, request)
    secret = records.page_secret(ctx.parts.database.reader)
    first, offset = _place(secret, question, request.get("NextToken"))
    ctx.parts.metrics.flush()
    results: list[Members] = []
    answer: Members = {"MetricDataResults": results, "Messages": []}
    for number, query in enumerate(queries):
        if number < first or query.get("ReturnData") is False:
            continue
        points = _points(ctx, query["MetricStat"], start, end)
        if not ascending:
            points.reverse()
        begin = offset if number == first else 0
        taken = points[begin : begin + room]
        room -= len(taken)
        whole = begin + len(taken) == len(points)
        results.append(_result(query, taken, whole))
        if not whole:
            answer["NextToken"] = tokens.seal(secret, question, (number, begin + len(taken)))
            break
    return answer


def statistic(held: Statistics, name: str) -> float | None:
    """A statistic by AWS's name of it, in any case; ``None`` where the samples do not tell a percentile."""
    plain = {
        "samplecount": held.count,
        "average": held.average,
        "sum": held.total,
        "minimum": held.minimum,
        "maximum": held.maximum,
    }
    if name.lower() in plain:
        return plain[name.lower()]
    if found := _PERCENTILE.fullmatch(name):
        return held.percentile(float(found[1]))
    raise _unknown_statistic(name)


def _unknown_statistic(name: str) -> Exception:
    if re.fullmatch(r"(tm|wm|tc|ts|pr|iqm)\b.*|iqm|(tm|wm|tc|ts)\d.*", name, re.IGNORECASE):
        return NotSupported(f"The statistic {name} is not supported in Cloche")
    return invalid_value(f"The value {name} for parameter Stat is not a valid statistic.")


def _period(period: int) -> int:
    if period in SHORT_PERIODS or period % 60 == 0:
        return period
    raise invalid_value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")


def _require_order(start: datetime, end: datetime) -> None:
    if start >= end:
        raise invalid_combination("The parameter StartTime must be less than the parameter EndTime.")


def _aligned(start: datetime, period: int) -> float:
    """Rounded down to the whole minute, or to the period where that is shorter."""
    step = period if period < 60 else 60
    return start.timestamp() // step * step


def _require_queries(queries: list[Members]) -> None:
    if not 0 < len(queries) <= QUERIES_MAX:
        raise invalid_value(f"The collection MetricDataQueries must have between 1 and {QUERIES_MAX} members.")
    seen: set[str] = set()
    for query in queries:
        name = query["Id"]
        if not re.fullmatch(r"[a-z][a-zA-Z0-9_]*", name):
            raise invalid_value(f"The value {name} for parameter Id must begin with a lower-case letter.")
        if name in seen:
            raise invalid_value(f"The value {name} for parameter Id is not unique.")
        seen.add(name)
        if "Expression" in query:
            raise NotSupported(f"Metric maths and Metrics Insights (Expression of {name}) are not supported in Cloche")
        if "MetricStat" not in query:
            raise invalid_combination(f"The query {name} must have a MetricStat or an Expression.")
        stat = query["MetricStat"]
        for member in ("Namespace", "MetricName"):
            if member not in stat["Metric"]:
                raise invalid_value(f"The parameter MetricStat.Metric.{member} of {name} is required.")
        _period(stat["Period"])
        statistic(Statistics.of(0.0), stat["Stat"])


def _question(ctx: Context, request: Members) -> list[Any]:
    asked = {key: value for key, value in request.items() if key not in ("NextToken", "MaxDatapoints")}
    return ["GetMetricData", ctx.account, ctx.region, asked]


def _place(secret: bytes, question: list[Any], token: str | None) -> tuple[int, int]:
    if not token:
        return 0, 0
    try:
        number, offset = tokens.unseal(secret, question, token)
    except Invalid as error:
        raise invalid_value(f"Invalid nextToken: {error.message}") from None
    return number, offset


def _points(ctx: Context, stat: Members, start: datetime, end: datetime) -> list[tuple[int, float]]:
    metric, period = stat["Metric"], stat["Period"]
    found = ctx.parts.metrics.query(
        ctx.account,
        ctx.region,
        metric["Namespace"],
        metric["MetricName"],
        dimensions_of(metric),
        start=_aligned(start, period),
        end=end.timestamp(),
        period=period,
        unit=stat.get("Unit"),
    )
    # Samples of every unit, as the API says; those of different units are points of their own.
    values = [(at, statistic(held, stat["Stat"])) for at, _, held in found]
    return [(at, value) for at, value in values if value is not None]


def _result(query: Members, points: list[tuple[int, float]], whole: bool) -> Members:
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or query["MetricStat"]["Metric"]["MetricName"],
        "Timestamps": [from_epoch(at) for at, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete" if whole else "PartialData",
    }
