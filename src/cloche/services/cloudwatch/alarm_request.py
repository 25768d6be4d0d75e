"""What PutMetricAlarm and PutCompositeAlarm may be given, beyond what the model says.

Messages that were seen in public: hashicorp/terraform#24070 (DatapointsToAlarm),
hashicorp/terraform-provider-aws#29894 (elements that return data), aws-cloudformation/cfn-lint#771 (must not be null),
awsdocs/aws-cloudformation-user-guide#911 (alarms that do not exist); the rest is in their manner. Rules:
docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.engines.alarms.judging import BANDS, COMPARISONS
from cloche.engines.alarms.plan import period_of
from cloche.engines.metric_math import MathError
from cloche.engines.metric_math.syntax import read_expression
from cloche.foundation.errors import NotSupported
from cloche.services.cloudwatch.errors import invalid_value
from cloche.services.cloudwatch.metric_data import dimensions_of
from cloche.services.cloudwatch.metric_statistics import known_statistic

DAY: Final = 86_400
WEEK: Final = 7 * DAY
QUERIES_MAX: Final = 20
"""Of ``Metrics``, expressions included; ten of them may be metrics (using-metric-math.html)."""
METRICS_MAX: Final = 10
SHORT_PERIODS: Final = (10, 20, 30)
MISSING: Final = ("breaching", "notBreaching", "ignore", "missing")
LOW_SAMPLES: Final = ("evaluate", "ignore")
ACTIONS: Final = ("OKActions", "AlarmActions", "InsufficientDataActions")
_SINGLE: Final = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")
_KEPT: Final = (
    *("AlarmDescription", "ActionsEnabled", *ACTIONS, *_SINGLE, "EvaluationPeriods", "DatapointsToAlarm", "Threshold"),
    *("ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile", "Metrics", "ThresholdMetricId"),
    "EvaluationWindow",
)
_KEPT_OF_COMPOSITE: Final = (
    *("AlarmDescription", "ActionsEnabled", *ACTIONS, "AlarmRule", "ActionsSuppressor"),
    *("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"),
)
_NOT_DONE: Final = {
    "EvaluationCriteria": "queries in PromQL are not supported",
    "EvaluationInterval": "it belongs to queries in PromQL, which are not supported",
    "WarmUpConfiguration": "alarms are evaluated from the start",
    "ActionConfiguration": "tags are not added to what alarms tell",
}
_ACTIONS_NOT_DONE: Final = {
    "automate": "there are no EC2 instances",
    "ssm": "there is no Systems Manager",
    "ssm-incidents": "there is no Systems Manager",
    "swf": "there are no EC2 instances",
    "aiops": "there are no investigations",
}


_POLICY: Final = re.compile(r"arn:aws:autoscaling:[^:]+:[^:]+:scalingPolicy:[^:]+:resource/[^:]+:policyName/.+")


def validation_error(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def metric_alarm(ctx: Context, request: Members) -> dict[str, Any]:
    """What is kept of the request."""
    _require_name(request["AlarmName"])
    _require_done("PutMetricAlarm", request)
    require_actions(ctx, request)
    for name in ("EvaluationPeriods", "ComparisonOperator"):
        _require(request, name)
    _require_choice(request, "TreatMissingData", MISSING)
    _require_choice(request, "EvaluateLowSampleCountPercentile", LOW_SAMPLES)
    if request.get("DatapointsToAlarm", 1) > request["EvaluationPeriods"]:
        raise validation_error("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    _require_threshold(request)
    _require_window(request)
    kept = {name: request[name] for name in _KEPT if request.get(name) not in (None, [])}
    kept["ActionsEnabled"] = request.get("ActionsEnabled", True)
    if request.get("Metrics"):
        _require_queries(ctx, request)
    else:
        _require_single(request)
        kept["Dimensions"] = request.get("Dimensions") or []
    _require_span(period_of(kept), request["EvaluationPeriods"])
    return kept


def composite_alarm(ctx: Context, request: Members) -> dict[str, Any]:
    _require_name(request["AlarmName"])
    _require_done("PutCompositeAlarm", request)
    require_actions(ctx, request)
    for action in (each for name in ACTIONS for each in request.get(name) or ()):
        if action.split(":")[2] == "autoscaling":  # API_PutCompositeAlarm.html, AlarmActions: not among them
            raise validation_error(f"Composite alarms cannot take Auto Scaling actions: {action}")
    periods = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
    for name in periods:
        if "ActionsSuppressor" in request:
            _require(request, name)
        elif name in request:
            raise validation_error(f"{name} must only be specified with ActionsSuppressor")
        if request.get(name, 0) < 0:
            raise validation_error(f"{name} must not be negative")
    kept = {name: request[name] for name in _KEPT_OF_COMPOSITE if request.get(name) not in (None, [])}
    kept["ActionsEnabled"] = request.get("ActionsEnabled", True)
    return kept


def _require_name(name: str) -> None:
    """API_PutMetricAlarm: a name "can't contain ASCII control characters"; nor what is an ARN here, so that rules that
    refer to alarms by ARN mean one alarm."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in name):
        raise validation_error("AlarmName must not contain ASCII control characters")
    if name.startswith("arn:"):
        raise validation_error("AlarmName must not be an ARN")


