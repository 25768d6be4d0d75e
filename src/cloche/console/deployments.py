"""An update that is on its way to an endpoint, as its page shows it: phases, what is left of the watching, and how the
requests are really shared, counted by the metrics of each configuration since the phase began."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

from cloche.console.asking import Ask, Members, ask_or

COUNTED_FOR: Final = timedelta(hours=1)
_BAKES: Final = re.compile(r"Baking for (\d+) seconds")


async def deployment_of(ask: Ask, endpoint: Members, now: datetime) -> Members | None:
    """``None`` where nothing is on its way. ``now`` is Cloche's time."""
    pending = endpoint.get("PendingDeploymentSummary")
    if pending is None or not endpoint.get("ProductionVariants"):
        return None
    rows = [_row(variant, now) for variant in pending["ProductionVariants"]]
    configurations = [endpoint["EndpointConfigName"], pending["EndpointConfigName"]]
    since = max(min((row["since"] for row in rows), default=now), now - COUNTED_FOR)
    counts = await _counts(ask, endpoint["EndpointName"], [row["name"] for row in rows], configurations, since, now)
    for row in rows:
        old, new = (counts[row["name"], configuration] for configuration in configurations)
        row |= {"old": old, "new": new, "share": 100 * new / (old + new) if old + new else None}
    return {"from": configurations[0], "to": configurations[1], "started": pending["StartTime"], "variants": rows}


def _row(variant: Members, now: datetime) -> dict[str, Any]:
    status: Members = next(iter(variant.get("VariantStatus") or ()), {})
    bakes = _BAKES.match(status.get("StatusMessage", ""))
    since = status.get("StartTime", now)
    left = None if bakes is None else max(0.0, int(bakes[1]) - (now - since).total_seconds())
    return {
        "name": variant["VariantName"],
        "phase": status.get("Status", ""),
        "message": status.get("StatusMessage", ""),
        "since": since,
        "left": left,
        "active": variant["CurrentInstanceCount"],
        "desired": variant["DesiredInstanceCount"],
    }


async def _counts(
    ask: Ask, endpoint: str, variants: list[str], configurations: list[str], since: datetime, now: datetime
) -> dict[tuple[str, str], float]:
    """Requests by variant and configuration."""
    wanted = [(variant, configuration) for variant in variants for configuration in configurations]
    queries = []
    for number, (variant, configuration) in enumerate(wanted):
        named = {"EndpointName": endpoint, "VariantName": variant, "EndpointConfigName": configuration}
        dimensions = [{"Name": name, "Value": value} for name, value in named.items()]
        metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": dimensions}
        queries.append({"Id": f"n{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}})
    begin = since.replace(second=0, microsecond=0)
    asked: Members = {"MetricDataQueries": queries, "StartTime": begin, "EndTime": now + timedelta(minutes=1)}
    answer = await ask_or(ask, "cloudwatch", "GetMetricData", asked, {"MetricDataResults": []})
    sums = {result["Id"]: sum(result["Values"]) for result in answer["MetricDataResults"]}
    return {key: sums.get(f"n{number}", 0.0) for number, key in enumerate(wanted)}
