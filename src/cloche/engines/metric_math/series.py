"""What expressions compute with: scalars, time series, arrays of time series, words and texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Series:
    """``points`` are by the beginning of their period, in seconds since 1970; missing ones are not there."""

    points: Mapping[int, float]
    period: int
    label: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    """What ``${PROP('…')}`` of a label may ask: ``MetricName``, ``Dim.InstanceId`` …"""

    def ordered(self) -> list[tuple[int, float]]:
        return sorted(self.points.items())

    def with_points(self, points: Mapping[int, float]) -> Series:
        return replace(self, points=points)


@dataclass(frozen=True, slots=True)
class Word:
    """An option of a function: ``REPEAT``, ``DESC`` …"""

    name: str


Value = float | Series | list[Series] | Word | str

WORDS: Final = frozenset({"REPEAT", "LINEAR", "ASC", "DESC", "AVG", "MIN", "MAX", "SUM"})


def kind_of(value: Value) -> str:
    """For messages."""
    if isinstance(value, Series):
        return "TimeSeries"
    if isinstance(value, list):
        return "Array[TimeSeries]"
    return "Scalar" if isinstance(value, float) else "String"


def is_number(value: float) -> bool:
    return math.isfinite(value)