def require_actions(ctx: Context, request: Members) -> None:
    """Actions need not be there, only be of a kind that can be taken here."""
    for name in ACTIONS:
        for action in request.get(name) or ():
            parts = action.split(":")
            if len(parts) < 6 or parts[0] != "arn":
                raise validation_error(f"Invalid arn syntax: {action}")
            service = parts[2]
            if service in _ACTIONS_NOT_DONE:
                raise NotSupported(f"Actions like {action} are not supported in Cloche: {_ACTIONS_NOT_DONE[service]}")
            if service not in ("sns", "lambda", "autoscaling"):
                raise validation_error(f"Invalid arn syntax: {action}")
            if service == "autoscaling":
                _require_policy(action)
            if parts[3] != ctx.region:
                raise validation_error(f"Invalid region {parts[3]} specified. Only {ctx.region} is supported.")


def _require_policy(action: str) -> None:
    if ":autoScalingGroupName/" in action:
        raise NotSupported(f"Actions like {action} are not supported in Cloche: there are no EC2 instances")
    if _POLICY.fullmatch(action) is None:
        raise validation_error(f"Invalid arn syntax: {action}")


def _require_done(operation: str, request: Members) -> None:
    for member, reason in _NOT_DONE.items():
        if member in request:
            raise NotSupported(f"{operation} does not support {member} in Cloche: {reason}")


def _require(request: Mapping[str, Any], name: str) -> None:
    if request.get(name) is None:
        raise validation_error(f"{name} must not be null")


def _require_choice(request: Members, name: str, choices: Sequence[str]) -> None:
    if name in request and request[name] not in choices:
        raise validation_error(f"Option {request[name]} is not supported for {name}: it must be one of {list(choices)}")


def _require_window(request: Members) -> None:
    zone = ((request.get("EvaluationWindow") or {}).get("WallClockWindow") or {}).get("Timezone", "UTC")
    if zone not in ("UTC", "Etc/UTC", "+0000", "+00:00"):
        raise NotSupported(
            f"PutMetricAlarm does not support the time zone {zone} (WallClockWindow) in Cloche, only UTC"
        )


def _require_threshold(request: Members) -> None:
    operator, band = request["ComparisonOperator"], request.get("ThresholdMetricId")
    if operator in COMPARISONS:
        if band is not None:
            raise validation_error(f"ThresholdMetricId must not be specified with the ComparisonOperator {operator}")
        _require(request, "Threshold")
        if not math.isfinite(request["Threshold"]):
            raise invalid_value(f"The value {request['Threshold']} for parameter Threshold is not a finite number.")
        return
    assert operator in BANDS
    if "Threshold" in request:
        raise validation_error(f"Threshold must not be specified with the ComparisonOperator {operator}")
    _require(request, "ThresholdMetricId")


