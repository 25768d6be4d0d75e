"""The functions of metric math (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html).

Each is a function of the evaluation's time grid and its arguments. What AWS's guide leaves open is decided here:
MIN, MAX and STDDEV of an array look at the series that have a value at a time; STDDEV is of the whole population;
scalars of a series without data are not a number, and whatever is computed with them is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Protocol

from cloche.engines.metric_math.series import Series, Value, Word, kind_of
from cloche.engines.metric_math.syntax import MathError


class Grid(Protocol):
    """The time range that is asked for."""

    period: int

    def times(self, period: int) -> range: ...


Function = Callable[[Grid, list[Value]], Value]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _deviation(values: list[float]) -> float:
    if not values:
        return math.nan
    middle = _mean(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values) / len(values))


_AGGREGATES: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "SUM": lambda values: math.fsum(values) if values else math.nan,
    "AVG": _mean,
    "MIN": lambda values: min(values, default=math.nan),
    "MAX": lambda values: max(values, default=math.nan),
    "STDDEV": _deviation,
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}


def _aggregate(name: str) -> Function:
    """Of one series a scalar, of an array a series."""

    def apply(grid: Grid, arguments: list[Value]) -> Value:
        (value,) = arguments
        reduce = _AGGREGATES[name]
        if isinstance(value, Series):
            return reduce([number for _, number in value.ordered()])
        series = _array(name, value)
        times = sorted({at for each in series for at in each.points})
        if name == "AVG":  # "Missing values are treated as 0"
            points = {at: math.fsum(each.points.get(at, 0.0) for each in series) / len(series) for at in times}
        else:
            points = {at: reduce([each.points[at] for each in series if at in each.points]) for at in times}
        return Series(points, max((each.period for each in series), default=grid.period))

    return apply


def _each(change: Callable[[float], float]) -> Function:
    """The same for every data point."""

    def apply(grid: Grid, arguments: list[Value]) -> Value:
        (value,) = arguments
        if isinstance(value, float):
            return change(value)
        return _mapped("The function", value, lambda each: {at: change(number) for at, number in each.points.items()})

    return apply


def _along(change: Callable[[list[tuple[int, float]]], Mapping[int, float]]) -> Function:
    """The points of a series in their order."""

    def apply(grid: Grid, arguments: list[Value]) -> Value:
        (value,) = arguments
        return _mapped("The function", value, lambda each: change(each.ordered()))

    return apply


def _mapped(name: str, value: Value, change: Callable[[Series], Mapping[int, float]]) -> Value:
    if isinstance(value, Series):
        return value.with_points(change(value))
    return [each.with_points(change(each)) for each in _array(name, value)]


def _array(name: str, value: Value) -> list[Series]:
    if isinstance(value, list):
        return value
    if isinstance(value, Series):
        return [value]
    raise MathError(f"{name} takes time series, not {kind_of(value)}")


def _scalar(name: str, value: Value) -> float:
    if isinstance(value, float):
        return value
    raise MathError(f"{name} takes a scalar here, not {kind_of(value)}")


def _logarithm(logarithm: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: logarithm(value) if value > 0 else math.nan


def _whole(rounding: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(rounding(value)) if math.isfinite(value) else value


def _running_sum(points: list[tuple[int, float]]) -> dict[int, float]:
    total, sums = 0.0, {}
    for at, value in points:
        total += value
        sums[at] = total
    return sums


def _differences(of: Callable[[int, float], float]) -> Callable[[list[tuple[int, float]]], dict[int, float]]:
    def change(points: list[tuple[int, float]]) -> dict[int, float]:
        return {later[0]: of(later[0] - earlier[0], later[1] - earlier[1]) for earlier, later in pairwise(points)}

    return change


def _fill(grid: Grid, arguments: list[Value]) -> Value:
    value, filler = arguments

    def fill(each: Series) -> Mapping[int, float]:
        times = [at for at in grid.times(each.period) if at not in each.points]
        if isinstance(filler, float):
            return {**dict.fromkeys(times, filler), **each.points}
        if isinstance(filler, Series):
            return {**{at: filler.points[at] for at in times if at in filler.points}, **each.points}
        if isinstance(filler, Word) and filler.name in ("REPEAT", "LINEAR"):
            return _bridged(each, times, linear=filler.name == "LINEAR")
        raise MathError("FILL takes a scalar, a time series, REPEAT or LINEAR as its second argument")

    return _mapped("FILL", value, fill)


def _bridged(series: Series, missing: list[int], *, linear: bool) -> dict[int, float]:
    """Gaps after a value repeat it, or lie on the line to the next; what comes before the first value stays open, and
    with a line also what comes after the last."""
    points = dict(series.points)
    known = series.ordered()
    place = -1
    for at in missing:
        while place + 1 < len(known) and known[place + 1][0] < at:
            place += 1
        if place < 0:
            continue
        before, value = known[place]
        if not linear:
            points[at] = value
        elif place + 1 < len(known):
            after, following = known[place + 1]
            points[at] = value + (following - value) * (at - before) / (after - before)
    return points


def _sort(grid: Grid, arguments: list[Value]) -> Value:
    series, function, order = _array("SORT", arguments[0]), arguments[1], arguments[2]
    if not isinstance(function, Word) or function.name not in ("AVG", "MIN", "MAX", "SUM"):
        raise MathError("SORT sorts by AVG, MIN, MAX or SUM")
    if not isinstance(order, Word) or order.name not in ("ASC", "DESC"):
        raise MathError("SORT sorts in the order ASC or DESC")
    reduce = _AGGREGATES[function.name]
    weighed = [(reduce([number for _, number in each.ordered()]), each) for each in series]
    known = sorted((pair for pair in weighed if not math.isnan(pair[0])), key=lambda pair: pair[0])
    if order.name == "DESC":
        known.reverse()
    ordered = [each for _, each in known] + [each for weight, each in weighed if math.isnan(weight)]
    return ordered if len(arguments) < 4 else ordered[: max(int(_scalar("SORT", arguments[3])), 0)]


def _slice(grid: Grid, arguments: list[Value]) -> Value:
    series = _array("SLICE", arguments[0])
    bounds = [int(_scalar("SLICE", argument)) for argument in arguments[1:]]
    if any(bound < 0 for bound in bounds):
        raise MathError("SLICE takes numbers that are not negative")
    return series[bounds[0] :] if len(bounds) == 1 else series[bounds[0] : bounds[1]]


def _end(at: int) -> Function:
    def apply(grid: Grid, arguments: list[Value]) -> Value:
        series = _array("FIRST", arguments[0])
        return series[at] if series else Series({}, grid.period)

    return apply


def _time_series(grid: Grid, arguments: list[Value]) -> Value:
    value = _scalar("TIME_SERIES", arguments[0])
    return Series(dict.fromkeys(grid.times(grid.period), value), grid.period)


def _calendar(part: Callable[[datetime], float]) -> Function:
    """A value for every period of the range, whether there is data or not; in UTC."""

    def apply(grid: Grid, arguments: list[Value]) -> Value:
        (value,) = arguments
        if not isinstance(value, Series):
            raise MathError(f"functions of the date take a time series, not {kind_of(value)}")
        times = grid.times(value.period)
        return value.with_points({at: float(part(datetime.fromtimestamp(at, UTC))) for at in times})

    return apply


def _metric_count(grid: Grid, arguments: list[Value]) -> Value:
    return float(len(_array("METRIC_COUNT", arguments[0])))


def _remove_empty(grid: Grid, arguments: list[Value]) -> Value:
    return [each for each in _array("REMOVE_EMPTY", arguments[0]) if each.points]


def _if(grid: Grid, arguments: list[Value]) -> Value:
    """By the tables of the guide: a value missing where the condition is true is 0, where it is false dropped."""
    condition, positive = arguments[0], arguments[1]
    negative: Value = arguments[2] if len(arguments) > 2 else Series({}, grid.period)
    if any(isinstance(argument, list | Word | str) for argument in (condition, positive, negative)):
        raise MathError("IF takes scalars and time series")
    if isinstance(condition, float):
        return positive if condition else negative
    assert isinstance(condition, Series)
    points: dict[int, float] = {}
    for at, holds in condition.points.items():
        chosen = positive if holds else negative
        if isinstance(chosen, float):
            points[at] = chosen
        elif isinstance(chosen, Series) and (holds or at in chosen.points):
            points[at] = chosen.points.get(at, 0.0)
    return Series(points, condition.period, condition.label, condition.properties)


FUNCTIONS: Final[Mapping[str, tuple[int, int, Function]]] = {
    **{name: (1, 1, _aggregate(name)) for name in _AGGREGATES},
    "ABS": (1, 1, _each(abs)),
    "CEIL": (1, 1, _each(_whole(math.ceil))),
    "FLOOR": (1, 1, _each(_whole(math.floor))),
    "LOG": (1, 1, _each(_logarithm(math.log))),
    "LOG10": (1, 1, _each(_logarithm(math.log10))),
    "DIFF": (1, 1, _along(_differences(lambda seconds, change: change))),
    "DIFF_TIME": (1, 1, _along(_differences(lambda seconds, change: float(seconds)))),
    "RATE": (1, 1, _along(_differences(lambda seconds, change: change / seconds))),
    "RUNNING_SUM": (1, 1, _along(_running_sum)),
    "FILL": (2, 2, _fill),
    "IF": (2, 3, _if),
    "SORT": (3, 4, _sort),
    "SLICE": (2, 3, _slice),
    "FIRST": (1, 1, _end(0)),
    "LAST": (1, 1, _end(-1)),
    "REMOVE_EMPTY": (1, 1, _remove_empty),
    "METRIC_COUNT": (1, 1, _metric_count),
    "TIME_SERIES": (1, 1, _time_series),
    "MINUTE": (1, 1, _calendar(lambda at: at.minute)),
    "HOUR": (1, 1, _calendar(lambda at: at.hour)),
    "DAY": (1, 1, _calendar(lambda at: at.isoweekday())),
    "DATE": (1, 1, _calendar(lambda at: at.day)),
    "MONTH": (1, 1, _calendar(lambda at: at.month)),
    "YEAR": (1, 1, _calendar(lambda at: at.year)),
    "EPOCH": (1, 1, _calendar(lambda at: at.timestamp())),
}
"""Name → (fewest arguments, most arguments, what it does)."""

NOT_OFFERED: Final = {
    "INSIGHT_RULE_METRIC": "Contributor Insights rules are not built",
    "SERVICE_QUOTA": "usage metrics of AWS's own services are not published",
    "DB_PERF_INSIGHTS": "there is no Performance Insights",
    "LAMBDA": "there are no connectors to other data sources",
}
"""Functions of AWS's that are refused by name, and why."""
