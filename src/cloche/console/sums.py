"""What was counted in the last day of several things at once, by CloudWatch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cloche.console.asking import Ask

SPAN: Final = timedelta(hours=24)


async def day_sums(
    ask: Ask, now: datetime, namespace: str, dimension: str, names: Sequence[str], metrics: Sequence[str]
) -> dict[str, dict[str, int]]:
    """By name and metric; ``names`` are values of the one ``dimension``."""
    asked = {f"r{n}m{m}": (name, metric) for n, name in enumerate(names) for m, metric in enumerate(metrics)}
    if not asked:
        return {}

    def query(id: str, name: str, metric: str) -> dict[str, Any]:
        dimensions = [{"Name": dimension, "Value": name}]
        named = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
        return {"Id": id, "MetricStat": {"Metric": named, "Period": 3600, "Stat": "Sum"}}

    members = {
        "MetricDataQueries": [query(id, *about) for id, about in asked.items()],
        "StartTime": now - SPAN,
        "EndTime": now + timedelta(minutes=1),
    }
    sums: dict[str, dict[str, int]] = {}
    for result in (await ask("cloudwatch", "GetMetricData", members))["MetricDataResults"]:
        if (about := asked.get(result["Id"])) is not None:
            sums.setdefault(about[0], {})[about[1]] = int(sum(result["Values"]))
    return sums
