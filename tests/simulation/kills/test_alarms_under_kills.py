"""Alarms ring once however often the server is killed: no change without its event and message, none of them twice."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest

from server_process import ACCOUNT, REGION, ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ALARMS = 12
ROUNDS = 4


def turn(server: ServerProcess) -> None:
    try:
        server.turn_clock("advance", "1m")
    except BaseException:
        pass


def drained(sqs: Any, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    quiet = 0
    while quiet < 2:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        quiet = 0 if messages else quiet + 1
        for message in messages:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_they_ring_once(start_server: Any) -> None:
    chance = random.Random(7)
    server: ServerProcess = start_server()
    server.turn_clock("freeze")
    cloudwatch, sns, sqs = (server.client(name) for name in ("cloudwatch", "sns", "sqs"))
    topic = sns.create_topic(Name="kills")["TopicArn"]
    heard, told = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("heard", "told"))
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:heard")
    events = server.client("events")
    pattern = {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]}
    events.put_rule(Name="kills", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="kills", Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:told"}])
    names = [f"k{number}" for number in range(ALARMS)]
    for name in names:
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="Kills",
            MetricName=name,
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=5,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
            AlarmActions=[topic],
            OKActions=[topic],
        )
    cloudwatch.put_composite_alarm(AlarmName="over", AlarmRule="ALARM(k0) OR ALARM(k1)")
    for number in range(ROUNDS):
        data = [{"MetricName": name, "Value": 9 if number % 2 == 0 else 1} for name in names]
        cloudwatch.put_metric_data(Namespace="Kills", MetricData=data)
        turning = threading.Thread(target=turn, args=(server,))
        turning.start()
        time.sleep(chance.uniform(0.15, 0.7))
        server.stop(signal.SIGKILL)
        turning.join()
        server.start()
        server.turn_clock("freeze")
        server.turn_clock("advance", "1m")
    changes: Counter[tuple[str, str]] = Counter()
    for name in names:
        page = {"AlarmName": name, "ScanBy": "TimestampAscending"}
        items = cloudwatch.describe_alarm_history(**page)["AlarmHistoryItems"]
        states = ["INSUFFICIENT_DATA"]
        for item in items:
            if item["HistoryItemType"] == "StateUpdate":
                _, _, _, old, _, new = item["HistorySummary"].split(" ")
                assert old == states[-1] and new != old, (name, [each["HistorySummary"] for each in items])
                states.append(new)
                changes[name, new] += 1
        assert states[1:] == ["ALARM", "OK"] * (ROUNDS // 2)
        actions = [item["HistorySummary"] for item in items if item["HistoryItemType"] == "Action"]
        assert actions == [f"Successfully executed action {topic}"] * ROUNDS
    asked = {"AlarmName": "over", "AlarmTypes": ["CompositeAlarm"], "HistoryItemType": "StateUpdate"}
    over = cloudwatch.describe_alarm_history(**asked, ScanBy="TimestampAscending")["AlarmHistoryItems"]
    states = [item["HistorySummary"].rpartition(" ")[2] for item in over]
    assert states == ["OK", *["ALARM", "OK"] * (ROUNDS // 2)], "a composite alarm moves with its children"
    changes |= Counter(("over", state) for state in states)
    messages = [json.loads(each["Message"]) for each in drained(sqs, heard)]
    acted = {key: count for key, count in changes.items() if key[0] != "over"}
    assert Counter((each["AlarmName"], each["NewStateValue"]) for each in messages) == acted
    seen = [each["detail"] for each in drained(sqs, told)]
    assert Counter((each["alarmName"], each["state"]["value"]) for each in seen) == changes
