"""FIFO queues and dead letters through unmodified boto3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Clients = Callable[..., Any]


def bodies(sqs: Any, url: str, **arguments: Any) -> list[str]:
    return [each["Body"] for each in received(sqs, url, **arguments)]


def received(sqs: Any, url: str, **arguments: Any) -> list[Any]:
    found: list[Any] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **arguments).get("Messages", [])
    return found


def make(sqs: Any, name: str, **attributes: str) -> str:
    url: str = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true", **attributes})["QueueUrl"]
    return url


def test_groups_keep_their_order_and_wait_for_their_first(client: Clients) -> None:
    sqs = client("sqs")
    url = make(sqs, "order.fifo", ContentBasedDeduplication="true")
    for body, group in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("a3", "a"), ("b2", "b")):
        sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group)
        assert len(sent["SequenceNumber"]) == 20
    first = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"][0]
    assert first["Body"] == "a1"
    assert first["Attributes"]["MessageGroupId"] == "a"
    assert bodies(sqs, url) == ["b1", "b2"]
    assert bodies(sqs, url) == []
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    with pytest.raises(ClientError, match="The receipt handle has expired"):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    again = received(sqs, url)
    assert [each["Body"] for each in again] == ["a1", "a2", "a3"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again[0]["ReceiptHandle"])
    assert bodies(sqs, url) == []


def test_what_is_sent_twice_is_one_message(client: Clients) -> None:
    sqs = client("sqs")
    url = make(sqs, "once.fifo")
    token = {"MessageGroupId": "g", "MessageDeduplicationId": "t"}
    one = sqs.send_message(QueueUrl=url, MessageBody="x", **token)
    two = sqs.send_message(QueueUrl=url, MessageBody="y", **token)
    assert (one["MessageId"], one["SequenceNumber"]) == (two["MessageId"], two["SequenceNumber"])
    (only,) = received(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=only["ReceiptHandle"])
    sqs.send_message(QueueUrl=url, MessageBody="z", **token)  # deleted, but still remembered
    assert received(sqs, url) == []
    by_group = make(sqs, "groups.fifo", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    for group in "ab":
        sqs.send_message(QueueUrl=by_group, MessageBody="x", MessageGroupId=group, MessageDeduplicationId="t")
    assert len(received(sqs, by_group)) == 2


def test_an_attempt_that_is_repeated_receives_the_same(client: Clients) -> None:
    sqs = client("sqs")
    url = make(sqs, "attempts.fifo", ContentBasedDeduplication="true")
    for body in "12":
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
    one = received(sqs, url, ReceiveRequestAttemptId="try")
    two = received(sqs, url, ReceiveRequestAttemptId="try")
    assert [each["ReceiptHandle"] for each in one] == [each["ReceiptHandle"] for each in two]
    assert len(one) == 2
    sqs.delete_message(QueueUrl=url, ReceiptHandle=one[0]["ReceiptHandle"])
    assert received(sqs, url, ReceiveRequestAttemptId="try") == []


def test_what_a_fifo_queue_needs_is_asked_for(client: Clients) -> None:
    sqs = client("sqs")
    url = make(sqs, "needs.fifo")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"MessageBody": "x"}, "MissingParameter"),
        ({"MessageBody": "x", "MessageGroupId": "g"}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageGroupId": "a b", "MessageDeduplicationId": "1"}, "InvalidParameterValue"),
        (
            {"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "1", "DelaySeconds": 1},
            "InvalidParameterValue",
        ),
    ]
    for request, code in cases:
        with pytest.raises(ClientError) as error:
            sqs.send_message(QueueUrl=url, **request)
        assert error.value.response["Error"]["Code"] == code, request
    with pytest.raises(ClientError, match="perMessageGroupId"):
        make(sqs, "limit.fifo", FifoThroughputLimit="perMessageGroupId")
    with pytest.raises(ClientError) as error:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"FifoQueue": "false"})
    assert error.value.response["Error"]["Code"] == "InvalidAttributeName"


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_dead_letters_go_away_and_come_back(client: Clients, suffix: str) -> None:
    sqs = client("sqs")
    kind = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if suffix else {}
    group = {"MessageGroupId": "g"} if suffix else {}
    dead = sqs.create_queue(QueueName=f"dead{suffix}", Attributes=kind)["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": "2"})
    url = sqs.create_queue(QueueName=f"alive{suffix}", Attributes={**kind, "RedrivePolicy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]

    sent = sqs.send_message(QueueUrl=url, MessageBody="poison", **group)
    for _ in range(2):
        assert bodies(sqs, url, VisibilityTimeout=0) == ["poison"]
    assert bodies(sqs, url) == []
    (message,) = received(sqs, dead, AttributeNames=["All"], VisibilityTimeout=0)
    assert message["MessageId"] == sent["MessageId"]
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn

    handle = sqs.start_message_move_task(SourceArn=dead_arn)["TaskHandle"]
    (back,) = received(sqs, url, WaitTimeSeconds=20)
    assert back["Body"] == "poison"
    for _ in range(100):
        (task,) = sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"]
        if task["Status"] != "RUNNING":
            break
    assert task["Status"] == "COMPLETED"
    assert task["ApproximateNumberOfMessagesMoved"] == 1
    with pytest.raises(ClientError) as error:
        sqs.cancel_message_move_task(TaskHandle=handle)
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue"):
        sqs.start_message_move_task(SourceArn=arn)


def test_a_dead_letter_queue_says_whose_it_is(client: Clients) -> None:
    sqs = client("sqs")
    allow = json.dumps({"redrivePermission": "denyAll"})
    dead = sqs.create_queue(QueueName="nobodys", Attributes={"RedriveAllowPolicy": allow})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    url = sqs.create_queue(QueueName="source")["QueueUrl"]
    for policy, words in (
        ({"deadLetterTargetArn": arn, "maxReceiveCount": 1}, "does not allow this source queue"),
        ({"deadLetterTargetArn": arn + "x", "maxReceiveCount": 1}, "Dead letter target does not exist"),
        ({"deadLetterTargetArn": arn, "maxReceiveCount": 0}, "maxReceiveCount"),
        ({"deadLetterTargetArn": "queue", "maxReceiveCount": 1}, "deadLetterTargetArn"),
        ({"maxReceiveCount": 1}, "mandatory attribute: deadLetterTargetArn"),
    ):
        with pytest.raises(ClientError, match=words):
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": ""})
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
