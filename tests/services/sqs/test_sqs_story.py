"""Standard queues through unmodified boto3: sent, received, hidden, deleted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Clients = Callable[..., Any]


def refused(error: Any) -> tuple[str, int]:
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_message_is_sent_received_and_deleted(client: Clients) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="story-1", tags={"team": "churn"})["QueueUrl"]
    assert url.endswith("/123456789012/story-1")
    assert sqs.get_queue_url(QueueName="story-1")["QueueUrl"] == url
    assert url in sqs.list_queues(QueueNamePrefix="story-")["QueueUrls"]
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "churn"}

    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="this is a test message",
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "é"},
            "blob": {"DataType": "Binary.gzip", "BinaryValue": b"\x00\x01"},
        },
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
    )
    (message,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])[
        "Messages"
    ]
    assert message["Body"] == "this is a test message"
    assert message["MessageId"] == sent["MessageId"]
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"]["blob"]["BinaryValue"] == b"\x00\x01"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert message["Attributes"]["SenderId"] == "123456789012"
    assert message["Attributes"]["AWSTraceHeader"] == "Root=1-2-3"
    assert "Messages" not in sqs.receive_message(QueueUrl=url)

    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counted["ApproximateNumberOfMessages"] == "0"
    assert counted["ApproximateNumberOfMessagesNotVisible"] == "1"
    assert counted["QueueArn"] == "arn:aws:sqs:us-east-1:123456789012:story-1"
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    (again,) = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert again["Attributes"] == {"ApproximateReceiveCount": "2"}

    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])  # not the latest: nothing happens
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counted["ApproximateNumberOfMessagesNotVisible"] == "0"
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(ClientError) as error:
        sqs.get_queue_url(QueueName="story-1")
    assert refused(error) == ("AWS.SimpleQueueService.NonExistentQueue", 400)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    with pytest.raises(sqs.exceptions.QueueDeletedRecently):
        sqs.create_queue(QueueName="story-1")


def test_attributes_have_the_digest_that_clients_check(client: Clients) -> None:
    """As SDKs calculated them: Java's (poundifdef/smoothmq#35), .NET's (aws/aws-sdk-net#308)."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="digest")["QueueUrl"]
    for name, attribute, digest in (
        ("content-encoding", {"DataType": "String", "StringValue": "lz4"}, "d5b1c8868f6406a7a6a8f4cebc4fcc94"),
        ("testname", {"DataType": "Binary", "BinaryValue": b"123"}, "4969dd151b0a6c8b619ebb802f76e035"),
    ):
        sent = sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={name: attribute})
        assert sent["MD5OfMessageAttributes"] == digest
        assert sent["MD5OfMessageBody"] == "9dd4e461268c8034f5c8564e155c67a6"


def test_a_poll_is_woken_by_what_is_sent(client: Clients) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="long-poll", Attributes={"ReceiveMessageWaitTimeSeconds": "20"})["QueueUrl"]
    other = client("sqs")
    timer = threading.Timer(0.5, lambda: other.send_message(QueueUrl=url, MessageBody="late"))
    timer.start()
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    timer.join()
    assert message["Body"] == "late"


