"""GetMetricStatistics, and what it shares with GetMetricData: periods, times, statistics of one metric."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.metric_math import statistic
from cloche.engines.metric_math.statistic import Compute
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid
from cloche.services.cloudwatch.errors import invalid_combination, invalid_value
from cloche.services.cloudwatch.metric_data import dimensions_of
from cloche.storage.metrics import Statistics

# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
STATISTICS_POINTS_MAX: Final = 1_440
SHORT_PERIODS: Final = (1, 5, 10, 20, 30)
DAY_SECONDS: Final = 24 * 3600


@operation("GetMetricStatistics", reads=True)
def get_metric_statistics(ctx: Context, request: Members) -> Members:
    """One data point for each period and unit with samples, earliest first."""
    names: list[str] = request.get("Statistics") or []
    extended: list[str] = request.get("ExtendedStatistics") or []
    if bool(names) == bool(extended):
        raise invalid_combination("Exactly one of the parameters Statistics and ExtendedStatistics must be specified.")
    computed = {name: known_statistic(name) for name in (*names, *extended)}
    period, start, end = require_period(request["Period"]), request["StartTime"], request["EndTime"]
    require_order(start, end)
    count = (end.timestamp() - start.timestamp()) / period
    if count > STATISTICS_POINTS_MAX:
        raise invalid_combination(
            f"You have requested up to {int(count):,} datapoints, which exceeds the limit of "
            f"{STATISTICS_POINTS_MAX:,}. You may reduce the datapoints requested by increasing Period, or decreasing "
            "the time range."
        )
    ctx.parts.metrics.flush()
    points: list[Members] = []
    for at, unit, held in held_by(ctx, request, start, end, period, request.get("Unit")):
        values = {name: value for name, compute in computed.items() if (value := compute(held)) is not None}
        if values:
            told = {"ExtendedStatistics": values} if extended else values
            points.append({"Timestamp": from_epoch(at), "Unit": unit, **told})
    return {"Label": request["MetricName"], "Datapoints": points}


def held_by(
    ctx: Context, metric: Members, start: datetime, end: datetime, period: int, unit: str | None
) -> list[tuple[int, str, Statistics]]:
    """(beginning of the period, unit, samples) of the metric that ``metric`` names."""
    found: list[tuple[int, str, Statistics]] = ctx.parts.metrics.query(
        ctx.account,
        ctx.region,
        metric["Namespace"],
        metric["MetricName"],
        dimensions_of(metric),
        start=aligned(ctx, start, period),
        end=end.timestamp(),
        period=period,
        unit=unit,
    )
    return found


def known_statistic(name: str) -> Compute:
    try:
        return statistic(name)
    except Invalid as error:
        raise invalid_value(error.message) from None


def require_period(period: int) -> int:
    if period in SHORT_PERIODS or (period > 0 and period % 60 == 0):
        return period
    raise invalid_value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")


def require_order(start: datetime, end: datetime) -> None:
    if start >= end:
        raise invalid_combination("The parameter StartTime must be less than the parameter EndTime.")


def aligned(ctx: Context, start: datetime, period: int) -> float:
    """Rounded down: to the whole minute, to five beyond 15 days, to the hour beyond 63, to a short period itself."""
    age = ctx.now.timestamp() - start.timestamp()
    step = 60
    if age > 63 * DAY_SECONDS:
        step = 3600
    elif age > 15 * DAY_SECONDS:
        step = 300
    elif period < 60:
        step = period
    return start.timestamp() // step * step
