"""A metric widget of a dashboard: what it asks for, and how its numbers are drawn by its ``view``.

The views are docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html, in
"Properties of a Metric Widget Object". Lines and areas are drawn by the browser; the rest are shapes reckoned here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from cloche.console.asking import Members
from cloche.console.metric_charts import Series, chart

RADIUS: Final = 45.0
MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Slice:
    """Of a pie, or the filled part of a gauge: ``path`` in a box of 100 x 100."""

    label: str
    value: float
    share: float
    path: str


@dataclass(frozen=True, slots=True)
class Gauge:
    label: str
    value: float | None
    ends: tuple[float, float]
    whole: str
    filled: str


# -- what is asked for -----------------------------------------------------------------------------------------


def metric_queries(properties: Members) -> list[Members]:
    """The widget's ``metrics`` as GetMetricData wants them. In an array ``.`` repeats a field of the array before, and
    ``...`` all those that are not said."""
    period, stat = int(properties.get("period") or 300), str(properties.get("stat") or "Average")
    before: list[str] = []
    queries: list[Members] = []
    for number, entry in enumerate(properties.get("metrics") or ()):
        options = entry[-1] if entry and isinstance(entry[-1], dict) else {}
        fields = [str(field) for field in (entry[:-1] if options else entry)]
        id = str(options.get("id") or f"w{number}")
        shown = {"Id": id, "ReturnData": options.get("visible") is not False}
        if label := options.get("label"):
            shown["Label"] = str(label)
        if "expression" in options:
            queries.append({**shown, "Expression": str(options["expression"]), "Period": period})
            continue
        fields = _filled(fields, before)
        before = fields
        dimensions = [{"Name": fields[at], "Value": fields[at + 1]} for at in range(2, len(fields) - 1, 2)]
        metric = {"Namespace": fields[0], "MetricName": fields[1], "Dimensions": dimensions}
        asked_for = {"Period": int(options.get("period") or period), "Stat": str(options.get("stat") or stat)}
        queries.append({**shown, "MetricStat": {"Metric": metric, **asked_for}})
    return queries


def _filled(fields: list[str], before: list[str]) -> list[str]:
    if "..." in fields:
        at = fields.index("...")
        rest = fields[at + 1 :]
        fields = [*fields[:at], *before[at : len(before) - len(rest)], *rest]
    filled = [before[at] if field == "." and at < len(before) else field for at, field in enumerate(fields)]
    return filled if len(filled) >= 2 else [*filled, *[""] * (2 - len(filled))]


def over(query: Members, span: timedelta) -> Members:
    """``setPeriodToTimeRange``: one number of the whole time that is shown."""
    period = math.ceil(span.total_seconds() / MINUTE) * MINUTE
    if "MetricStat" in query:
        return {**query, "MetricStat": {**query["MetricStat"], "Period": period}}
    return {**query, "Period": period}


def levels_of(properties: Members) -> list[tuple[str, float]]:
    """Its horizontal annotations."""
    return [
        (str(each.get("label") or "level"), float(each["value"]))
        for each in (properties.get("annotations") or {}).get("horizontal") or ()
        if isinstance(each, dict) and isinstance(each.get("value"), int | float)
    ]


# -- how it is drawn -------------------------------------------------------------------------------------------


def seen(properties: Members, series: Series, levels: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """What the page is handed for that view."""
    view, title = str(properties.get("view") or "timeSeries"), str(properties.get("title") or "metrics")
    latest = [(label, points[max(points)] if points else None) for label, points in series]
    if view == "timeSeries":
        return {"charts": [stacked(title, series) if properties.get("stacked") else chart(title, series, levels)]}
    if view == "singleValue":
        return {"kind": "values", "values": latest}
    if view == "bar":
        return {"charts": [bars(title, latest)]}
    if view == "pie":
        return {"kind": "pie", "pie": pie(latest)}
    if view == "gauge":
        return {"kind": "gauges", "gauges": [gauge(properties, label, value) for label, value in latest]}
    if view == "table":
        return {"kind": "log", "fields": list(_MEASURES), "rows": [_measured(*each) for each in series]}
    return {"kind": "none", "why": f"the view {view} of metrics is not drawn here"}


def stacked(title: str, series: Series) -> dict[str, Any]:
    """Areas upon each other, the last on top; beside each sum stands what the series itself has."""
    drawn = chart(title, series)
    below = [0.0] * len(drawn["x"])
    for line in drawn["series"]:
        line["own"] = line["values"]
        below = [low + (value or 0.0) for low, value in zip(below, line["own"], strict=True)]
        line["values"] = below
    drawn["series"].reverse()
    return {**drawn, "stacked": True}


def bars(title: str, latest: Sequence[tuple[str, float | None]]) -> dict[str, Any]:
    values = [{"label": title, "values": [value for _, value in latest]}]
    labels = [label for label, _ in latest]
    return {
        "title": title,
        "x": list(range(len(latest))),
        "x_is": "metric",
        "x_labels": labels,
        "bars": True,
        "series": values,
    }


def pie(latest: Sequence[tuple[str, float | None]]) -> list[Slice]:
    """Clockwise from the top. What has no value, or one that is no part of a whole, has no slice."""
    there = [(label, value) for label, value in latest if value is not None and value > 0]
    total = sum(value for _, value in there)
    made, at = [], 0.0
    for label, value in there:
        share = value / total
        made.append(Slice(label, value, share, _sector(at, at + share)))
        at += share
    return made


def gauge(properties: Members, label: str, value: float | None) -> Gauge:
    """Half a ring between the ends that ``yAxis`` says; CloudWatch asks for both."""
    axis = (properties.get("yAxis") or {}).get("left") or {}
    low, high = float(axis.get("min") or 0.0), float(axis.get("max") or 100.0)
    share = 0.0 if value is None or high <= low else min(max((value - low) / (high - low), 0.0), 1.0)
    return Gauge(label, value, (low, high), _half_ring(1.0), _half_ring(share))


_MEASURES: Final = {
    "metric": None,
    "last": lambda points: points[max(points)],
    "minimum": lambda points: min(points.values()),
    "maximum": lambda points: max(points.values()),
    "average": lambda points: sum(points.values()) / len(points),
}


def _measured(label: str, points: Mapping[float, float]) -> dict[str, str]:
    told = {name: f"{measure(points):.6g}" if points else "" for name, measure in _MEASURES.items() if measure}
    return {"metric": label, **told}


def _sector(begin: float, end: float) -> str:
    """A part of a disc; ``begin`` and ``end`` are shares of the whole turn."""
    if end - begin > 1 - 1e-9:
        return f"M50 {50 - RADIUS:g}a{RADIUS:g} {RADIUS:g} 0 1 1 -0.01 0z"
    (x1, y1), (x2, y2) = _on_circle(begin), _on_circle(end)
    return f"M50 50L{x1} {y1}A{RADIUS:g} {RADIUS:g} 0 {int(end - begin > 0.5)} 1 {x2} {y2}z"


def _half_ring(share: float) -> str:
    """From the left over the top, as far as that."""
    x, y = _on_circle(0.75 + share / 2)
    return f"M{50 - RADIUS:g} 50A{RADIUS:g} {RADIUS:g} 0 0 1 {x} {y}"


def _on_circle(turn: float) -> tuple[float, float]:
    angle = 2 * math.pi * turn
    return round(50 + RADIUS * math.sin(angle), 2), round(50 - RADIUS * math.cos(angle), 2)
