"""What PutScalingPolicy may be given, beyond what the model says: StepAdjustment and TargetTrackingScaling… of the API
reference. Sentences that were seen in public: overlapping and missing intervals of steps (public rules for templates
quote them), metrics that a dimension has (aws/aws-cdk#29065); the rest is in their manner."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.operation import Members
from cloche.engines.autoscaling.dimensions import Dimension
from cloche.engines.autoscaling.tracking import PREDEFINED
from cloche.engines.metric_math import MathError, statistic
from cloche.engines.metric_math.syntax import read_expression
from cloche.foundation.errors import Invalid, LimitReached, NotSupported

STEPS_MAX: Final = 20
"""application-auto-scaling-quotas.html."""
QUERIES_MAX: Final = 10
_CONFIGURATIONS: Final = {
    "StepScaling": "StepScalingPolicyConfiguration",
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScaling": "PredictiveScalingPolicyConfiguration",
}


def checked(request: Members, dimension: Dimension) -> dict[str, Any]:
    """What is kept of it."""
    given = [kind for kind, member in _CONFIGURATIONS.items() if request.get(member) is not None]
    kind = request.get("PolicyType") or (given[0] if len(given) == 1 else None)
    if kind is None:
        raise Invalid("PolicyType must be specified")
    if kind == "PredictiveScaling":
        raise NotSupported("Policies of the type PredictiveScaling are not supported by Cloche: it forecasts nothing.")
    if given != [kind]:
        raise Invalid(f"A policy of the type {kind} has a {_CONFIGURATIONS[kind]}, and no other configuration")
    config = request[_CONFIGURATIONS[kind]]
    kept = _stepped(config) if kind == "StepScaling" else _tracked(config, dimension)
    return {"PolicyType": kind, _CONFIGURATIONS[kind]: kept}


# -- steps -----------------------------------------------------------------------------------------------


def _stepped(config: Members) -> Members:
    if not config.get("AdjustmentType"):
        raise Invalid("AdjustmentType must be specified")
    steps: list[Members] = config.get("StepAdjustments") or []
    if not steps:
        raise Invalid("At least one step adjustment must be specified")
    if len(steps) > STEPS_MAX:
        raise LimitReached(f"A policy may have {STEPS_MAX} step adjustments.")
    if (config.get("MinAdjustmentMagnitude") or 0) < 0 or (config.get("Cooldown") or 0) < 0:
        raise Invalid("MinAdjustmentMagnitude and Cooldown must not be negative")
    if config.get("MinAdjustmentMagnitude") and config["AdjustmentType"] != "PercentChangeInCapacity":
        raise Invalid("MinAdjustmentMagnitude is only valid with the AdjustmentType PercentChangeInCapacity")
    if config["AdjustmentType"] == "ExactCapacity" and any(step["ScalingAdjustment"] < 0 for step in steps):
        raise Invalid("ScalingAdjustment must not be negative for the AdjustmentType ExactCapacity")
    _require_row(steps)
    return dict(config)


def _require_row(steps: list[Members]) -> None:
    """Together they are one stretch, open where it goes beyond the threshold."""
    ranges = sorted(map(_range, steps))
    for low, high in ranges:
        if (low, high) == (-math.inf, math.inf):
            raise Invalid("Step adjustments must have a lower bound or an upper bound")
        if low >= high:
            raise Invalid("The upper bound of a step adjustment must be greater than its lower bound")
    for before, after in itertools.pairwise(ranges):
        if before[1] > after[0]:
            raise Invalid("Step adjustment intervals cannot overlap")
        if before[1] < after[0]:
            raise Invalid("Step adjustment intervals cannot have gaps between them")
    if -math.inf < ranges[0][0] < 0:
        raise Invalid("There must be a step adjustment with an unspecified lower bound when one has a negative bound")
    if 0 < ranges[-1][1] < math.inf:
        raise Invalid("There must be a step adjustment with an unspecified upper bound when one has a positive bound")


def _range(step: Mapping[str, Any]) -> tuple[float, float]:
    low, high = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
    found = (-math.inf if low is None else low), (math.inf if high is None else high)
    if math.isnan(found[0]) or math.isnan(found[1]):
        raise Invalid("The bounds of a step adjustment must be numbers")
    return found


# -- target tracking -------------------------------------------------------------------------------------


def _tracked(config: Members, dimension: Dimension) -> Members:
    value = config["TargetValue"]
    if not 0 < value <= 2.0**360:
        raise Invalid("TargetValue must be a positive number up to 2^360")
    for name in ("ScaleInCooldown", "ScaleOutCooldown"):
        if (config.get(name) or 0) < 0:
            raise Invalid(f"{name} must not be negative")
    predefined, custom = config.get("PredefinedMetricSpecification"), config.get("CustomizedMetricSpecification")
    if (predefined is None) == (custom is None):
        raise Invalid("Either PredefinedMetricSpecification or CustomizedMetricSpecification must be specified")
    if predefined is not None:
        _require_predefined(predefined, dimension)
    else:
        assert custom is not None
        _require_custom(custom)
    return dict(config)


def _require_predefined(specification: Members, dimension: Dimension) -> None:
    kind = specification["PredefinedMetricType"]
    usable = [name for name, predefined in PREDEFINED.items() if predefined.dimension == dimension.name]
    if kind not in usable:
        raise Invalid(
            f"Scalable dimension {dimension.name} only supports the following predefined metric types: "
            f"{', '.join(usable)}"
        )
    if specification.get("ResourceLabel"):
        raise Invalid(f"ResourceLabel must not be specified for the metric {kind}")


def _require_custom(specification: Members) -> None:
    single = [name for name in ("MetricName", "Namespace", "Statistic") if specification.get(name)]
    queries: list[Members] = specification.get("Metrics") or []
    if not queries:
        if len(single) < 3:
            raise Invalid("MetricName, Namespace and Statistic must be specified for a customized metric")
        return
    if single or specification.get("Dimensions"):
        raise Invalid("Metrics must not be specified with MetricName, Namespace, Dimensions or Statistic")
    if len(queries) > QUERIES_MAX:
        raise LimitReached(f"A customized metric may have {QUERIES_MAX} elements.")
    ids = [query["Id"] for query in queries]
    if len(set(ids)) != len(ids):
        raise Invalid("The Ids of Metrics must be unique")
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        raise Invalid("Exactly one element of Metrics must return data")
    for query in queries:
        _require_query(query)


def _require_query(query: Members) -> None:
    name = query["Id"]
    if not re.fullmatch(r"[a-z][a-zA-Z0-9_]*", name):
        raise Invalid(f"The Id {name} must begin with a lower-case letter and hold letters, digits and underscores")
    if ("Expression" in query) == ("MetricStat" in query):
        raise Invalid(f"Exactly one of Expression and MetricStat must be specified for {name}")
    if "MetricStat" in query:
        metric = query["MetricStat"]["Metric"]
        if not metric.get("MetricName") or not metric.get("Namespace"):
            raise Invalid(f"MetricName and Namespace must be specified for {name}")
        try:
            statistic(query["MetricStat"]["Stat"])
        except (MathError, Invalid, NotSupported) as error:
            raise Invalid(f"{query['MetricStat']['Stat']} is no statistic: {error}") from None
        return
    text = query["Expression"]
    if re.match(r"\s*SELECT\b", text) or re.search(r"\bSEARCH\s*\(", text):
        raise NotSupported(f"Queries and searches (Expression of {name}) are not supported by Cloche in policies.")
    try:
        read_expression(text)
    except MathError as error:
        raise Invalid(f"Error in expression '{name}': {error.message}") from None
