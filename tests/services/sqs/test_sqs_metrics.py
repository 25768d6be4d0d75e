"""What CloudWatch is told of a queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Clients = Callable[..., Any]


def sums(cloudwatch: Any, name: str, queue: str, statistic: str = "Sum") -> float | None:
    points = cloudwatch.get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName=name,
        Dimensions=[{"Name": "QueueName", "Value": queue}],
        StartTime=time.time() - 3600,
        EndTime=time.time() + 3600,
        Period=7200,
        Statistics=[statistic],
    )["Datapoints"]
    return points[0][statistic] if points else None


def test_messages_are_counted_and_what_lies_there_is_told(client: Clients) -> None:
    sqs, cloudwatch = client("sqs"), client("cloudwatch")
    url = sqs.create_queue(QueueName="counted")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": "four"} for number in range(3)]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    attribute = {"kind": {"DataType": "String", "StringValue": "x"}}
    sqs.send_message(QueueUrl=url, MessageBody="four", MessageAttributes=attribute)
    taken = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=4)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=taken[0]["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    wanted = {
        "NumberOfMessagesSent": 4.0,
        "SentMessageSize": 4 * 4 + len("kind") + len("String") + len("x"),
        "NumberOfMessagesReceived": 4.0,
        "NumberOfMessagesDeleted": 1.0,
        "NumberOfEmptyReceives": 1.0,
    }
    deadline = time.monotonic() + 30
    while (found := {name: sums(cloudwatch, name, "counted") for name in wanted}) != wanted or sums(
        cloudwatch, "ApproximateNumberOfMessagesVisible", "counted", "Minimum"
    ) is None:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    listed = cloudwatch.list_metrics(Namespace="AWS/SQS", Dimensions=[{"Name": "QueueName", "Value": "counted"}])
    names = {each["MetricName"] for each in listed["Metrics"]}
    assert names >= {*wanted, "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"}
    sqs.delete_queue(QueueUrl=url)
