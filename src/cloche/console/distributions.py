"""What a monitor saw beside what it was to see: the two ``statistics.json`` as pictures, feature by feature.

Numbers come as ten buckets each, with bounds of their own: both are drawn along one axis, each bucket as high as its
share of the values. Texts come as counts of values: a pair of bars for each of the commonest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 280
HEIGHT: Final = 96
VALUES_MAX: Final = 8
THIN: Final = 2.0
"""How wide a bucket is at least that holds one value alone."""


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    told: str


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    type: str
    baseline: tuple[Bar, ...]
    now: tuple[Bar, ...]
    ends: tuple[str, str]
    """What is written at both ends of the axis."""
    facts: tuple[tuple[str, str, str], ...]
    """(what, in the baseline, now)."""
    violations: int


@dataclass(frozen=True, slots=True)
class _Bucket:
    low: float
    high: float
    share: float


def pictures(
    baseline: Mapping[str, Any] | None, now: Mapping[str, Any], violations: Mapping[str, int]
) -> list[Picture]:
    """Of all features of ``now``, those with violations first. Features are matched by their places, as the analyzer
    compares captured CSV, which has no names."""
    before: list[Mapping[str, Any]] = list((baseline or {}).get("features") or ())
    features: list[Mapping[str, Any]] = list(now.get("features") or ())
    made = []
    for at, feature in enumerate(features):
        same = next((each for each in before if each["name"] == feature["name"]), None)
        if same is None and at < len(before) and str(feature["name"]).startswith("_c"):
            same = before[at]
        name = str(same["name"] if same is not None else feature["name"])
        made.append(_picture(name, same, feature, violations.get(name, violations.get(str(feature["name"]), 0))))
    return sorted(made, key=lambda picture: -picture.violations)


def _picture(name: str, before: Mapping[str, Any] | None, now: Mapping[str, Any], violations: int) -> Picture:
    kind = str(now.get("inferred_type", ""))
    counts = _values(before), _values(now)
    if counts[1]:
        bars, ends = _of_values(*counts), ("", "")
    else:
        bars, ends = _of_numbers(_buckets(before), _buckets(now))
    return Picture(name, kind, bars[0], bars[1], ends, tuple(_facts(before, now)), violations)


def _of_numbers(
    before: Sequence[_Bucket], now: Sequence[_Bucket]
) -> tuple[tuple[tuple[Bar, ...], tuple[Bar, ...]], tuple[str, str]]:
    every = [*before, *now]
    if not every:
        return ((), ()), ("", "")
    low, high = min(each.low for each in every), max(each.high for each in every)
    most = max(each.share for each in every) or 1.0
    scale = WIDTH / (high - low) if high > low else 0.0

    def bar(bucket: _Bucket) -> Bar:
        width = max((bucket.high - bucket.low) * scale, THIN)
        x = min((bucket.low - low) * scale if scale else WIDTH / 2, WIDTH - width)
        height = HEIGHT * bucket.share / most
        told = f"{bucket.low:.6g} to {bucket.high:.6g}: {bucket.share:.1%}"
        return Bar(round(x, 2), round(HEIGHT - height, 2), round(width, 2), round(height, 2), told)

    bars = tuple(bar(each) for each in before if each.share), tuple(bar(each) for each in now if each.share)
    return bars, (f"{low:.6g}", f"{high:.6g}")


def _of_values(before: Mapping[str, float], now: Mapping[str, float]) -> tuple[tuple[Bar, ...], tuple[Bar, ...]]:
    totals = {value: before.get(value, 0.0) + now.get(value, 0.0) for value in [*before, *now]}
    shown = sorted(totals, key=lambda value: (-totals[value], value))[:VALUES_MAX]
    most = max([*before.values(), *now.values()], default=1.0) or 1.0
    place = WIDTH / max(len(shown), 1)

    def bars(shares: Mapping[str, float], shift: float) -> tuple[Bar, ...]:
        made = []
        for at, value in enumerate(shown):
            height = HEIGHT * shares.get(value, 0.0) / most
            told = f"{value[:80]}: {shares.get(value, 0.0):.1%}"
            x = at * place + shift * place * 0.45
            made.append(Bar(round(x, 2), round(HEIGHT - height, 2), round(place * 0.42, 2), round(height, 2), told))
        return tuple(made)

    return bars(before, 0.0), bars(now, 1.0)


def _buckets(feature: Mapping[str, Any] | None) -> list[_Bucket]:
    numbers = (feature or {}).get("numerical_statistics") or {}
    found = ((numbers.get("distribution") or {}).get("kll") or {}).get("buckets") or []
    total = sum(float(each["count"]) for each in found) or 1.0
    return [
        _Bucket(float(each["lower_bound"]), float(each["upper_bound"]), float(each["count"]) / total) for each in found
    ]


def _values(feature: Mapping[str, Any] | None) -> dict[str, float]:
    texts = (feature or {}).get("string_statistics") or {}
    found = ((texts.get("distribution") or {}).get("categorical") or {}).get("buckets") or []
    total = sum(float(each["count"]) for each in found) or 1.0
    return {str(each["value"]): float(each["count"]) / total for each in found}


def _facts(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    found = []
    for what, member in (("mean", "mean"), ("deviation", "std_dev"), ("distinct", "distinct_count")):
        values = [_statistics(each).get(member) for each in (before or {}, now)]
        if values[1] is not None:
            found.append((what, *(("" if value is None else f"{float(value):.6g}") for value in values)))
    shares = [_present(_statistics(each).get("common") or {}) for each in (before or {}, now)]
    found.append(("present", shares[0], shares[1]))
    return [(what, first, second) for what, first, second in found]


def _statistics(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = feature.get("numerical_statistics") or feature.get("string_statistics") or {}
    return found


def _present(common: Mapping[str, Any]) -> str:
    present, missing = float(common.get("num_present", 0)), float(common.get("num_missing", 0))
    return f"{present / (present + missing):.1%}" if present + missing else ""
