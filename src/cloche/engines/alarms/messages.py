"""What an alarm tells: its events, its notifications, its history.

Events: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html. What a function is
handed is the detail of such an event with another envelope (alarms-and-actions-Lambda.html there). What a topic is
handed is JSON of a form of its own; its members are those of notifications that people have published, such as the
test data of aws-lambda-go and of Localstack's recordings of AWS.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

import orjson

from cloche.engines.alarms.reasons import long_date, stamp
from cloche.storage.metadata.records import Record

Members = dict[str, Any]
STATE_CHANGE: Final = "CloudWatch Alarm State Change"
CONFIGURATION_CHANGE: Final = "CloudWatch Alarm Configuration Change"
SUBJECT_MAX: Final = 100
_ACTION_LISTS: Final = ("OKActions", "AlarmActions", "InsufficientDataActions")


def state_told(value: str, state: Mapping[str, Any]) -> Members:
    """A state as events tell it."""
    told: Members = {"value": value, "reason": state["reason"]}
    if state.get("reason_data"):
        told["reasonData"] = state["reason_data"]
    told["timestamp"] = stamp(state["updated"])
    if suppressed := state.get("suppressed"):
        told |= {"actionsSuppressedBy": suppressed["by"], "actionsSuppressedReason": suppressed["reason"]}
    return told


def change_detail(record: Record, value: str, state: Mapping[str, Any], before: Members) -> Members:
    return {
        "alarmName": record.name,
        "state": state_told(value, state),
        "previousState": before,
        "configuration": _brief(record),
    }


def _brief(record: Record) -> Members:
    """What a state change says of the configuration."""
    request = record.request
    told: Members = {}
    if request.get("AlarmDescription"):
        told["description"] = request["AlarmDescription"]
    return told | (_composite(request) if "AlarmRule" in request else {"metrics": _metrics(record)})


def _composite(request: Mapping[str, Any]) -> Members:
    told: Members = {"alarmRule": request["AlarmRule"]}
    for name in ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"):
        if name in request:
            told[name[0].lower() + name[1:]] = request[name]
    return told


def _metrics(record: Record) -> list[Members]:
    request = record.request
    if "Metrics" in request:
        return [_query(query) for query in request["Metrics"]]
    stat: Members = {
        "metric": _metric(request),
        "period": request["Period"],
        "stat": request.get("Statistic") or request["ExtendedStatistic"],
    }
    if "Unit" in request:
        stat["unit"] = request["Unit"]
    # CloudWatch's is a random one; here it is the same as long as the alarm is.
    id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{record.arn}#{record.id}"))
    return [{"id": id, "metricStat": stat, "returnData": True}]


def _metric(named: Mapping[str, Any]) -> Members:
    return {
        "namespace": named.get("Namespace"),
        "name": named.get("MetricName"),
        "dimensions": {pair["Name"]: pair["Value"] for pair in named.get("Dimensions") or ()},
    }


def _query(query: Mapping[str, Any]) -> Members:
    told: Members = {"id": query["Id"]}
    if "Expression" in query:
        told["expression"] = query["Expression"]
    if "Label" in query:
        told["label"] = query["Label"]
    if "Period" in query:
        told["period"] = query["Period"]
    if "MetricStat" in query:
        stat = query["MetricStat"]
        told["metricStat"] = {"metric": _metric(stat["Metric"]), "period": stat["Period"], "stat": stat["Stat"]}
        if "Unit" in stat:
            told["metricStat"]["unit"] = stat["Unit"]
    told["returnData"] = query.get("ReturnData", True)
    return told


# -- configuration ---------------------------------------------------------------------------------------


def configuration(record: Record) -> Members:
    """All of it, as events about configurations tell it."""
    request = record.request
    told: Members = {}
    if "AlarmRule" not in request:
        told["evaluationPeriods"] = request["EvaluationPeriods"]
        for name, key in (
            ("datapointsToAlarm", "DatapointsToAlarm"),
            ("threshold", "Threshold"),
            ("thresholdMetricId", "ThresholdMetricId"),
            ("comparisonOperator", "ComparisonOperator"),
            ("treatMissingData", "TreatMissingData"),
            ("evaluateLowSampleCountPercentile", "EvaluateLowSampleCountPercentile"),
        ):
            if key in request:
                told[name] = request[key]
    told |= _brief(record)
    return told | {
        "alarmName": record.name,
        "actionsEnabled": request.get("ActionsEnabled", True),
        "timestamp": stamp(record.modified_at),
        "okActions": request.get("OKActions") or [],
        "alarmActions": request.get("AlarmActions") or [],
        "insufficientDataActions": request.get("InsufficientDataActions") or [],
    }


def configuration_detail(record: Record, operation: str, before: Record | None) -> Members:
    """``operation`` is ``create``, ``update`` or ``delete``."""
    state: Members = {"value": record.status, "timestamp": stamp(record.state["updated"])}
    if suppressed := record.state.get("suppressed"):
        state = {"actionsSuppressedBy": suppressed["by"], **state}
    told: Members = {"alarmName": record.name, "operation": operation, "state": state}
    told["configuration"] = configuration(record)
    if before is not None:
        told["previousConfiguration"] = configuration(before)
    return told


def configuration_history(record: Record, kind: str) -> Members:
    """``HistoryData`` of a ``ConfigurationUpdate``; ``kind`` is ``Create``, ``Update`` or ``Delete``. The form is that
    of items of CloudWatch's that people have published: members in lower camel case, but ``okactions``."""
    names = {"Create": "createdAlarm", "Update": "updatedAlarm", "Delete": "deletedAlarm"}
    told: Members = {"alarmName": record.name}
    for name, value in record.request.items():
        if name not in _ACTION_LISTS:
            told[name[0].lower() + name[1:]] = value
    if "Dimensions" in record.request:
        told["dimensions"] = _pairs(record.request)
    told |= {
        "alarmArn": record.arn,
        "alarmConfigurationUpdatedTimestamp": stamp(record.modified_at),
        "stateValue": record.status,
        "stateUpdatedTimestamp": stamp(record.state["updated"]),
        "okactions": record.request.get("OKActions") or [],
        "alarmActions": record.request.get("AlarmActions") or [],
        "insufficientDataActions": record.request.get("InsufficientDataActions") or [],
    }
    return {"version": "1.0", "type": kind, names[kind]: told}