def test_a_poll_sees_what_becomes_visible_by_time(client: Clients) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="by-time")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=1)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"])
    assert counted["Attributes"] == {"ApproximateNumberOfMessagesDelayed": "1"}
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10, VisibilityTimeout=1)["Messages"]
    assert message["Body"] == "delayed"
    (again,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert again["MessageId"] == message["MessageId"]


def test_batches_answer_for_each_entry(client: Clients) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="batches")["QueueUrl"]
    answer = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "a", "MessageBody": "one"},
            {"Id": "b", "MessageBody": "bad \x01"},
            {"Id": "c", "MessageBody": "three"},
        ],
    )
    assert [each["Id"] for each in answer["Successful"]] == ["a", "c"]
    assert answer["Failed"] == [
        {
            "Id": "b",
            "SenderFault": True,
            "Code": "InvalidMessageContents",
            "Message": answer["Failed"][0]["Message"],
        }
    ]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [each["Body"] for each in found] == ["one", "three"]
    handles = [each["ReceiptHandle"] for each in found]
    changed = sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "1", "ReceiptHandle": handles[0], "VisibilityTimeout": 60},
            {"Id": "2", "ReceiptHandle": "bm9uZQ==", "VisibilityTimeout": 60},
        ],
    )
    assert [each["Id"] for each in changed["Successful"]] == ["1"]
    assert changed["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    gone = sqs.delete_message_batch(
        QueueUrl=url, Entries=[{"Id": str(at), "ReceiptHandle": handle} for at, handle in enumerate(handles)]
    )
    assert [each["Id"] for each in gone["Successful"]] == ["0", "1"]
    for entries, code in (
        ([{"Id": str(at), "MessageBody": "x"} for at in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "x", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "x y", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": str(at), "MessageBody": "x" * 600_000} for at in range(2)], "BatchRequestTooLong"),
        ([], "EmptyBatchRequest"),
    ):
        with pytest.raises(ClientError) as error:
            sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert refused(error)[0] == f"AWS.SimpleQueueService.{code}"


def test_what_is_wrong_is_refused_in_awss_words(client: Clients) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="wrong", Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("create_queue", {"QueueName": "no spaces"}, "InvalidParameterValue"),
        ("create_queue", {"QueueName": "x" * 81}, "InvalidParameterValue"),
        ("create_queue", {"QueueName": "x.fifo"}, "InvalidParameterValue"),
        ("create_queue", {"QueueName": "x", "Attributes": {"FifoQueue": "true"}}, "InvalidParameterValue"),
        ("create_queue", {"QueueName": "x", "Attributes": {"Nonsense": "1"}}, "InvalidAttributeName"),
        ("create_queue", {"QueueName": "x", "Attributes": {"VisibilityTimeout": "43201"}}, "InvalidAttributeValue"),
        ("create_queue", {"QueueName": "x", "Attributes": {"Policy": "{"}}, "InvalidAttributeValue"),
        ("create_queue", {"QueueName": "x", "Attributes": {"RedrivePolicy": "{}"}}, "InvalidParameterValue"),
        ("create_queue", {"QueueName": "wrong", "Attributes": {"DelaySeconds": "5"}}, "QueueAlreadyExists"),
        ("get_queue_attributes", {"QueueUrl": url, "AttributeNames": ["Nonsense"]}, "InvalidAttributeName"),
        ("send_message", {"QueueUrl": url, "MessageBody": ""}, "MissingParameter"),
        ("send_message", {"QueueUrl": url, "MessageBody": "x" * 1025}, "InvalidParameterValue"),
        ("send_message", {"QueueUrl": url, "MessageBody": "\ufffe"}, "InvalidMessageContents"),
        ("send_message", {"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        ("send_message", {"QueueUrl": url, "MessageBody": "x", "MessageDeduplicationId": "1"}, "InvalidParameterValue"),
        ("send_message", {"QueueUrl": "nothing:/", "MessageBody": "x"}, "InvalidAddress"),
        ("receive_message", {"QueueUrl": url, "MaxNumberOfMessages": 11}, "InvalidParameterValue"),
        ("receive_message", {"QueueUrl": url, "WaitTimeSeconds": 21}, "InvalidParameterValue"),
        ("delete_message", {"QueueUrl": url, "ReceiptHandle": "no handle"}, "ReceiptHandleIsInvalid"),
    ]
    bad_attributes: list[dict[str, Any]] = [
        {"AWS.x": {"DataType": "String", "StringValue": "x"}},
        {"x": {"DataType": "Text", "StringValue": "x"}},
        {"x": {"DataType": "Number", "StringValue": "one"}},
        {"x": {"DataType": "String", "StringValue": ""}},
        {f"x{at}": {"DataType": "String", "StringValue": "x"} for at in range(11)},
    ]
    for attributes in bad_attributes:
        cases.append(
            (
                "send_message",
                {"QueueUrl": url, "MessageBody": "x", "MessageAttributes": attributes},
                "InvalidParameterValue",
            )
        )
    for name, request, code in cases:
        with pytest.raises(ClientError) as error:
            getattr(sqs, name)(**request)
        assert refused(error)[0] == code, (name, request)


def test_a_purge_empties_and_may_not_be_repeated_at_once(client: Clients) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="purge")["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.purge_queue(QueueUrl=url)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    with pytest.raises(ClientError) as error:
        sqs.purge_queue(QueueUrl=url)
    assert refused(error) == ("AWS.SimpleQueueService.PurgeQueueInProgress", 403)


def test_lists_go_page_by_page(client: Clients) -> None:
    sqs = client("sqs")
    made = [sqs.create_queue(QueueName=f"paged-{at}")["QueueUrl"] for at in range(5)]
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="paged-", PaginationConfig={"PageSize": 2})
    found = [page["QueueUrls"] for page in pages]
    assert [len(page) for page in found] == [2, 2, 1]
    assert [url for page in found for url in page] == made


def test_tags_are_found_by_the_tagging_api(client: Clients) -> None:
    sqs, tagging = client("sqs"), client("resourcegroupstaggingapi")
    url = sqs.create_queue(QueueName="tagged-queue")["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"queue-team": "a", "other": "b"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["other"])
    found = tagging.get_resources(TagFilters=[{"Key": "queue-team"}], ResourceTypeFilters=["sqs"])
    (one,) = found["ResourceTagMappingList"]
    assert one["ResourceARN"].endswith(":tagged-queue")
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"queue-team": "a"}
    tagging.tag_resources(ResourceARNList=[one["ResourceARN"]], Tags={"more": "c"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"queue-team": "a", "more": "c"}
