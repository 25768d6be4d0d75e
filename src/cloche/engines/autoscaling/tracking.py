"""The two alarms of a target tracking policy: what they watch, and what they are called. Pure.

Names are AWS's (``TargetTracking-endpoint/my-endpoint/variant/AllTraffic-AlarmHigh-…``, seen of SageMaker); three
periods of a minute above the target, fifteen below nine tenths of it
(docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html: "far enough below
the target value (usually more than 10% lower)").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloche.engines.autoscaling.dimensions import COMPONENT, VARIANT, Dimension

PERIOD: Final = 60
HIGH_PERIODS: Final = 3
LOW_PERIODS: Final = 15
LOW_SHARE: Final = 0.9
HIGH: Final = "AlarmHigh"
LOW: Final = "AlarmLow"
PREDEFINED: Final[Mapping[str, tuple[str, str]]] = {
    "SageMakerVariantInvocationsPerInstance": (VARIANT, "InvocationsPerInstance"),
    "SageMakerInferenceComponentInvocationsPerCopy": (COMPONENT, "InvocationsPerCopy"),
}
"""The dimension that may use it, and the metric of the namespace AWS/SageMaker, whose sum over a minute it is."""


def alarm_name(dimension: Dimension, which: str, id: str) -> str:
    return f"TargetTracking-{dimension.resource_id}-{which}-{id}"


def alarm(config: Mapping[str, Any], dimension: Dimension, which: str, policy_arn: str) -> dict[str, Any]:
    """The alarm's request. ``config`` is a ``TargetTrackingScalingPolicyConfiguration`` that may stand."""
    is_high = which == HIGH
    made = {
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}.",
        "ActionsEnabled": True,
        "AlarmActions": [policy_arn],
        **_watched(config, dimension),
        "EvaluationPeriods": HIGH_PERIODS if is_high else LOW_PERIODS,
        "Threshold": config["TargetValue"] if is_high else config["TargetValue"] * LOW_SHARE,
        "ComparisonOperator": "GreaterThanThreshold" if is_high else "LessThanThreshold",
    }
    if not is_high and dimension.fills_silence:
        made["TreatMissingData"] = "breaching"
    return made


def _watched(config: Mapping[str, Any], dimension: Dimension) -> dict[str, Any]:
    custom = config.get("CustomizedMetricSpecification")
    if custom is None:
        _, metric = PREDEFINED[config["PredefinedMetricSpecification"]["PredefinedMetricType"]]
        names = ("EndpointName", "VariantName") if dimension.name == VARIANT else ("InferenceComponentName",)
        pairs = [{"Name": name, "Value": value} for name, value in zip(names, dimension.parts, strict=True)]
        return {
            "MetricName": metric,
            "Namespace": "AWS/SageMaker",
            "Statistic": "Sum",
            "Dimensions": pairs,
            "Period": PERIOD,
        }
    if custom.get("Metrics"):
        return {"Metrics": [_query(query) for query in custom["Metrics"]]}
    watched = {name: custom[name] for name in ("MetricName", "Namespace", "Statistic")}
    if custom.get("Unit"):
        watched["Unit"] = custom["Unit"]
    return {**watched, "Dimensions": custom.get("Dimensions") or [], "Period": PERIOD}


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    made = {"ReturnData": True, **query}
    if "MetricStat" in query:
        made["MetricStat"] = {**query["MetricStat"], "Period": PERIOD}
    elif "Expression" in query:
        made["Period"] = PERIOD
    return made


def metric_of(config: Mapping[str, Any]) -> Any:
    """By which two policies are about the same."""
    custom = config.get("CustomizedMetricSpecification")
    return custom if custom is not None else config["PredefinedMetricSpecification"]
