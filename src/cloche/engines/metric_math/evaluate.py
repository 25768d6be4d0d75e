"""Computing an expression over what a ``Scope`` gives it.

An expression may name metrics and other expressions of the same request; each is computed once, and a circle is an
error. Work is counted in data points, so that no request can keep a thread for long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from cloche.engines.metric_math.anomaly import Model
from cloche.engines.metric_math.functions import FUNCTIONS, NOT_OFFERED
from cloche.engines.metric_math.operators import combine
from cloche.engines.metric_math.series import WORDS, Series, Value, Word, is_number, kind_of
from cloche.engines.metric_math.syntax import (
    Array,
    Binary,
    Call,
    MathError,
    Name,
    Negative,
    Node,
    Number,
    Text,
    read_expression,
)
from cloche.foundation.errors import NotSupported

POINTS_MAX: Final = 5_000_000


class Scope(Protocol):
    """What an expression may refer to. Times are seconds since 1970, ``end`` is exclusive."""

    start: float
    end: float

    def metric_ids(self) -> list[str]:
        """Ids of the request's metrics, in its order."""
        ...

    def metric(self, id: str) -> Series: ...

    def expression(self, id: str) -> str | None:
        """The text of another expression of the request."""
        ...

    def period(self, id: str) -> int:
        """The period in which the expression of that id is asked for."""
        ...

    def search(self, query: str, stat: str, period: int) -> list[Series]: ...

    def model(self, id: str) -> Model | None:
        """Of what the metric of that id has been like; ``None`` where too little is known."""
        ...


@dataclass(slots=True)
class Evaluation:
    """What became of an expression: a series (``is_array`` false: exactly one) or several."""

    series: list[Series]
    is_array: bool
    dropped: bool
    """Data points were left out because they were not numbers."""


