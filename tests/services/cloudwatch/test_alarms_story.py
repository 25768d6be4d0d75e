"""Alarms through unmodified boto3, evaluated by a clock that is turned."""

from __future__ import annotations

import io
import json
import math
import signal
import time
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from server_process import ACCOUNT, REGION, ServerProcess

ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:"


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server whose clock stands still."""
    running = ServerProcess(tmp_path_factory.mktemp("alarms") / "data").start()
    running.turn_clock("freeze")
    yield running
    running.stop(signal.SIGKILL)
    running.end_what_runs()


@pytest.fixture
def cloudwatch(turned: ServerProcess) -> Any:
    return turned.client("cloudwatch")


def plain(name: str, **further: Any) -> dict[str, Any]:
    given = {
        "AlarmName": name,
        "Namespace": "Story",
        "MetricName": name,
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 50.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    return given | further


def described(cloudwatch: Any, name: str, kind: str = "MetricAlarm") -> dict[str, Any]:
    answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=[kind])
    (found,) = answer[f"{kind}s"]
    return dict(found)


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def received(sqs: Any, url: str) -> list[dict[str, Any]]:
    found = []
    for _ in range(20):
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if found:
            break
    return found


def test_an_alarm_rings_on_the_clock_and_tells_its_bus(turned: ServerProcess, cloudwatch: Any) -> None:
    sqs, events = turned.client("sqs"), turned.client("events")
    url = sqs.create_queue(QueueName="alarm-events")["QueueUrl"]
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": ["rings"], "state": {"value": ["ALARM"]}}}
    events.put_rule(Name="alarms", EventPattern=json.dumps(pattern))
    target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:alarm-events"
    events.put_targets(Rule="alarms", Targets=[{"Id": "q", "Arn": target}])
    dimensions = [{"Name": "InstanceId", "Value": "i-1"}]
    cloudwatch.put_metric_alarm(**plain("rings", Dimensions=dimensions, AlarmDescription="too high"))
    made = described(cloudwatch, "rings")
    assert (made["StateValue"], made["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
    assert made["AlarmArn"] == ARN + "rings" and made["ActionsEnabled"] is True and made["OKActions"] == []
    assert made["StateUpdatedTimestamp"] == made["StateTransitionedTimestamp"]
    datum = {"MetricName": "rings", "Dimensions": dimensions, "Value": 99.5}
    cloudwatch.put_metric_data(Namespace="Story", MetricData=[datum])
    turned.turn_clock("advance", "2m")
    rung = described(cloudwatch, "rings")
    assert rung["StateValue"] == "ALARM"
    assert rung["StateReason"].startswith("Threshold Crossed: 1 datapoint [99.5 (")
    assert rung["StateReason"].endswith(")] was greater than the threshold (50.0).")
    data = json.loads(rung["StateReasonData"])
    assert (data["statistic"], data["period"], data["recentDatapoints"]) == ("Average", 60, [99.5])
    (event,) = received(sqs, url)
    assert event["detail-type"] == "CloudWatch Alarm State Change" and event["resources"] == [ARN + "rings"]
    detail = event["detail"]
    assert detail["previousState"]["value"] == "INSUFFICIENT_DATA" and "reasonData" not in detail["previousState"]
    assert detail["state"]["reason"] == rung["StateReason"]
    (metric,) = detail["configuration"]["metrics"]
    stat = {"metric": {"namespace": "Story", "name": "rings", "dimensions": {"InstanceId": "i-1"}}}
    assert metric["metricStat"] == {**stat, "period": 60, "stat": "Average"} and metric["returnData"] is True
    turned.turn_clock("advance", "1h")
    assert described(cloudwatch, "rings")["StateReason"] == "Insufficient Data: 1 datapoint was unknown."
    history = cloudwatch.describe_alarm_history(AlarmName="rings", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in history] == [
        "Alarm updated from ALARM to INSUFFICIENT_DATA",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
    ]
    kept = json.loads(history[1]["HistoryData"])
    assert kept["newState"]["stateReasonData"]["recentDatapoints"] == [99.5]


def test_configuration_is_kept_and_replaced_whole(cloudwatch: Any) -> None:
    tags = [{"Key": "team", "Value": "a"}]
    cloudwatch.put_metric_alarm(**plain("put", TreatMissingData="ignore", DatapointsToAlarm=1, Tags=tags))
    cloudwatch.set_alarm_state(AlarmName="put", StateValue="ALARM", StateReason="by hand", StateReasonData="{}")
    cloudwatch.put_metric_alarm(**plain("put", Threshold=1.0))
    held = described(cloudwatch, "put")
    assert "TreatMissingData" not in held and "DatapointsToAlarm" not in held and held["Threshold"] == 1.0
    assert (held["StateValue"], held["StateReason"]) == ("ALARM", "by hand"), "an update leaves the state"
    assert cloudwatch.list_tags_for_resource(ResourceARN=held["AlarmArn"])["Tags"] == tags
    cloudwatch.disable_alarm_actions(AlarmNames=["put", "nobody"])
    assert described(cloudwatch, "put")["ActionsEnabled"] is False
    cloudwatch.enable_alarm_actions(AlarmNames=["put"])
    assert described(cloudwatch, "put")["ActionsEnabled"] is True
    items = cloudwatch.describe_alarm_history(AlarmName="put", ScanBy="TimestampAscending")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in items][:3] == [
        'Alarm "put" created',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        'Alarm "put" updated',
    ]
    first = cloudwatch.describe_alarm_history(AlarmName="put", MaxRecords=2)
    second = cloudwatch.describe_alarm_history(AlarmName="put", MaxRecords=2, NextToken=first["NextToken"])
    told = [item["Timestamp"] for page in (first, second) for item in page["AlarmHistoryItems"]]
    assert len(told) == 4 and told == sorted(told, reverse=True)
    cloudwatch.delete_alarms(AlarmNames=["put", "nobody"])
    assert cloudwatch.describe_alarms(AlarmNames=["put"])["MetricAlarms"] == []
    last = cloudwatch.describe_alarm_history(AlarmName="put")["AlarmHistoryItems"][0]
    assert last["HistorySummary"] == 'Alarm "put" deleted', "what has gone has its history still"


def test_descriptions_are_narrowed(cloudwatch: Any) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:narrow"
    for number in range(5):
        cloudwatch.put_metric_alarm(**plain(f"narrow-{number}", AlarmActions=[topic] if number == 3 else []))
    cloudwatch.set_alarm_state(AlarmName="narrow-2", StateValue="OK", StateReason="x")
    cloudwatch.put_composite_alarm(AlarmName="narrow-all", AlarmRule="OK(narrow-2) AND NOT ALARM(narrow-0)")

    def names(**asked: Any) -> list[str]:
        answer = cloudwatch.describe_alarms(**asked)
        return [alarm["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for alarm in answer[kind]]

    everything = [f"narrow-{number}" for number in range(5)]
    assert names(AlarmNamePrefix="narrow-") == everything
    assert names(AlarmNamePrefix="narrow-", AlarmTypes=["CompositeAlarm"]) == ["narrow-all"]
    assert names(AlarmNamePrefix="narrow-", StateValue="OK") == ["narrow-2"]
    assert names(ActionPrefix=topic) == ["narrow-3"]
    assert names(ChildrenOfAlarmName="narrow-all") == ["narrow-0", "narrow-2"]
    assert names(ParentsOfAlarmName="narrow-0") == ["narrow-all"]
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix="narrow-", PaginationConfig={"PageSize": 2}
    )
    assert [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]] == everything
    found = cloudwatch.describe_alarms_for_metric(Namespace="Story", MetricName="narrow-1", Period=60)["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in found] == ["narrow-1"]
    assert (
        cloudwatch.describe_alarms_for_metric(Namespace="Story", MetricName="narrow-1", Period=300)["MetricAlarms"]
        == []
    )
    both = refusal(cloudwatch.describe_alarms, ParentsOfAlarmName="a", StateValue="OK")
    assert both[0] == "ValidationError"


def test_composite_alarms_and_what_may_be_deleted(cloudwatch: Any) -> None:
    for name in ("part-a", "part-b"):
        cloudwatch.put_metric_alarm(**plain(name))
    code, message = refusal(cloudwatch.put_composite_alarm, AlarmName="whole", AlarmRule="ALARM(part-a) OR ALARM(no)")
    assert (code, "alarms [no] in the alarm rule do not exist" in message) == ("ValidationError", True)
    assert refusal(cloudwatch.put_composite_alarm, AlarmName="whole", AlarmRule="ALARM(part-a")[0] == "ValidationError"
    cloudwatch.put_composite_alarm(AlarmName="whole", AlarmRule=f'ALARM("{ARN}part-a") OR ALARM(part-b)')
    assert described(cloudwatch, "whole", "CompositeAlarm")["StateValue"] == "OK"
    cloudwatch.set_alarm_state(AlarmName="part-b", StateValue="ALARM", StateReason="x")
    whole = described(cloudwatch, "whole", "CompositeAlarm")
    assert whole["StateValue"] == "ALARM" and f"{ARN}part-b transitioned to ALARM at " in whole["StateReason"]
    assert json.loads(whole["StateReasonData"])["triggeringAlarms"][0]["arn"] == f"{ARN}part-b"
    told = refusal(cloudwatch.delete_alarms, AlarmNames=["part-a", "part-b"])
    assert told == ("ValidationError", "Cannot delete part-a,part-b as there are composite alarm(s) depending on them.")
    told = refusal(cloudwatch.delete_alarms, AlarmNames=["part-a"])
    assert told[1] == "Cannot delete part-a as there are composite alarm(s) depending on it."
    cloudwatch.put_composite_alarm(AlarmName="whole-2", AlarmRule="TRUE")
    assert refusal(cloudwatch.delete_alarms, AlarmNames=["whole", "whole-2"])[0] == "ValidationError"
    cloudwatch.delete_alarms(AlarmNames=["part-a", "part-b", "whole"])
    theirs = f"arn:aws:cloudwatch:{REGION}:999999999999:alarm:whole-2"
    for reference in (theirs, theirs.replace("999999999999", ACCOUNT).replace(REGION, "eu-west-1")):
        told = refusal(cloudwatch.put_composite_alarm, AlarmName="of-theirs", AlarmRule=f'ALARM("{reference}")')
        assert "do not exist" in told[1]
    assert "must not be an ARN" in refusal(cloudwatch.put_metric_alarm, **plain(theirs))[1]
    assert refusal(cloudwatch.set_alarm_state, AlarmName=f"{ARN}whole-2", StateValue="OK", StateReason="x")[1] == ""
    assert "control characters" in refusal(cloudwatch.put_metric_alarm, **plain("a\tb"))[1]
    told = refusal(cloudwatch.put_metric_alarm, **plain("whole-2"))
    assert "another type" in told[1]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"MetricName": None}, "ValidationError", "MetricName must not be null"),
        ({"Threshold": None}, "ValidationError", "Threshold must not be null"),
        ({"Threshold": math.nan}, "InvalidParameterValue", "not a finite number"),
        ({"Threshold": -math.inf}, "InvalidParameterValue", "not a finite number"),
        ({"ComparisonOperator": None}, "ValidationError", "ComparisonOperator must not be null"),
        ({"Period": 45}, "ValidationError", "multiple of 60"),
        ({"EvaluationPeriods": 1441}, "ValidationError", "EvaluationPeriods * Period must be <= 86400"),
        ({"DatapointsToAlarm": 2}, "ValidationError", "must be less than or equal to EvaluationPeriods"),
        ({"TreatMissingData": "never"}, "ValidationError", "TreatMissingData"),
        ({"ExtendedStatistic": "p90"}, "ValidationError", "Exactly one of Statistic and ExtendedStatistic"),
        ({"Statistic": None, "ExtendedStatistic": "q90"}, "InvalidParameterValue", "q90"),
        ({"ThresholdMetricId": "m"}, "ValidationError", "ThresholdMetricId"),
        ({"AlarmActions": ["nonsense"]}, "ValidationError", "Invalid arn syntax"),
        ({"AlarmActions": ["arn:aws:sns:eu-west-1:1:t"]}, "ValidationError", "Only us-east-1 is supported"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop:x"]}, "InvalidParameterValue", "no EC2 instances"),
        ({"AlarmActions": ["arn:aws:ssm:us-east-1:1:opsitem:1"]}, "InvalidParameterValue", "no Systems Manager"),
        ({"WarmUpConfiguration": {"WarmUpPeriodDurationInMinutes": 5}}, "InvalidParameterValue", "WarmUpConfiguration"),
        (
            {"Metrics": [{"Id": "e", "Expression": "1+"}], "MetricName": None},
            "ValidationError",
            "Namespace must not be",
        ),
    ],
)
def test_what_is_refused(cloudwatch: Any, changes: dict[str, Any], code: str, words: str) -> None:
    given = {name: value for name, value in plain("refused", **changes).items() if value is not None}
    told = refusal(cloudwatch.put_metric_alarm, **given)
    assert code in told[0] and words in told[1], told
    assert cloudwatch.describe_alarms(AlarmNames=["refused"])["MetricAlarms"] == []


def test_expressions_are_checked_when_they_are_put(cloudwatch: Any) -> None:
    common = {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
    metric = {"Metric": {"Namespace": "Story", "MetricName": "x"}, "Period": 60, "Stat": "Sum"}
    stat = {"Id": "m1", "MetricStat": metric, "ReturnData": False}

    def told(*queries: dict[str, Any]) -> str:
        return refusal(cloudwatch.put_metric_alarm, AlarmName="math", Metrics=list(queries), **common)[1]

    assert told(stat) == "Exactly one element of the metrics list should return data."
    assert told(stat, {"Id": "e", "Expression": "m1 +"}) == "Error in expression 'e': Invalid syntax"
    assert "SEARCH" in told(stat, {"Id": "e", "Expression": "SEARCH('x', 'Sum')"})
    assert "Metrics Insights" in told(stat, {"Id": "e", "Expression": "SELECT SUM(x) FROM y"})
    assert "unique" in told(stat, {**stat, "ReturnData": True})
    cloudwatch.put_metric_alarm(AlarmName="math", Metrics=[stat, {"Id": "e", "Expression": "m1 * 2"}], **common)
    assert described(cloudwatch, "math")["Metrics"][1] == {"Id": "e", "Expression": "m1 * 2"}


def test_states_by_hand(turned: ServerProcess, cloudwatch: Any) -> None:
    told = refusal(cloudwatch.set_alarm_state, AlarmName="nobody", StateValue="OK", StateReason="x")
    assert told == ("ResourceNotFound", "")
    cloudwatch.put_metric_alarm(**plain("hand", TreatMissingData="notBreaching"))
    given = {"AlarmName": "hand", "StateValue": "ALARM", "StateReason": "x"}
    assert refusal(cloudwatch.set_alarm_state, **given, StateReasonData="[")[0] in (
        "InvalidFormat",
        "InvalidFormatFault",
    )
    cloudwatch.set_alarm_state(**given)
    assert described(cloudwatch, "hand")["StateValue"] == "ALARM"
    turned.turn_clock("advance", "1m")
    assert described(cloudwatch, "hand")["StateValue"] == "OK", "the next evaluation says what is so"


def test_detectors(cloudwatch: Any) -> None:
    named = {"Namespace": "Story", "MetricName": "detected", "Stat": "Average"}
    cloudwatch.put_anomaly_detector(SingleMetricAnomalyDetector=named)
    cloudwatch.put_anomaly_detector(**named, Dimensions=[{"Name": "a", "Value": "b"}])
    found = cloudwatch.describe_anomaly_detectors(Namespace="Story", MetricName="detected")["AnomalyDetectors"]
    assert [len(each["Dimensions"]) for each in sorted(found, key=lambda each: len(each["Dimensions"]))] == [0, 1]
    assert {each["StateValue"] for each in found} == {"TRAINED_INSUFFICIENT_DATA"}
    cloudwatch.delete_anomaly_detector(**named)
    assert refusal(cloudwatch.delete_anomaly_detector, **named)[0].startswith("ResourceNotFound")


def test_a_topic_is_told(turned: ServerProcess, cloudwatch: Any) -> None:
    sns, sqs = turned.client("sns"), turned.client("sqs")
    topic = sns.create_topic(Name="alarm-topic")["TopicArn"]
    url = sqs.create_queue(QueueName="alarm-topic")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:alarm-topic")
    actions = [topic, topic + "-gone"]
    dimensions = [{"Name": "InstanceId", "Value": "abc"}]
    cloudwatch.put_metric_alarm(**plain("told", AlarmActions=actions, Dimensions=dimensions, Unit="Seconds"))
    cloudwatch.set_alarm_state(AlarmName="told", StateValue="ALARM", StateReason="testing alarm")
    (notice,) = received(sqs, url)
    assert notice["Subject"] == 'ALARM: "told" in US East (N. Virginia)'
    message = json.loads(notice["Message"])
    changed, configured = message.pop("StateChangeTime"), message.pop("AlarmConfigurationUpdatedTimestamp")
    assert changed.endswith("+0000") and configured.endswith("+0000")
    assert message == {  # recorded of AWS: localstack/localstack, test_cloudwatch.snapshot.json, test_put_metric_alarm
        "AWSAccountId": ACCOUNT,
        "AlarmActions": actions,
        "AlarmArn": ARN + "told",
        "AlarmDescription": None,
        "AlarmName": "told",
        "InsufficientDataActions": [],
        "NewStateReason": "testing alarm",
        "NewStateValue": "ALARM",
        "OKActions": [],
        "OldStateValue": "INSUFFICIENT_DATA",
        "Region": "US East (N. Virginia)",
        "Trigger": {
            "ComparisonOperator": "GreaterThanThreshold",
            "Dimensions": [{"name": "InstanceId", "value": "abc"}],
            "EvaluateLowSampleCountPercentile": "",
            "EvaluationPeriods": 1,
            "MetricName": "told",
            "Namespace": "Story",
            "Period": 60,
            "Statistic": "AVERAGE",
            "StatisticType": "Statistic",
            "Threshold": 50.0,
            "TreatMissingData": "missing",
            "Unit": "Seconds",
        },
    }
    items = cloudwatch.describe_alarm_history(AlarmName="told", HistoryItemType="Action")["AlarmHistoryItems"]
    assert sorted(item["HistorySummary"].split(".")[0] for item in items) == [
        f"Failed to execute action {topic}-gone",
        f"Successfully executed action {topic}",
    ]


HANDLER = """
import json
def handler(event, context):
    print("ALARM " + json.dumps(event))
