"""Event notifications of buckets, through unmodified boto3: queues, topics, the default bus; each event once."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

Clients = Callable[..., Any]
CREATED = ["s3:ObjectCreated:*"]


def queue_of(sqs: Any, name: str) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:123456789012:{name}"


def received(sqs: Any, url: str) -> list[Any]:
    """The bodies of all that is there, removed."""
    found: list[Any] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def configure(s3: Any, bucket: str, configuration: dict[str, Any]) -> None:
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def test_a_queue_is_told_what_happens_to_objects(client: Clients) -> None:
    s3, sqs = client("s3"), client("sqs")
    s3.create_bucket(Bucket="told-1")
    url, arn = queue_of(sqs, "told-1-queue")
    events = [*CREATED, "s3:ObjectRemoved:Delete", "s3:ObjectTagging:*"]
    rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".csv"}]
    configure(
        s3,
        "told-1",
        {
            "QueueConfigurations": [
                {"Id": "one", "QueueArn": arn, "Events": events, "Filter": {"Key": {"FilterRules": rules}}}
            ]
        },
    )
    (kept,) = s3.get_bucket_notification_configuration(Bucket="told-1")["QueueConfigurations"]
    assert [rule["Name"] for rule in kept["Filter"]["Key"]["FilterRules"]] == ["Prefix", "Suffix"]
    (first,) = received(sqs, url)
    assert (first["Service"], first["Event"], first["Bucket"]) == ("Amazon S3", "s3:TestEvent", "told-1")

    put = s3.put_object(Bucket="told-1", Key="in/a b.csv", Body=b"1,2\n")
    s3.put_object(Bucket="told-1", Key="out/a.csv", Body=b"x")
    s3.put_object(Bucket="told-1", Key="in/big.csv", Body=b"x" * 200_000)
    s3.copy_object(Bucket="told-1", Key="in/copy.csv", CopySource="told-1/out/a.csv")
    s3.put_object_tagging(Bucket="told-1", Key="in/copy.csv", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    upload = s3.create_multipart_upload(Bucket="told-1", Key="in/parts.csv")["UploadId"]
    part = s3.upload_part(Bucket="told-1", Key="in/parts.csv", UploadId=upload, PartNumber=1, Body=b"p")
    s3.complete_multipart_upload(
        Bucket="told-1",
        Key="in/parts.csv",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    s3.delete_objects(Bucket="told-1", Delete={"Objects": [{"Key": "in/a b.csv"}, {"Key": "in/none.csv"}]})
    s3.delete_object(Bucket="told-1", Key="in/copy.csv")
    records = [record for body in received(sqs, url) for record in body["Records"]]
    assert [(record["eventName"], record["s3"]["object"]["key"]) for record in records] == [
        ("ObjectCreated:Put", "in/a+b.csv"),
        ("ObjectCreated:Put", "in/big.csv"),
        ("ObjectCreated:Copy", "in/copy.csv"),
        ("ObjectTagging:Put", "in/copy.csv"),
        ("ObjectCreated:CompleteMultipartUpload", "in/parts.csv"),
        ("ObjectRemoved:Delete", "in/a+b.csv"),
        ("ObjectRemoved:Delete", "in/copy.csv"),
    ]
    record = records[0]
    about = record["s3"].pop("object")
    sequencer = about.pop("sequencer")
    assert about == {"key": "in/a+b.csv", "size": 4, "eTag": put["ETag"].strip('"')}
    assert sequencer < records[5]["s3"]["object"]["sequencer"]
    assert record["s3"] == {
        "s3SchemaVersion": "1.0",
        "configurationId": "one",
        "bucket": {
            "name": "told-1",
            "ownerIdentity": {"principalId": "123456789012"},
            "arn": "arn:aws:s3:::told-1",
        },
    }
    assert (record["eventVersion"], record["eventSource"], record["awsRegion"]) == ("2.1", "aws:s3", "us-east-1")
    assert record["requestParameters"] == {"sourceIPAddress": "127.0.0.1"}
    assert record["responseElements"]["x-amz-request-id"] == put["ResponseMetadata"]["RequestId"]
    assert records[3]["eventVersion"] == "2.3"
    configure(s3, "told-1", {})
    s3.put_object(Bucket="told-1", Key="in/c.csv", Body=b"x")
    assert received(sqs, url) == []


def test_versions_and_delete_markers_by_topic_and_bus(client: Clients) -> None:
    s3, sqs, sns, events = client("s3"), client("sqs"), client("sns"), client("events")
    s3.create_bucket(Bucket="told-2")
    s3.put_bucket_versioning(Bucket="told-2", VersioningConfiguration={"Status": "Enabled"})
    topic = sns.create_topic(Name="told-2")["TopicArn"]
    url, arn = queue_of(sqs, "told-2-topic")
    bus_url, bus_arn = queue_of(sqs, "told-2-bus")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    events.put_rule(
        Name="told-2", EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": ["told-2"]}}})
    )
    events.put_targets(Rule="told-2", Targets=[{"Id": "q", "Arn": bus_arn}])
    configure(
        s3,
        "told-2",
        {
            "TopicConfigurations": [{"TopicArn": topic, "Events": [*CREATED, "s3:ObjectRemoved:*"]}],
            "EventBridgeConfiguration": {},
        },
    )
    assert s3.get_bucket_notification_configuration(Bucket="told-2")["EventBridgeConfiguration"] == {}
    version = s3.put_object(Bucket="told-2", Key="ä b", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket="told-2", Key="ä b")["VersionId"]
    s3.delete_object(Bucket="told-2", Key="ä b", VersionId=version)
    envelopes = received(sqs, url)
    assert {envelope["Subject"] for envelope in envelopes} == {"Amazon S3 Notification"}
    test, *rest = [json.loads(envelope["Message"]) for envelope in envelopes]
    assert test["Event"] == "s3:TestEvent"
    records = [body["Records"][0] for body in rest]
    assert [(each["eventName"], each["s3"]["object"]["versionId"]) for each in records] == [
        ("ObjectCreated:Put", version),
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectRemoved:Delete", version),
    ]
    told: list[Any] = []
    while len(told) < 3:
        told += [json.loads(m["Body"]) for m in sqs.receive_message(QueueUrl=bus_url, WaitTimeSeconds=20)["Messages"]]
    told.sort(key=lambda each: each["detail"]["object"]["sequencer"])
    assert [each["detail-type"] for each in told] == ["Object Created", "Object Deleted", "Object Deleted"]
    assert told[0]["detail"]["object"]["key"] == "ä b"
    assert told[0]["detail"]["reason"] == "PutObject"
    assert told[0]["detail"]["requester"] == "123456789012"
    assert [each["detail"].get("deletion-type") for each in told] == [
        None,
        "Delete Marker Created",
        "Permanently Deleted",
    ]


@pytest.mark.parametrize(
    ("configuration", "code", "words"),
    [
        ({"QueueConfigurations": [{"QueueArn": "x", "Events": CREATED}]}, "InvalidArgument", "could not be parsed"),
        (
            {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:123456789012:none", "Events": CREATED}]},
            "InvalidArgument",
            "Unable to validate the following destination configurations",
        ),
        (
            {"TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:123456789012:x.fifo", "Events": CREATED}]},
            "InvalidArgument",
            "FIFO",
        ),
        (
            {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "Events": ["s3:Nothing"]}]},
            "InvalidArgument",
            "not supported for notifications",
        ),
        (
            {
                "QueueConfigurations": [
                    {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "Events": ["s3:Replication:*"]}
                ]
            },
            "NotImplemented",
            "does not happen in Cloche",
        ),
        (
            {
                "QueueConfigurations": [
                    {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "Events": ["s3:ObjectCreated:Put"]},
                    {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:r", "Events": CREATED},
                ]
            },
            "InvalidArgument",
            "ambiguously defined",
        ),
    ],
)
def test_what_cannot_be_told_is_refused(client: Clients, configuration: Any, code: str, words: str) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="told-3")
    with pytest.raises(ClientError, match=words) as refused:
        configure(s3, "told-3", configuration)
    assert refused.value.response["Error"]["Code"] == code
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket="told-3")


def test_every_object_is_told_once_through_a_kill(start_server: Callable[..., Any]) -> None:
    """What was acknowledged has one event; and no event tells of an object that is not there."""
    running = start_server()
    s3, sqs = running.client("s3"), running.client("sqs")
    s3.create_bucket(Bucket="killed")
    url, arn = queue_of(sqs, "killed")
    configure(s3, "killed", {"QueueConfigurations": [{"QueueArn": arn, "Events": CREATED}]})
    acknowledged: set[str] = set()

    def put(thread: int) -> None:
        size = 10 if thread else 200_000  # a row of the database, and a file of its own
        with contextlib.suppress(BotoCoreError, ClientError):
            for n in itertools.count():
                s3.put_object(Bucket="killed", Key=f"{thread}-{n}", Body=b"x" * size)
                acknowledged.add(f"{thread}-{n}")

    threads = [threading.Thread(target=put, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 30:
        time.sleep(0.01)
    running.process.send_signal(signal.SIGKILL)
    for thread in threads:
        thread.join()
    running.stop()
    running.start()
    s3, sqs = running.client("s3"), running.client("sqs")
    keys = [body["Records"][0]["s3"]["object"]["key"] for body in received(sqs, url) if "Records" in body]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="killed")
    there = {each["Key"] for page in pages for each in page["Contents"]}
    assert sorted(keys) == sorted(there)
    assert acknowledged <= there
