"""What a run tells CloudWatch: lines of JSON in a file, as PutMetricData has them, without a namespace.

The place, the lines and the dimensions: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-cloudwatch.html.
Metrics of data quality: model-monitor-interpreting-cloudwatch.html there; with a dimension ``Feature``, and those
beyond the documented ones: ``AutomaticDataQualityDashboard`` of aws/sagemaker-python-sdk. The server publishes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cloche_jobs.monitor.drifts import Drift, pairs
from cloche_jobs.monitor.rules import Rules
from cloche_jobs.monitor.settings import Settings
from cloche_jobs.monitor.tables import Table

FILE = "metrics/cloudwatch/cloudwatch_metrics.jsonl"
"""Below ``/opt/ml/output``; the folder is AWS's, the file's name is not documented."""
Value = float | Mapping[str, float]
"""A mapping stands for ``StatisticValues``."""


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    value: Value
    feature: str | None = None
    """Named as a dimension besides."""
    alone: bool = False
    """With that dimension only."""


def of_data(table: Table, rules: Rules, drifts: Mapping[str, Drift], by_name: bool) -> Iterator[Point]:
    """Those of each feature that emits metrics."""
    for feature, column in pairs(table, rules, by_name):
        if not feature.rules.emit:
            continue
        name, kinds, moments = feature.name, column.kinds, column.moments
        if kinds.present and kinds.is_number:
            ends = {"Minimum": moments.min, "Maximum": moments.max}
            yield Point(f"feature_data_{name}", {"SampleCount": float(moments.count), "Sum": moments.sum, **ends}, name)
        yield Point(f"feature_non_null_{name}", float(kinds.present), name)
        if name in drifts:
            yield Point(f"feature_baseline_drift_{name}", drifts[name].value, name)
        others = {
            "fractional_counts": kinds.fractional,
            "integral_counts": kinds.integral,
            "string_counts": kinds.string,
            "boolean_counts": kinds.boolean,
            "unknown_counts": kinds.missing,
            "null": kinds.missing,
            "estimated_unique_values": column.values.distinct(),
            "completeness": kinds.present / max(kinds.present + kinds.missing, 1),
        }
        for kind, value in others.items():
            yield Point(f"feature_{kind}_{name}", float(value), name, alone=True)


def write(settings: Settings, points: Iterable[Point]) -> None:
    """Values that are no numbers are left out: CloudWatch takes none. Without a time of the run the server's counts."""
    moment = settings.get("metric_time") or settings.get("end_time")
    named = (("Endpoint", "sagemaker_endpoint_name"), ("MonitoringSchedule", "sagemaker_monitoring_schedule_name"))
    dimensions = [{"Name": name, "Value": given} for name, key in named if (given := settings.get(key))]
    path = settings.layout.output / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for point in points:
            is_set = isinstance(point.value, Mapping)
            numbers = point.value.values() if isinstance(point.value, Mapping) else (point.value,)
            if not all(math.isfinite(each) for each in numbers):
                continue
            line = {
                "MetricName": point.name,
                **({"Timestamp": moment} if moment else {}),
                "StatisticValues" if is_set else "Value": point.value,
            }
            if not point.alone:
                file.write(json.dumps({**line, "Dimensions": dimensions}) + "\n")
            if point.feature is not None:
                with_feature = [*dimensions, {"Name": "Feature", "Value": point.feature}]
                file.write(json.dumps({**line, "Dimensions": with_feature}) + "\n")