def state_history(value: str, state: Mapping[str, Any], old_value: str, old: Mapping[str, Any]) -> Members:
    return {"version": "1.0", "oldState": _state_kept(old_value, old), "newState": _state_kept(value, state)}


def _state_kept(value: str, state: Mapping[str, Any]) -> Members:
    told: Members = {"stateValue": value, "stateReason": state["reason"]}
    if data := state.get("reason_data"):
        try:
            told["stateReasonData"] = orjson.loads(data)
        except orjson.JSONDecodeError:
            told["stateReasonData"] = data
    return told


# -- actions ---------------------------------------------------------------------------------------------


def for_function(record: Record, detail: Members, at: float) -> str:
    told = {
        "source": "aws.cloudwatch",
        "alarmArn": record.arn,
        "accountId": record.account,
        "time": stamp(at),
        "region": record.region,
        "alarmData": detail,
    }
    return orjson.dumps(told).decode()


def subject(record: Record, value: str, region_name: str) -> str:
    return f'{value}: "{record.name}" in {region_name}'[:SUBJECT_MAX]


def for_topic(record: Record, value: str, state: Mapping[str, Any], old_value: str, region_name: str) -> str:
    request = record.request
    told: Members = {
        "AlarmName": record.name,
        "AlarmDescription": request.get("AlarmDescription"),
        "AWSAccountId": record.account,
        "AlarmConfigurationUpdatedTimestamp": stamp(record.modified_at),
        "NewStateValue": value,
        "NewStateReason": state["reason"],
        "StateChangeTime": stamp(state["transitioned"]),
        "Region": region_name,
        "AlarmArn": record.arn,
        "OldStateValue": old_value,
        **{name: request.get(name) or [] for name in _ACTION_LISTS},
    }
    if "AlarmRule" in request:
        told |= {"AlarmRule": request["AlarmRule"], "TriggeringChildren": _triggering(state)}
    else:
        told["Trigger"] = _trigger(request)
    return orjson.dumps(told).decode()


