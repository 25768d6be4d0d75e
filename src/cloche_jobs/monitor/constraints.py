"""constraints.json: what a baseline suggests, and what a run is held to.

Format: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-constraints.html. The defaults that a baseline writes
are those of AWS's own files; both content thresholds are 1.0 there, not the 0.1 of that page.
"""

from __future__ import annotations

from typing import Any

from cloche_jobs.monitor.column import Column
from cloche_jobs.monitor.statistics import VERSION
from cloche_jobs.monitor.tables import Table

ENABLED = "Enabled"


def suggested(table: Table, categorical_drift_method: str | None = None) -> dict[str, Any]:
    """``categorical_drift_method`` is what the request names (``LInfinity``, ``ChiSquared``)."""
    comparison: dict[str, Any] = {
        "perform_comparison": ENABLED,
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
    }
    if categorical_drift_method:
        comparison["categorical_comparison_threshold"] = 0.1
        comparison["categorical_drift_method"] = categorical_drift_method
    return {
        "version": VERSION,
        "features": [_feature(name, column) for name, column in table.columns.items()],
        "monitoring_config": {
            "evaluate_constraints": ENABLED,
            "emit_metrics": ENABLED,
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": comparison,
        },
    }


def _feature(name: str, column: Column) -> dict[str, Any]:
    kinds = column.kinds
    feature: dict[str, Any] = {
        "name": name,
        "inferred_type": kinds.type(),
        "completeness": kinds.present / (kinds.present + kinds.missing),
    }
    if kinds.type() == "String":
        if column.values.counts is not None:
            feature["string_constraints"] = {"domains": list(column.values.counts)}
    elif kinds.type() != "Unknown":
        feature["num_constraints"] = {"is_non_negative": column.moments.min >= 0}
    return feature
