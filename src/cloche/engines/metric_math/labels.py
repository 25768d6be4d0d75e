"""Dynamic labels: ``${MAX}``, ``${PROP('Dim.InstanceId')}``, ``${LAST_TIME}`` … filled in from a series.

The variables are those of docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/graph-dynamic-labels.html. Its
limits hold: six dynamic values in a label, ``${LABEL}`` once. How numbers and times are written is not documented;
here numbers have up to three decimals, times are ``2026-11-25 16:00`` in the zone that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from cloche.engines.metric_math.series import Series
from cloche.foundation.errors import Invalid

VALUES_MAX: Final = 6
_VARIABLE: Final = re.compile(r"\$\{\s*([A-Z_]+)\s*(?:\(\s*'([^']*)'\s*\))?\s*\}")
_ZONE: Final = re.compile(r"([+-])(\d{2})(\d{2})")
Points = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Labelling:
    now: float
    zone: timezone = UTC

    @staticmethod
    def of(now: float, zone: str | None) -> Labelling:
        """``zone`` as the API has it: ``+0130``. Raises ``Invalid``."""
        if zone is None:
            return Labelling(now)
        found = _ZONE.fullmatch(zone)
        if found is None or int(found[2]) > 23 or int(found[3]) > 59:
            raise Invalid(f"The value {zone} for parameter Timezone must be + or - and four digits.", field="Timezone")
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return Labelling(now, timezone(-offset if found[1] == "-" else offset))


def label_of(template: str, series: Series, labelling: Labelling) -> str:
    """The template with its variables filled in; one that is not known stays as it is. Raises ``Invalid``."""
    if "${" not in template:
        return template
    names = [found[1] for found in _VARIABLE.finditer(template)]
    if names.count("LABEL") > 1:
        raise Invalid("${LABEL} may be used only once within a label.", field="Label")
    if len([name for name in names if name not in ("LABEL", "PROP")]) > VALUES_MAX:
        raise Invalid(f"A label may have at most {VALUES_MAX} dynamic values.", field="Label")
    points = series.ordered()

    def fill(found: re.Match[str]) -> str:
        name, argument = found[1], found[2]
        if name == "LABEL":
            return series.label
        if name == "PROP":
            return series.properties.get(argument or "", found[0])
        if name == "DATAPOINT_COUNT":
            return str(len(points))
        if name in _VALUES or name in _TIMES or name in _RANGES:
            return _told(name, points, labelling) if points else "--"
        return found[0]

    return _VARIABLE.sub(fill, template)


def _told(name: str, points: Points, labelling: Labelling) -> str:
    if name in _VALUES:
        return _number(_VALUES[name](points))
    if name in _TIMES:
        at = _TIMES[name](points)
        if name.endswith("_RELATIVE"):
            return _span(labelling.now - at)
        return datetime.fromtimestamp(at, labelling.zone).strftime("%Y-%m-%d %H:%M")
    return _span(_RANGES[name](points))


def _lowest(points: Points) -> tuple[int, float]:
    return min(points, key=lambda point: point[1])


def _highest(points: Points) -> tuple[int, float]:
    return max(points, key=lambda point: point[1])


_VALUES: Final[Mapping[str, Callable[[Points], float]]] = {
    "AVG": lambda points: sum(value for _, value in points) / len(points),
    "SUM": lambda points: sum(value for _, value in points),
    "MIN": lambda points: _lowest(points)[1],
    "MAX": lambda points: _highest(points)[1],
    "FIRST": lambda points: points[0][1],
    "LAST": lambda points: points[-1][1],
    "FIRST_LAST_RANGE": lambda points: points[-1][1] - points[0][1],
    "MIN_MAX_RANGE": lambda points: _highest(points)[1] - _lowest(points)[1],
}
_INSTANTS: Final[Mapping[str, Callable[[Points], int]]] = {
    "FIRST_TIME": lambda points: points[0][0],
    "LAST_TIME": lambda points: points[-1][0],
    "MIN_TIME": lambda points: _lowest(points)[0],
    "MAX_TIME": lambda points: _highest(points)[0],
}
_TIMES: Final = {**_INSTANTS, **{f"{name}_RELATIVE": instant for name, instant in _INSTANTS.items()}}
_RANGES: Final[Mapping[str, Callable[[Points], int]]] = {
    "FIRST_LAST_TIME_RANGE": lambda points: points[-1][0] - points[0][0],
    "MIN_MAX_TIME_RANGE": lambda points: abs(_highest(points)[0] - _lowest(points)[0]),
}


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _span(seconds: float) -> str:
    """``1d 2h 5m``."""
    left = int(abs(seconds))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
