"""Charts of what GetMetricData answers, over Cloche's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloche.console.asking import Ask, Members

POINTS_MAX = 1_500
Series = Sequence[tuple[str, Mapping[float, float]]]
"""(Label, value by time), in the order they are drawn."""


async def asked(
    ask: Ask, queries: list[Members], begin: datetime, end: datetime
) -> list[tuple[str, str, dict[float, float]]]:
    """(Id, label, points) of each series, in the order of the answer. Raises ``AwsError``."""
    members = {"MetricDataQueries": queries, "StartTime": begin, "EndTime": end, "ScanBy": "TimestampAscending"}
    answer = await ask("cloudwatch", "GetMetricData", members)
    return [
        (
            result["Id"],
            result["Label"],
            {at.timestamp(): value for at, value in zip(result["Timestamps"], result["Values"], strict=True)},
        )
        for result in answer["MetricDataResults"]
    ]


def chart(title: str, series: Series, levels: Sequence[tuple[str, float]] = ()) -> dict[str, Any]:
    """One chart of several series, with levels that do not change drawn across it."""
    x = sorted({at for _, points in series for at in points})
    x = x[-POINTS_MAX:]
    lines = [{"label": label, "values": [points.get(at) for at in x]} for label, points in series]
    lines += [{"label": label, "values": [value] * len(x)} for label, value in levels]
    return {"title": title, "x": x, "x_is": "time", "series": lines}


def stat_query(id: str, named: Members, stat: str, period: int) -> Members:
    metric = {name: named[name] for name in ("Namespace", "MetricName", "Dimensions") if name in named}
    found: Members = {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, "ReturnData": True}
    if "Unit" in named:
        found["MetricStat"]["Unit"] = named["Unit"]
    return found
