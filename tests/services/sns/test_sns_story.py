"""Topics with queues as subscribers, through unmodified boto3."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

Clients = Callable[..., Any]


def refused(error: Any) -> tuple[str, str]:
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def queue_of(sqs: Any, name: str, **attributes: str) -> tuple[str, str]:
    """(URL, ARN)."""
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:123456789012:{name}"


def received(sqs: Any, url: str) -> list[Any]:
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
    )
    return list(answer.get("Messages", []))


def is_signed(envelope: dict[str, str]) -> bool:
    """As a receiver verifies it, with nothing but what the notification says."""
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    with urllib.request.urlopen(envelope["SigningCertURL"]) as answer:
        certificate = x509.load_pem_x509_certificate(answer.read())
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    digest = hashes.SHA256() if envelope["SignatureVersion"] == "2" else hashes.SHA1()
    key.verify(base64.b64decode(envelope["Signature"]), text.encode(), PKCS1v15(), digest)
    return True


def test_a_queue_gets_what_is_published(client: Clients) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name="story", Tags=[{"Key": "team", "Value": "churn"}])["TopicArn"]
    assert sns.create_topic(Name="story")["TopicArn"] == topic
    pages = sns.get_paginator("list_topics").paginate()
    assert {"TopicArn": topic} in [each for page in pages for each in page["Topics"]]
    url, arn = queue_of(sqs, "story-queue")
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    assert sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"] == subscription

    sent = sns.publish(
        TopicArn=topic,
        Message="Grüße",
        Subject="Grüß dich: 日本",
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "drift"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    (message,) = received(sqs, url)
    envelope = json.loads(message["Body"])
    assert list(envelope) == [
        *("Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature"),
        *("SigningCertURL", "UnsubscribeURL", "MessageAttributes"),
    ]
    assert (envelope["Type"], envelope["MessageId"]) == ("Notification", sent["MessageId"])
    assert (envelope["Message"], envelope["Subject"], envelope["SignatureVersion"]) == ("Grüße", "Grüß dich: 日本", "1")
    assert envelope["MessageAttributes"]["kind"] == {"Type": "String", "Value": "drift"}
    assert envelope["MessageAttributes"]["blob"] == {"Type": "Binary", "Value": "AAE="}
    assert is_signed(envelope)
    assert "MessageAttributes" not in message

    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    sns.publish(TopicArn=topic, Message="again")
    (message,) = received(sqs, url)
    assert is_signed(json.loads(message["Body"]))
    with urllib.request.urlopen(json.loads(message["Body"])["UnsubscribeURL"]) as answer:
        assert b"UnsubscribeResponse" in answer.read()
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsDeleted"] == "1"
    sns.delete_topic(TopicArn=topic)
    sns.delete_topic(TopicArn=topic)
    with pytest.raises(ClientError) as error:
        sns.publish(TopicArn=topic, Message="x")
    assert refused(error) == ("NotFound", "Topic does not exist")


def test_raw_delivery_and_other_texts_for_queues(client: Clients) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name="raw")["TopicArn"]
    url, arn = queue_of(sqs, "raw-queue")
    made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    attributes = {"n": {"DataType": "Number", "StringValue": "19.12"}}
    sns.publish(
        TopicArn=topic,
        Message=json.dumps({"default": "all", "sqs": "queues"}),
        MessageStructure="json",
        MessageAttributes=attributes,
    )
    (message,) = received(sqs, url)
    assert message["Body"] == "queues"
    assert message["MessageAttributes"] == attributes
    shown = sns.get_subscription_attributes(SubscriptionArn=made["SubscriptionArn"])["Attributes"]
    assert shown == {
        "ConfirmationWasAuthenticated": "true",
        "Endpoint": arn,
        "Owner": "123456789012",
        "PendingConfirmation": "false",
        "Protocol": "sqs",
        "RawMessageDelivery": "true",
        "SubscriptionArn": made["SubscriptionArn"],
        "SubscriptionPrincipal": "arn:aws:iam::123456789012:root",
        "TopicArn": topic,
    }
    batch = sns.publish_batch(
        TopicArn=topic, PublishBatchRequestEntries=[{"Id": str(n), "Message": f"m{n}"} for n in range(10)]
    )
    assert [each["Id"] for each in batch["Successful"]] == [str(n) for n in range(10)]
    assert sorted(each["Body"] for each in received(sqs, url)) == [f"m{n}" for n in range(10)]


def test_a_fifo_topic_keeps_order_and_says_nothing_twice(client: Clients) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name="orders.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"})[
        "TopicArn"
    ]
    url, arn = queue_of(sqs, "orders-queue.fifo", FifoQueue="true")
    standard_url, standard = queue_of(sqs, "orders-standard")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=standard, Attributes={"RawMessageDelivery": "true"})
    first = sns.publish(TopicArn=topic, Message="a", MessageGroupId="g")
    again = sns.publish(TopicArn=topic, Message="a", MessageGroupId="g")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    second = sns.publish(TopicArn=topic, Message="b", MessageGroupId="g", MessageDeduplicationId="d-2")
    assert len(first["SequenceNumber"]) == 20
    assert second["SequenceNumber"] > first["SequenceNumber"]
    messages = received(sqs, url)
    assert [json.loads(each["Body"])["Message"] for each in messages] == ["a", "b"]
    assert messages[1]["Attributes"]["MessageDeduplicationId"] == "d-2"
    assert messages[1]["Attributes"]["MessageGroupId"] == "g"
    envelope = json.loads(messages[0]["Body"])
    assert envelope["SequenceNumber"] == first["SequenceNumber"]
    assert "Signature" not in envelope
    assert [each["Body"] for each in received(sqs, standard_url)] == ["a", "b"]


def test_a_rule_publishes_to_a_topic(client: Clients) -> None:
    sns, sqs, events = client("sns"), client("sqs"), client("events")
    topic = sns.create_topic(Name="of-a-rule")["TopicArn"]
    url, arn = queue_of(sqs, "of-a-rule-queue")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    events.put_rule(Name="to-topic", EventPattern=json.dumps({"source": ["sns.story"]}))
    events.put_targets(Rule="to-topic", Targets=[{"Id": "t", "Arn": topic, "InputPath": "$.detail"}])
    events.put_events(Entries=[{"Source": "sns.story", "DetailType": "x", "Detail": '{"n": 1}'}])
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == '{"n":1}'
