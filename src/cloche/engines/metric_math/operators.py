"""Arithmetic, comparison and logic between values of any kind.

"Missing values in a time series are treated as 0. If the value of a data point causes a function to attempt to divide
by zero, the data point is dropped"; comparisons and logic give 1 or 0
(docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Final

from cloche.engines.metric_math.series import Series, Value, Word, kind_of
from cloche.engines.metric_math.syntax import MathError

Pair = Callable[[float, float], float]


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan


def _power(left: float, right: float) -> float:
    try:
        found = left**right
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return math.nan if isinstance(found, complex) else found


def _truth(test: Callable[[float, float], bool]) -> Pair:
    return lambda left, right: 1.0 if test(left, right) else 0.0


OPERATORS: Final[Mapping[str, Pair]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "==": _truth(operator.eq),
    "!=": _truth(operator.ne),
    "<=": _truth(operator.le),
    ">=": _truth(operator.ge),
    "<": _truth(operator.lt),
    ">": _truth(operator.gt),
    "&&": _truth(lambda left, right: left != 0 and right != 0),
    "||": _truth(lambda left, right: left != 0 or right != 0),
}


def combine(sign: str, left: Value, right: Value) -> Value:
    """``left sign right``. What is not a number stays in as NaN or infinity, for the caller to drop and tell."""
    if (
        isinstance(left, Word | str)
        or isinstance(right, Word | str)
        or (isinstance(left, list) and isinstance(right, list))
    ):
        raise MathError(f"Unsupported operand types for {sign}: {kind_of(left)} and {kind_of(right)}")
    pair = OPERATORS[sign]
    if isinstance(left, list):
        return [_of_series(pair, each, right) for each in left]  # type: ignore[arg-type]
    if isinstance(right, list):
        return [_of_series(pair, left, each) for each in right]
    if isinstance(left, Series) or isinstance(right, Series):
        return _of_series(pair, left, right)
    return pair(left, right)


def _of_series(pair: Pair, left: Series | float, right: Series | float) -> Series:
    if isinstance(left, Series) and isinstance(right, Series):
        mine, theirs = left.points, right.points
        points = {at: pair(mine.get(at, 0.0), theirs.get(at, 0.0)) for at in mine.keys() | theirs.keys()}
        return Series(points, max(left.period, right.period), left.label, left.properties)
    if isinstance(left, Series):
        number = float(right)  # type: ignore[arg-type]
        return left.with_points({at: pair(value, number) for at, value in left.points.items()})
    assert isinstance(right, Series)
    return right.with_points({at: pair(left, value) for at, value in right.points.items()})
