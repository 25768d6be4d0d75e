"""What SNS refuses, in its words, and what subscriptions leave out; through unmodified boto3."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_sns_story import queue_of, received, refused

Clients = Callable[..., Any]
TOPIC = "arn:aws:sns:us-east-1:123456789012:refusals"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:refusals"
TEXT = {"DataType": "String", "StringValue": "x"}


@pytest.fixture(scope="module")
def sns(server: Any) -> Any:
    made = server.client("sns")
    made.create_topic(Name="refusals")
    made.create_topic(Name="refusals.fifo", Attributes={"FifoTopic": "true"})
    return made


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"TopicArn": "x"}, "InvalidParameter", "TopicArn Reason: An ARN must have at least 6 elements, not 1"),
        ({"TopicArn": f"{TOPIC}-none"}, "NotFound", "Topic does not exist"),
        ({"Message": ""}, "InvalidParameter", "Empty message"),
        ({"Message": "x" * 262_145}, "InvalidParameter", "Message too long"),
        ({"Message": "é" * 131_073}, "InvalidParameter", "Message too long"),
        ({"Subject": "x" * 101}, "InvalidParameter", "Subject"),
        ({"Subject": "a\nb"}, "InvalidParameter", "Subject"),
        ({"Subject": "a\u2028b"}, "InvalidParameter", "Subject"),
        ({"Subject": ""}, "InvalidParameter", "Subject"),
        ({"MessageStructure": "json"}, "InvalidParameter", "JSON message body failed to parse"),
        ({"MessageStructure": "json", "Message": "[" * 50_000}, "InvalidParameter", "failed to parse"),
        ({"MessageStructure": "json", "Message": '{"sqs": "a"}'}, "InvalidParameter", "No default entry"),
        ({"MessageDeduplicationId": "d"}, "InvalidParameter", "not valid for this topic type"),
        ({"TopicArn": f"{TOPIC}.fifo"}, "InvalidParameter", "MessageGroupId parameter is required"),
        ({"TopicArn": f"{TOPIC}.fifo", "MessageGroupId": "g"}, "InvalidParameter", "ContentBasedDeduplication"),
        ({"TopicArn": f"{TOPIC}.fifo", "MessageGroupId": "g g"}, "InvalidParameter", "MessageGroupId"),
        ({"MessageAttributes": {"a..b": TEXT}}, "ParameterValueInvalid", "successive '.'"),
        ({"MessageAttributes": {"a^": TEXT}}, "ParameterValueInvalid", "'#x5E'"),
        ({"MessageAttributes": {"a" * 257: TEXT}}, "ParameterValueInvalid", "less than 256 bytes"),
        ({"MessageAttributes": {"a": {**TEXT, "DataType": "Text"}}}, "ParameterValueInvalid", "set of supported type"),
        ({"MessageAttributes": {"a": {**TEXT, "DataType": "Number"}}}, "ParameterValueInvalid", "to number"),
        (
            {"MessageAttributes": {"a": {**TEXT, "DataType": "Binary"}}},
            "ParameterValueInvalid",
            "use field 'Binary'",
        ),
        ({"MessageAttributes": {"a": {"DataType": "String"}}}, "ParameterValueInvalid", "non-empty"),
        ({"MessageAttributes": {"a": {**TEXT, "DataType": "String.Array"}}}, "ParameterValueInvalid", "JSON array"),
    ],
)
def test_what_cannot_be_published(sns: Any, members: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(ClientError) as error:
        sns.publish(**{"TopicArn": TOPIC, "Message": "m", **members})
    assert refused(error)[0] == code
    assert words in refused(error)[1]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"Protocol": "carrier-pigeon"}, "does not support this protocol string: carrier-pigeon"),
        ({"Protocol": "sms", "Endpoint": "+15551234567"}, "sends no text messages"),
        ({"Protocol": "application", "Endpoint": "arn:aws:sns:x"}, "no push notifications"),
        ({"Protocol": "firehose", "Endpoint": "arn:aws:firehose:x"}, "no Amazon Data Firehose"),
        ({"Endpoint": "http://127.0.0.1/q"}, "SQS endpoint ARN"),
        ({"Endpoint": f"{QUEUE}.fifo"}, "FIFO SQS Queues can not be subscribed to standard SNS topics"),
        ({"Endpoint": QUEUE.replace("us-east-1", "eu-west-1")}, "within a region only"),
        ({"Protocol": "lambda"}, "Lambda endpoint ARN"),
        ({"Protocol": "email", "Endpoint": "a@b\r\nBcc: c@d"}, "Email address"),
        ({"Protocol": "https", "Endpoint": "http://127.0.0.1/"}, "must match the specified protocol"),
        ({"TopicArn": f"{TOPIC}.fifo", "Protocol": "email", "Endpoint": "a@b"}, "Please use FIFO SQS queue"),
        ({"Attributes": {"Fancy": "x"}}, "AttributeName"),
        ({"Attributes": {"SubscriptionRoleArn": "x"}}, "SubscriptionRoleArn is not supported"),
        ({"Attributes": {"RawMessageDelivery": "maybe"}}, "Invalid value [maybe]. Must be true or false."),
        ({"Attributes": {"FilterPolicyScope": "All"}}, "Please use either MessageBody or MessageAttributes"),
        ({"Attributes": {"FilterPolicy": "{"}}, "FilterPolicy: failed to parse JSON"),
        ({"Attributes": {"FilterPolicy": "[" * 50_000}}, "FilterPolicy: failed to parse JSON"),
        ({"Attributes": {"FilterPolicy": '{"a": [{"like": "b"}]}'}}, "FilterPolicy: Unrecognized match type like"),
        ({"Attributes": {"FilterPolicy": '{"a": {"b": ["c"]}}'}}, "does not support nested filter policy"),
        (
            {"Attributes": {"FilterPolicy": json.dumps({str(n): ["x"] for n in range(6)})}},
            "can not have more than 5 keys",
        ),
        (
            {"Attributes": {"FilterPolicy": json.dumps({key: [str(n) for n in range(13)] for key in "ab"})}},
            "Filter policy is too complex",
        ),
        ({"Attributes": {"RedrivePolicy": '{"deadLetterTargetArn": "x"}'}}, "deadLetterTargetArn is an invalid arn"),
    ],
)
def test_what_cannot_subscribe(sns: Any, members: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError) as error:
        sns.subscribe(**{"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE, **members})
    assert refused(error)[0] == "InvalidParameter"
    assert words in refused(error)[1]
    assert sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"] == []


@pytest.mark.parametrize(
    ("operation", "members", "code", "words"),
    [
        ("create_topic", {"Name": "no spaces"}, "InvalidParameter", "Topic Name"),
        ("create_topic", {"Name": "x.fifo"}, "InvalidParameter", "Topic Name"),
        (
            "create_topic",
            {"Name": "refusals", "Attributes": {"DisplayName": "x"}},
            "InvalidParameter",
            "different at",
        ),
        (
            "create_topic",
            {"Name": "refusals", "Tags": [{"Key": "a", "Value": "b"}]},
            "InvalidParameter",
            "different t",
        ),
        ("create_topic", {"Name": "x", "Attributes": {"ArchivePolicy": "{}"}}, "InvalidParameter", "not archived"),
        ("create_topic", {"Name": "x", "Attributes": {"SignatureVersion": "3"}}, "InvalidParameter", "Must be one of"),
        (
            "set_topic_attributes",
            {"AttributeName": "FifoTopic", "AttributeValue": "x"},
            "InvalidParameter",
            "AttributeName",
        ),
        (
            "set_topic_attributes",
            {"AttributeName": "Policy", "AttributeValue": "{"},
            "InvalidParameter",
            "Policy E",
        ),
        ("confirm_subscription", {"Token": "no token"}, "InvalidParameter", "Invalid token"),
        ("confirm_subscription", {"Token": "a" * 64}, "InvalidParameter", "Token"),
        ("list_topics", {"NextToken": "forged"}, "InvalidParameter", "NextToken"),
        ("get_subscription_attributes", {"SubscriptionArn": TOPIC}, "InvalidParameter", "SubscriptionId"),
        ("unsubscribe", {"SubscriptionArn": "x"}, "InvalidParameter", "at least 6 elements, not 1"),
        ("list_tags_for_resource", {"ResourceArn": f"{TOPIC}-none"}, "ResourceNotFound", "does not exist"),
        ("list_platform_applications", {}, "InvalidAction", "push notifications"),
    ],
)
def test_what_else_is_refused(sns: Any, operation: str, members: dict[str, Any], code: str, words: str) -> None:
    if operation in ("set_topic_attributes", "confirm_subscription"):
        members = {"TopicArn": TOPIC, **members}
    with pytest.raises(ClientError) as error:
        getattr(sns, operation)(**members)
    assert refused(error)[0] == code
    assert words in refused(error)[1]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": str(n), "Message": "m"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "Message": "m"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a.b", "Message": "m"}], "InvalidBatchEntryId"),
        ([{"Id": str(n), "Message": "x" * 140_000} for n in range(2)], "BatchRequestTooLong"),
    ],
)
def test_batches_that_are_wrong_as_a_whole(sns: Any, entries: list[Any], code: str) -> None:
    with pytest.raises(ClientError) as error:
        sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)
    assert refused(error)[0] == code


def test_a_stranger_may_what_the_policy_says(sns: Any, client: Clients, server: Any) -> None:
    attributes = sns.get_topic_attributes(TopicArn=TOPIC)["Attributes"]
    assert json.loads(attributes["Policy"])["Statement"][0]["Sid"] == "__default_statement_ID"
    assert json.loads(attributes["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3
    sns.add_permission(TopicArn=TOPIC, Label="theirs", AWSAccountId=["210987654321"], ActionName=["Publish"])
    policy = json.loads(sns.get_topic_attributes(TopicArn=TOPIC)["Attributes"]["Policy"])
    assert policy["Statement"][1]["Action"] == "SNS:Publish"
    with pytest.raises(ClientError, match="Statement already exists"):
        sns.add_permission(TopicArn=TOPIC, Label="theirs", AWSAccountId=["210987654321"], ActionName=["Publish"])
    sns.remove_permission(TopicArn=TOPIC, Label="theirs")
    sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue="")


def test_who_wants_what(client: Clients) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name="filtered")["TopicArn"]
    body = {"FilterPolicyScope": "MessageBody", "FilterPolicy": '{"a": {"b": [{"numeric": [">", 1]}]}}'}
    attributes = {"FilterPolicy": '{"kind": ["drift", {"prefix": "viol"}], "grade": [{"numeric": [">=", 2]}]}'}
    listed = {"FilterPolicy": '{"names": [{"anything-but": ["x"]}]}'}
    urls = []
    for name, given in (("body", body), ("attributes", attributes), ("listed", listed)):
        url, arn = queue_of(sqs, f"filtered-{name}")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={**given, "RawMessageDelivery": "true"})
        urls.append(url)

    def publish(message: str, **values: tuple[str, str]) -> None:
        told = {name: {"DataType": kind, "StringValue": text} for name, (kind, text) in values.items()}
        sns.publish(TopicArn=topic, Message=message, MessageAttributes=told)

    publish('{"a": {"b": 2}}', kind=("String", "other"), grade=("Number", "3"))
    publish('{"a": {"b": 1}}', kind=("String", "violation"), grade=("Number", "2.0"))
    publish("no json", kind=("String", "drift"), grade=("Number", "1"))
    publish("[1]", names=("String.Array", '["x"]'))
    publish("names", names=("String.Array", '["x", "y"]'))
    bodies = [sorted(message["Body"] for message in received(sqs, url)) for url in urls]
    assert bodies == [['{"a": {"b": 2}}'], ['{"a": {"b": 1}}'], ["names"]]
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"] == "3"
    sqs.delete_queue(QueueUrl=urls[0])
    sns.publish(TopicArn=topic, Message='{"a": {"b": 2}}')  # to a queue that has gone: nobody hears of it
    now = datetime.now(UTC)
    counted = {
        metric: client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SNS",
            MetricName=metric,
            Dimensions=[{"Name": "TopicName", "Value": "filtered"}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200,
            Statistics=["Sum"],
        )["Datapoints"][0]["Sum"]
        for metric in (
            *("NumberOfMessagesPublished", "NumberOfNotificationsDelivered", "NumberOfNotificationsFailed"),
            *("NumberOfNotificationsFilteredOut", "NumberOfNotificationsFilteredOut-InvalidMessageBody"),
        )
    }
    assert list(counted.values()) == [6.0, 3.0, 1.0, 14.0, 3.0]


def test_pages_of_topics_and_subscriptions(client: Clients) -> None:
    sns = client("sns")
    names = {f"paged-{n:03d}" for n in range(101)}
    for name in names:
        sns.create_topic(Name=name)
    found = [each["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for each in page["Topics"]]
    assert names <= {arn.rpartition(":")[2] for arn in found}
    assert len(found) == len(set(found))
    topic = next(arn for arn in found if arn.endswith(":paged-000"))
    for n in range(101):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"u{n}@example.com")
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    assert [len(page["Subscriptions"]) for page in pages] == [100, 1]