@dataclass(slots=True)
class _Run:
    scope: Scope
    period: int
    open: list[str] = field(default_factory=list)
    done: dict[str, Value] = field(default_factory=dict)
    dropped: bool = False
    points: int = 0

    def times(self, period: int) -> range:
        first = int(self.scope.start // period * period)
        last = int(self.scope.end)
        if (last - first) // period > POINTS_MAX // 10:
            raise MathError("The time range has too many periods for a math expression")
        return range(first, last if last == self.scope.end else last + 1, period)


def evaluate(scope: Scope, id: str) -> Evaluation:
    """Raises ``MathError`` that names the expression, ``NotSupported`` for functions that are not offered."""
    run = _Run(scope, scope.period(id))
    try:
        value = _named(run, id)
        if isinstance(value, Series):
            return Evaluation([value], False, run.dropped)
        if isinstance(value, list):
            return Evaluation(value, True, run.dropped)
        raise MathError("The result must be a time series or an array of time series")
    except NotSupported as error:
        raise NotSupported(f"Error in expression '{id}': {error.message}") from None
    except MathError as error:
        # The form is CloudWatch's: "Error in expression 'e1': Function 'X' not found".
        raise MathError(f"Error in expression '{id}': {error.message}", field="Expression") from None


def _named(run: _Run, id: str) -> Value:
    if id in run.done:
        return run.done[id]
    text = run.scope.expression(id)
    if text is None:
        value: Value = run.scope.metric(id)
    else:
        if id in run.open:
            raise MathError(f"Expressions refer to each other in a circle: {', '.join([*run.open, id])}")
        run.open.append(id)
        period, run.period = run.period, run.scope.period(id)
        value = _value(run, read_expression(text))
        run.period = period
        run.open.pop()
    run.done[id] = value
    return value


def _value(run: _Run, node: Node) -> Value:
    match node:
        case Number(value):
            return value
        case Text(value):
            return value
        case Name(name):
            return _name(run, name)
        case Negative(operand):
            return _counted(run, combine("-", 0.0, _value(run, operand)))
        case Array(items):
            return _array(run, items)
        case Binary(sign, left, right):
            return _counted(run, combine(sign, _value(run, left), _value(run, right)))
        case Call(function, arguments):
            return _counted(run, _call(run, function, arguments))


def _name(run: _Run, name: str) -> Value:
    if name in run.done or run.scope.expression(name) is not None or name in run.scope.metric_ids():
        return _named(run, name)
    if name in WORDS:
        return Word(name)
    raise MathError(f"There is no metric or expression with the Id {name}")


def _array(run: _Run, items: tuple[Node, ...]) -> list[Series]:
    found: list[Series] = []
    for item in items:
        value = _value(run, item)
        if isinstance(value, Series):
            found.append(value)
        elif isinstance(value, list):
            found.extend(value)
        else:
            raise MathError(f"An array holds time series, not {kind_of(value)}")
    return found


def _call(run: _Run, function: str, arguments: tuple[Node, ...]) -> Value:
    if function in NOT_OFFERED:
        raise NotSupported(f"{function} is not supported in Cloche: {NOT_OFFERED[function]}")
    if function == "METRICS":
        return _metrics(run, arguments)
    if function == "SEARCH":
        return _search(run, arguments)
    if function == "PERIOD":
        return _period(run, arguments)
    if function == "ANOMALY_DETECTION_BAND":
        return _band(run, arguments)
    found = FUNCTIONS.get(function)
    if found is None:
        raise MathError(f"Function '{function}' not found")
    fewest, most, apply = found
    if not fewest <= len(arguments) <= most:
        raise MathError(f"Function '{function}' takes {fewest if fewest == most else f'{fewest} to {most}'} arguments")
    run.points += 1
    return apply(run, [_value(run, argument) for argument in arguments])


def _metrics(run: _Run, arguments: tuple[Node, ...]) -> list[Series]:
    part = ""
    if arguments:
        if len(arguments) > 1 or not isinstance(arguments[0], Text):
            raise MathError("METRICS takes one string, or nothing")
        part = arguments[0].value
    return [run.scope.metric(id) for id in run.scope.metric_ids() if part in id]


def _search(run: _Run, arguments: tuple[Node, ...]) -> list[Series]:
    match arguments:
        case (Text(query), Text(stat)):
            return run.scope.search(query, stat, run.period)
        case (Text(query), Text(stat), Number(period)):
            return run.scope.search(query, stat, int(period))
    raise MathError("SEARCH takes a search, a statistic and, if need be, a period")


def _period(run: _Run, arguments: tuple[Node, ...]) -> float:
    """AWS: "Valid input is metrics, not the results of other expressions."."""
    if len(arguments) != 1 or not isinstance(arguments[0], Name) or arguments[0].name not in run.scope.metric_ids():
        raise MathError("PERIOD takes the Id of a metric")
    return float(run.scope.metric(arguments[0].name).period)


def _band(run: _Run, arguments: tuple[Node, ...]) -> list[Series]:
    """The upper and the lower edge, for every period of the time range."""
    match arguments:
        case (Name(id),):
            width = 2.0
        case (Name(id), Number(width)):
            pass
        case _:
            raise MathError("ANOMALY_DETECTION_BAND takes the Id of a metric and, if need be, a number")
    if id not in run.scope.metric_ids():
        raise NotSupported("ANOMALY_DETECTION_BAND of an expression is not supported in Cloche, only of a metric")
    series, model = run.scope.metric(id), run.scope.model(id)
    edges = ({}, {}) if model is None else model.bounds(run.times(series.period), width)
    label = f"{series.label} (expected)"
    return [Series(points, series.period, label, series.properties) for points in edges]


def _counted(run: _Run, value: Value) -> Value:
    """Without what is no number, and with the work it took accounted for."""
    if isinstance(value, Series):
        return _clean(run, value)
    if isinstance(value, list):
        return [_clean(run, each) for each in value]
    return value


def _clean(run: _Run, series: Series) -> Series:
    run.points += len(series.points)
    if run.points > POINTS_MAX:
        raise MathError(f"The expression computes more than {POINTS_MAX:,} data points")
    points = {at: value for at, value in series.points.items() if is_number(value)}
    if len(points) == len(series.points):
        return series
    run.dropped = True
    return series.with_points(points)