def letter(record: Record, value: str, state: Mapping[str, Any], old_value: str, region_name: str) -> str:
    """For people. The first sentence is CloudWatch's
    (docs.aws.amazon.com/awssupport/latest/user/cloudwatch-ta.html shows one)."""
    head = (
        f'You are receiving this email because your Amazon CloudWatch Alarm "{record.name}" in the {region_name} '
        f'region has entered the {value} state, because "{state["reason"]}" at "{long_date(state["transitioned"])}".'
    )
    details = {
        "Name": record.name,
        "Description": record.request.get("AlarmDescription", ""),
        "State Change": f"{old_value} -> {value}",
        "Reason for State Change": state["reason"],
        "Timestamp": long_date(state["transitioned"]),
        "AWS Account": record.account,
        "Alarm Arn": record.arn,
    }
    lines = "\n".join(f"- {name + ':':<28}{text}" for name, text in details.items())
    return f"{head}\n\nAlarm Details:\n{lines}\n"


def _triggering(state: Mapping[str, Any]) -> list[Members]:
    try:
        found = orjson.loads(state.get("reason_data") or "{}").get("triggeringAlarms") or []
        return [
            {"Arn": each["arn"], "State": {"Value": each["state"]["value"], "Timestamp": each["state"]["timestamp"]}}
            for each in found
        ]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):  # a user's own, by SetAlarmState
        return []


def _trigger(request: Mapping[str, Any]) -> Members:
    told: Members = {}
    if "Metrics" not in request:
        kind = "Statistic" if "Statistic" in request else "ExtendedStatistic"
        value = request["Statistic"].upper() if kind == "Statistic" else request[kind]
        told = {
            "MetricName": request["MetricName"],
            "Namespace": request["Namespace"],
            "StatisticType": kind,
            kind: value,
            "Unit": request.get("Unit"),
            "Dimensions": _pairs(request),
            "Period": request["Period"],
        }
    told["EvaluationPeriods"] = request["EvaluationPeriods"]
    if "DatapointsToAlarm" in request:
        told["DatapointsToAlarm"] = request["DatapointsToAlarm"]
    told["ComparisonOperator"] = request["ComparisonOperator"]
    if "ThresholdMetricId" in request:
        told["ThresholdMetricId"] = request["ThresholdMetricId"]
    else:
        told["Threshold"] = request["Threshold"]
    told["TreatMissingData"] = request.get("TreatMissingData", "missing")
    told["EvaluateLowSampleCountPercentile"] = request.get("EvaluateLowSampleCountPercentile", "")
    if "Metrics" in request:
        told["Metrics"] = [_trigger_query(query) for query in request["Metrics"]]
    return told


def _trigger_query(query: Mapping[str, Any]) -> Members:
    told = {key: value for key, value in query.items() if key != "MetricStat"}
    if "MetricStat" in query:
        stat = query["MetricStat"]
        named = {**stat["Metric"], "Dimensions": _pairs(stat["Metric"])}
        told["MetricStat"] = {**stat, "Metric": named}
    told["ReturnData"] = query.get("ReturnData", True)
    return told


def _pairs(named: Mapping[str, Any]) -> list[Members]:
    return [{"value": pair["Value"], "name": pair["Name"]} for pair in named.get("Dimensions") or ()]