def _require_single(request: Members) -> None:
    for name in ("MetricName", "Namespace", "Period"):
        _require(request, name)
    if ("Statistic" in request) == ("ExtendedStatistic" in request):
        raise validation_error("Exactly one of Statistic and ExtendedStatistic must be specified")
    if "ThresholdMetricId" in request:
        raise validation_error("ThresholdMetricId requires Metrics")
    known_statistic(request.get("Statistic") or request["ExtendedStatistic"])
    dimensions_of(request)
    _require_period(request["Period"])


def _require_period(period: int) -> None:
    if period not in SHORT_PERIODS and (period <= 0 or period % 60):
        raise validation_error("Period must be 10, 20, 30 or a multiple of 60")


def _require_span(period: int, periods: int) -> None:
    limit = WEEK if period >= 3600 else DAY
    if period * periods > limit:
        span = "a day" if limit == DAY else "7 days"
        raise validation_error(
            f"Metrics cannot be checked across more than {span} (EvaluationPeriods * Period must be <= {limit})."
        )


def _require_queries(ctx: Context, request: Members) -> None:
    for name in _SINGLE:
        if request.get(name) not in (None, []):
            raise validation_error(f"{name} must not be specified with Metrics")
    queries: list[Members] = request["Metrics"]
    if len(queries) > QUERIES_MAX or sum("MetricStat" in query for query in queries) > METRICS_MAX:
        raise validation_error(f"Metrics may have at most {QUERIES_MAX} elements, {METRICS_MAX} of them metrics")
    ids = [query["Id"] for query in queries]
    if len(set(ids)) != len(ids):
        raise validation_error("The Ids of Metrics must be unique")
    band = request.get("ThresholdMetricId")
    if band is not None and band not in ids:
        raise validation_error(f"ThresholdMetricId {band} is not the Id of an element of Metrics")
    for query in queries:
        _require_query(ctx, query)
    wanted = 1 if band is None else 2
    if sum(query.get("ReturnData", True) for query in queries) != wanted:
        counted = "one element" if wanted == 1 else "two elements"
        raise validation_error(f"Exactly {counted} of the metrics list should return data.")
    if band is not None and not next(query for query in queries if query["Id"] == band).get("ReturnData", True):
        raise validation_error(f"ThresholdMetricId {band} should return data.")


def _require_query(ctx: Context, query: Members) -> None:
    name = query["Id"]
    if not re.fullmatch(r"[a-z][a-zA-Z0-9_]*", name):
        raise invalid_value(f"The value {name} for parameter Id must begin with a lower-case letter.")
    if query.get("AccountId", ctx.account) != ctx.account:
        raise NotSupported(f"Metrics of other accounts (AccountId of {name}) are not supported in Cloche")
    if ("Expression" in query) == ("MetricStat" in query):
        raise validation_error(f"Exactly one of Expression and MetricStat must be specified for {name}")
    if "Period" in query:
        _require_period(query["Period"])
    if "MetricStat" in query:
        stat = query["MetricStat"]
        for member in ("Namespace", "MetricName"):
            _require(stat["Metric"], member)
        dimensions_of(stat["Metric"])
        _require_period(stat["Period"])
        known_statistic(stat["Stat"])
        return
    text = query["Expression"]
    if re.match(r"\s*SELECT\b", text):
        raise NotSupported(f"Metrics Insights queries (Expression of {name}) are not supported in Cloche")
    if re.search(r"\bSEARCH\s*\(", text):
        # using-search-expressions.html: "You can't create an alarm based on the SEARCH expression"
        raise validation_error(f"Error in expression '{name}': SEARCH is not supported in alarms")
    try:
        read_expression(text)
    except MathError as error:
        raise validation_error(f"Error in expression '{name}': {error.message}") from None