"""


def test_a_function_is_invoked(turned: ServerProcess, cloudwatch: Any) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("f.py", HANDLER)
    iam, functions, logs = turned.client("iam"), turned.client("lambda"), turned.client("logs")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="alarm-f", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    arn = functions.create_function(
        FunctionName="alarm-f",
        Runtime="python3.12",
        Role=role,
        Handler="f.handler",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    cloudwatch.put_metric_alarm(**plain("acts", AlarmActions=[arn, arn + "-gone"], AlarmDescription="act"))
    cloudwatch.set_alarm_state(AlarmName="acts", StateValue="ALARM", StateReason="by hand")
    items = cloudwatch.describe_alarm_history(AlarmName="acts", HistoryItemType="Action")["AlarmHistoryItems"]
    summaries = sorted(item["HistorySummary"] for item in items)
    assert summaries[1] == f"Successfully executed action {arn}"
    assert summaries[0].startswith(f"Failed to execute action {arn}-gone. Received error: ")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/alarm-f", filterPattern="ALARM")["events"]
        except ClientError:
            found = []
        if found:
            break
        time.sleep(0.2)
    event = json.loads(found[0]["message"].removeprefix("ALARM "))
    assert event["source"] == "aws.cloudwatch" and event["alarmArn"] == ARN + "acts"
    assert event["alarmData"]["state"]["value"] == "ALARM" and event["alarmData"]["alarmName"] == "acts"
    assert event["alarmData"]["configuration"]["description"] == "act"
