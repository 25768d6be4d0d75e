"""Hyperparameter ranges of a request, checked.

A built-in algorithm declares which of its hyperparameters there are and what they may be (``spec.py``): a range must
lie within that. Rules: docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.operation import Members
from cloche.engines.tuning import Range
from cloche.foundation.errors import LimitReached
from cloche.services.sagemaker.tuning import facts
from cloche_jobs.algorithms.declarations import Hyperparameter, Hyperparameters, Interval

RANGES_MAX: Final = 30
"""docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html"""
_TYPES: Final = {"Integer": ("Integer",), "Continuous": ("Continuous",)}


def plan_ranges(given: Members, static: Mapping[str, str], declared: Hyperparameters | None) -> tuple[Range, ...]:
    """In the order of the request: integer, continuous, categorical. Raises AWS's errors and ``LimitReached``."""
    ranges = [
        *(_numbers(each, "Integer") for each in given.get("IntegerParameterRanges") or ()),
        *(_numbers(each, "Continuous") for each in given.get("ContinuousParameterRanges") or ()),
        *(_choices(each) for each in given.get("CategoricalParameterRanges") or ()),
    ]
    if len(ranges) > RANGES_MAX:
        raise LimitReached(f"{len(ranges)} hyperparameters are to be tuned; the maximum is {RANGES_MAX}.")
    names = [_own_name(each.name, declared) for each in ranges]
    fixed = {_own_name(name, declared) for name in static}
    for each, name in zip(ranges, names, strict=True):
        if names.count(name) > 1 or name in fixed:
            raise facts.NAME_TWICE.error(name=each.name)
        if declared is not None:
            _check_declared(each, name, declared)
    return tuple(ranges)


def _numbers(given: Members, kind: str) -> Range:
    name = given["Name"]
    low, high = (_number(given[member], member, name, kind) for member in ("MinValue", "MaxValue"))
    scaling = given.get("ScalingType") or "Auto"
    if low > high:
        raise facts.MIN_ABOVE_MAX.error(name=name, low=given["MinValue"], high=given["MaxValue"])
    if scaling == "Logarithmic" and low <= 0:
        raise facts.NOT_LOGARITHMIC.error(name=name, low=given["MinValue"])
    if scaling == "ReverseLogarithmic" and (kind == "Integer" or not 0 <= low <= high < 1):
        raise facts.NOT_REVERSE.error(name=name, low=given["MinValue"], high=given["MaxValue"])
    return Range(name, "Integer" if kind == "Integer" else "Continuous", low, high, scaling)


def _number(text: str, member: str, name: str, kind: str) -> float:
    try:
        value = int(text) if kind == "Integer" and len(text) < 20 else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (kind == "Integer" and not isinstance(value, int)):
        words = "a whole number" if kind == "Integer" else "a number"
        raise facts.NOT_A_NUMBER.error(member=member, name=name, kind=words, value=text[:64])
    return float(value)


def _choices(given: Members) -> Range:
    values = tuple(given["Values"])
    for value in values:
        if values.count(value) > 1:
            raise facts.VALUE_TWICE.error(value=value, name=given["Name"])
    return Range(given["Name"], "Categorical", values=values)


def _own_name(name: str, declared: Hyperparameters | None) -> str:
    return name if declared is None else declared.aliases.get(name, name)


def _check_declared(each: Range, name: str, declared: Hyperparameters) -> None:
    found = next((known for known in declared.declared if known.name == name), None)
    if found is None or (each.kind != "Categorical" and found.type not in _allowed(each.kind)):
        raise facts.NOT_TUNABLE.error(name=each.name, kind=each.kind)
    if each.kind == "Categorical":
        return  # its values are looked at by the training job, as AWS does with any hyperparameter
    _check_ends(each, found)


def _allowed(kind: str) -> tuple[str, ...]:
    """A whole number is a number, too."""
    return ("Integer", "Continuous") if kind == "Integer" else _TYPES[kind]


def _check_ends(each: Range, found: Hyperparameter) -> None:
    """An open end may be one of the range, as the service knows bounds only: ``_format_range_value`` of
    ``hyperparameter_validation.py`` in aws/sagemaker-xgboost-container tells it no more. A trial that draws just that
    end fails."""
    assert isinstance(found.range, Interval)
    closed = Interval(found.range.min, found.range.max)
    for value in (each.low, each.high):
        if value not in closed:
            shown: Any = int(value) if each.kind == "Integer" else value
            raise facts.OUT_OF_RANGE.error(name=each.name, value=str(shown), range=str(found.range))
