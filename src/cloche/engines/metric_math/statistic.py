"""Names of statistics and what they compute, after
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html:

    SampleCount Average Sum Minimum Maximum IQM
    p99.9  tm90  wm98  tc90  ts90                  one percentage: what lies above it is trimmed
    TM(2%:98%)  WM(10%:90%)  TC(:95%)  TS(80%:)    two percentages
    TM(150:1000)  TC(0.005:0.030)  PR(:300)        two values: the lower exclusive, the higher inclusive

Percentages cut the sorted samples by weight: tm90 of five samples keeps four and a half of them. Samples that came as
statistic sets have none of these, nor has a metric with negative values; ``None`` then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from cloche.foundation.errors import Invalid
from cloche.storage.metrics import Statistics

Compute = Callable[[Statistics], float | None]

_PLAIN: Final[Mapping[str, Compute]] = {
    "samplecount": lambda held: held.count,
    "average": lambda held: held.average,
    "sum": lambda held: held.total,
    "minimum": lambda held: held.minimum,
    "maximum": lambda held: held.maximum,
}
_NUMBER: Final = r"100(?:\.0{1,10})?|\d{1,2}(?:\.\d{0,10})?"
_SINGLE: Final = re.compile(rf"(p|P|tm|wm|tc|ts)({_NUMBER})")
_RANGE: Final = re.compile(r"(TM|WM|TC|TS|PR)\((\d+(?:\.\d{1,10})?(%?))?:(\d+(?:\.\d{1,10})?(%?))?\)")


def statistic(name: str) -> Compute:
    """What the statistic of that name computes of the samples of a period. Raises ``Invalid`` for no such name."""
    if (plain := _PLAIN.get(name.lower())) is not None:
        return plain
    if found := _SINGLE.fullmatch(name):
        kind, percent = found[1].upper(), float(found[2])
        if kind == "P":
            return lambda held: held.percentile(percent)
        return _by_percent(kind, 0.0, percent)
    if name == "IQM":
        return _by_percent("TM", 25.0, 75.0)
    if found := _RANGE.fullmatch(name):
        return _of_range(name, found)
    raise _unknown(name)


def _unknown(name: str) -> Invalid:
    return Invalid(f"The value {name} for parameter Stat is not a valid statistic.", field="Stat")


def _of_range(name: str, found: re.Match[str]) -> Compute:
    kind, low, low_unit, high, high_unit = found.groups()
    if low is None and high is None:
        raise _unknown(name)
    units = {unit for bound, unit in ((low, low_unit), (high, high_unit)) if bound is not None}
    if len(units) > 1:
        raise Invalid(f"The boundaries of {name} must both be percentages or both be values.", field="Stat")
    bottom = None if low is None else float(low.removesuffix("%"))
    top = None if high is None else float(high.removesuffix("%"))
    if bottom is not None and top is not None and bottom >= top:
        raise Invalid(f"The lower boundary of {name} must be less than the higher one.", field="Stat")
    if units == {"%"}:
        if kind == "PR" or (top or 0.0) > 100 or (bottom or 0.0) > 100:
            raise _unknown(name)
        return _by_percent(kind, bottom or 0.0, 100.0 if top is None else top)
    return _by_value(kind, bottom, top)


def _known(held: Statistics) -> list[tuple[float, float]] | None:
    """Values and how often each, in order; ``None`` where they are not known or there are negative ones."""
    return None if not held.values or held.minimum < 0 else sorted(held.values.items())


def _by_percent(kind: str, low: float, high: float) -> Compute:
    def compute(held: Statistics) -> float | None:
        pairs = _known(held)
        if pairs is None:
            return None
        kept = _trimmed(pairs, held.count * low / 100, held.count * high / 100)
        if kind == "WM":
            bottom, top = held.percentile(low), held.percentile(high)
            if bottom is None or top is None:
                return None
            inside = sum(count for _, count in kept)
            below, above = held.count * low / 100, held.count * (100 - high) / 100
            whole = inside + below + above
            return (sum(value * count for value, count in kept) + bottom * below + top * above) / whole
        return _told(kind, kept, held.count)

    return compute


def _trimmed(pairs: list[tuple[float, float]], start: float, end: float) -> list[tuple[float, float]]:
    """The samples between two places in their order, a sample that a place cuts with what is left of it."""
    kept: list[tuple[float, float]] = []
    seen = 0.0
    for value, count in pairs:
        share = min(seen + count, end) - max(seen, start)
        if share > 1e-9:
            kept.append((value, share))
        seen += count
    return kept


def _by_value(kind: str, low: float | None, high: float | None) -> Compute:
    def compute(held: Statistics) -> float | None:
        pairs = _known(held)
        if pairs is None:
            return None
        if kind == "WM":
            bounded = [
                (min(max(value, low if low is not None else value), high if high is not None else value), count)
                for value, count in pairs
            ]
            return sum(value * count for value, count in bounded) / held.count
        kept = [
            (value, count) for value, count in pairs if (low is None or value > low) and (high is None or value <= high)
        ]
        return _told(kind, kept, held.count)

    return compute


def _told(kind: str, kept: list[tuple[float, float]], whole: float) -> float | None:
    count = sum(share for _, share in kept)
    if kind == "PR":
        return 100.0 * count / whole
    if kind == "TC":
        return count
    total = sum(value * share for value, share in kept)
    if kind == "TS":
        return total
    return total / count if count else None
