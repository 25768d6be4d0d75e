"""The two alarms of a target tracking policy: what they watch, and what they are called. Pure.

Names are AWS's (``TargetTracking-endpoint/my-endpoint/variant/AllTraffic-AlarmHigh-…``, seen of SageMaker); three
periods of a minute above the target, fifteen below nine tenths of it, but three of ten seconds above it where the
metric comes that often: then a policy scales out sooner, and in as it would otherwise. (That these are three periods,
of which the maximum counts, is inferred from the others and from what statistics those metrics have.)
(docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-add-code-define.html;
docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html: "far enough below
the target value (usually more than 10% lower)").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cloche.engines.autoscaling.dimensions import COMPONENT, VARIANT, Dimension

PERIOD: Final = 60
HIGH_PERIODS: Final = 3
LOW_PERIODS: Final = 15
LOW_SHARE: Final = 0.9
HIGH: Final = "AlarmHigh"
LOW: Final = "AlarmLow"
HIGH_RESOLUTION_PERIOD: Final = 10


class Predefined(NamedTuple):
    """A metric of the namespace AWS/SageMaker."""

    dimension: str
    """That which may use it."""
    metric: str
    statistic: str
    """Over a period of the alarm."""
    high_period: int = PERIOD
    """Of the alarm that rings above the target."""


PREDEFINED: Final[Mapping[str, Predefined]] = {
    "SageMakerVariantInvocationsPerInstance": Predefined(VARIANT, "InvocationsPerInstance", "Sum"),
    "SageMakerInferenceComponentInvocationsPerCopy": Predefined(COMPONENT, "InvocationsPerCopy", "Sum"),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": Predefined(
        VARIANT, "ConcurrentRequestsPerModel", "Maximum", HIGH_RESOLUTION_PERIOD
    ),
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": Predefined(
        COMPONENT, "ConcurrentRequestsPerCopy", "Maximum", HIGH_RESOLUTION_PERIOD
    ),
}
"""Of concurrent requests the maximum: "Valid statistics: Min, Max", and a minimum would see no peak
(docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html)."""


def alarm_name(dimension: Dimension, which: str, id: str) -> str:
    return f"TargetTracking-{dimension.resource_id}-{which}-{id}"


def alarm(config: Mapping[str, Any], dimension: Dimension, which: str, policy_arn: str) -> dict[str, Any]:
    """The alarm's request. ``config`` is a ``TargetTrackingScalingPolicyConfiguration`` that may stand."""
    is_high = which == HIGH
    made = {
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}.",
        "ActionsEnabled": True,
        "AlarmActions": [policy_arn],
        **_watched(config, dimension, is_high=is_high),
        "EvaluationPeriods": HIGH_PERIODS if is_high else LOW_PERIODS,
        "Threshold": config["TargetValue"] if is_high else config["TargetValue"] * LOW_SHARE,
        "ComparisonOperator": "GreaterThanThreshold" if is_high else "LessThanThreshold",
    }
    if not is_high and dimension.fills_silence:
        made["TreatMissingData"] = "breaching"
    return made


def _watched(config: Mapping[str, Any], dimension: Dimension, *, is_high: bool) -> dict[str, Any]:
    custom = config.get("CustomizedMetricSpecification")
    if custom is None:
        predefined = PREDEFINED[config["PredefinedMetricSpecification"]["PredefinedMetricType"]]
        names = ("EndpointName", "VariantName") if dimension.name == VARIANT else ("InferenceComponentName",)
        pairs = [{"Name": name, "Value": value} for name, value in zip(names, dimension.parts, strict=True)]
        return {
            "MetricName": predefined.metric,
            "Namespace": "AWS/SageMaker",
            "Statistic": predefined.statistic,
            "Dimensions": pairs,
            "Period": predefined.high_period if is_high else PERIOD,
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
