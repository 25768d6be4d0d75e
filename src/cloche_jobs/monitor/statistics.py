"""statistics.json of a data-quality run.

Format: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html; the order of its members and which
are there as AWS's own files have them.
"""

from __future__ import annotations

from typing import Any

from cloche_jobs.monitor.column import Column
from cloche_jobs.monitor.sketch import SHRINK, SIZE
from cloche_jobs.monitor.tables import Table

VERSION = 0.0


def statistics_of(table: Table) -> dict[str, Any]:
    features = [_feature(name, column) for name, column in table.columns.items()]
    return {"version": VERSION, "dataset": {"item_count": table.rows}, "features": features}


def _feature(name: str, column: Column) -> dict[str, Any]:
    kind = column.kinds.type()
    feature: dict[str, Any] = {"name": name, "inferred_type": kind}
    if kind == "String":
        feature["string_statistics"] = _of_strings(column)
    elif kind != "Unknown":
        feature["numerical_statistics"] = _of_numbers(column)
    return feature


def _common(column: Column) -> dict[str, int]:
    return {"num_present": column.kinds.present, "num_missing": column.kinds.missing}


def _of_numbers(column: Column) -> dict[str, Any]:
    moments = column.moments
    sketch = {"parameters": {"c": SHRINK, "k": float(SIZE)}, "data": column.sketch.data()}
    return {
        "common": _common(column),
        "mean": moments.mean,
        "sum": moments.sum,
        "std_dev": moments.deviation,
        "min": moments.min,
        "max": moments.max,
        "distribution": {"kll": {"buckets": column.sketch.buckets(moments.min, moments.max), "sketch": sketch}},
    }


def _of_strings(column: Column) -> dict[str, Any]:
    statistics: dict[str, Any] = {"common": _common(column), "distinct_count": float(column.values.distinct())}
    if column.values.counts is not None:
        buckets = [{"value": value, "count": count} for value, count in column.values.counts.items()]
        statistics["distribution"] = {"categorical": {"buckets": buckets}}
    return statistics
