"""What a run tells CloudWatch: lines of JSON in a file, as PutMetricData has them, without a namespace.

The place, the lines and the dimensions: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-cloudwatch.html; the
names of metrics of data quality: model-monitor-interpreting-cloudwatch.html there. The server publishes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cloche_jobs.monitor.checks import drift, pairs
from cloche_jobs.monitor.rules import Rules
from cloche_jobs.monitor.settings import Settings
from cloche_jobs.monitor.tables import Table

FILE = "metrics/cloudwatch/cloudwatch_metrics.jsonl"
"""Below ``/opt/ml/output``; the folder is AWS's, the file's name is not documented."""
Value = float | Mapping[str, float]


def of_data(table: Table, rules: Rules, baseline: Mapping[str, Any], by_name: bool) -> Iterator[tuple[str, Value]]:
    """(name, value) of each feature that emits metrics; a mapping stands for ``StatisticValues``."""
    for feature, column in pairs(table, rules, by_name):
        if not feature.rules.emit:
            continue
        kinds, moments = column.kinds, column.moments
        if kinds.present and kinds.is_number:
            yield (
                f"feature_data_{feature.name}",
                {
                    "SampleCount": float(moments.count),
                    "Sum": moments.sum,
                    "Minimum": moments.min,
                    "Maximum": moments.max,
                },
            )
        yield f"feature_non_null_{feature.name}", float(kinds.present)
        apart = drift(feature, column, baseline.get(feature.name))
        if apart is not None:
            yield f"feature_baseline_drift_{feature.name}", apart.value


def write(settings: Settings, values: Iterable[tuple[str, Value]]) -> None:
    """Values that are no numbers are left out: CloudWatch takes none."""
    moment = settings.get("metric_time") or settings.get("end_time")
    at = moment or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    named = (("Endpoint", "sagemaker_endpoint_name"), ("MonitoringSchedule", "sagemaker_monitoring_schedule_name"))
    dimensions = [{"Name": name, "Value": given} for name, key in named if (given := settings.get(key))]
    path = settings.layout.output / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for name, value in values:
            told = {"StatisticValues": dict(value)} if isinstance(value, Mapping) else {"Value": value}
            numbers = value.values() if isinstance(value, Mapping) else (value,)
            if all(math.isfinite(each) for each in numbers):
                line = {"MetricName": name, "Timestamp": at, "Dimensions": dimensions, **told}
                file.write(json.dumps(line) + "\n")
