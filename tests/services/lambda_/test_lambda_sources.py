"""Functions invoked with a queue's messages: batches, failures of some, what cannot be."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from function_requests import make_function

Client = Callable[..., Any]
CODE = """
import boto3, json
def lambda_handler(event, context):
    s3, failed = boto3.client("s3"), []
    for record in event["Records"]:
        attributes = record["attributes"]
        if record["body"] == "once more" and attributes["ApproximateReceiveCount"] == "1":
            failed.append({"itemIdentifier": record["messageId"]})
            continue
        s3.put_object(Bucket="of-sources", Key=record["body"], Body=json.dumps(record))
    return {"batchItemFailures": failed}
"""


def _queue(client: Client, name: str, **attributes: str) -> tuple[str, str]:
    url = client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    held = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, held["Attributes"]["QueueArn"]


def _keys(client: Client, wanted: set[str]) -> None:
    deadline, found = time.monotonic() + 60, set()
    while time.monotonic() < deadline:
        answer = client("s3").list_objects_v2(Bucket="of-sources")
        found = {each["Key"] for each in answer.get("Contents", ())}
        if wanted <= found:
            return
        time.sleep(0.2)
    raise AssertionError(f"{wanted - found} did not come")


@pytest.mark.slow  # what failed comes again after the queue's visibility timeout
def test_messages_of_a_queue_invoke_the_function(client: Client) -> None:
    functions = client("lambda")
    client("s3").create_bucket(Bucket="of-sources")
    url, arn = _queue(client, "lambda-source", VisibilityTimeout="10")
    make_function(client, "polled", CODE, Timeout=10)
    made = functions.create_event_source_mapping(
        EventSourceArn=arn, FunctionName="polled", FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    assert (made["State"], made["BatchSize"]) == ("Creating", 10)
    told = {"colour": {"DataType": "String", "StringValue": "green"}}
    client("sqs").send_message(QueueUrl=url, MessageBody="first", MessageAttributes=told)
    client("sqs").send_message(QueueUrl=url, MessageBody="once more")
    _keys(client, {"first", "once more"})
    record = json.load(client("s3").get_object(Bucket="of-sources", Key="first")["Body"])
    assert record["eventSourceARN"] == arn and record["eventSource"] == "aws:sqs"
    assert record["messageAttributes"]["colour"]["stringValue"] == "green"
    again = json.load(client("s3").get_object(Bucket="of-sources", Key="once more")["Body"])
    assert int(again["attributes"]["ApproximateReceiveCount"]) >= 2  # a slow cold start may use up a visibility timeout
    state = functions.get_event_source_mapping(UUID=made["UUID"])
    assert state["State"] == "Enabled" and state["LastProcessingResult"] in ("OK", "PROBLEM: Function call failed")

    functions.update_event_source_mapping(UUID=made["UUID"], Enabled=False)
    assert functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Disabled"
    listed = functions.list_event_source_mappings(FunctionName="polled")["EventSourceMappings"]
    assert [each["UUID"] for each in listed] == [made["UUID"]]
    functions.update_event_source_mapping(UUID=made["UUID"], Enabled=True, BatchSize=1)
    client("sqs").send_message(QueueUrl=url, MessageBody="later")
    _keys(client, {"later"})
    functions.delete_event_source_mapping(UUID=made["UUID"])
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        functions.get_event_source_mapping(UUID=made["UUID"])


def test_what_cannot_be_mapped_is_refused(client: Client) -> None:
    functions = client("lambda")
    _, arn = _queue(client, "lambda-short", VisibilityTimeout="2")
    make_function(client, "slow-one", "def lambda_handler(event, context):\n    pass\n", Timeout=10)
    given = {"FunctionName": "slow-one", "EventSourceArn": arn}
    with pytest.raises(ClientError, match="Queue visibility timeout: 2 seconds is less than Function timeout"):
        functions.create_event_source_mapping(**given)
    with pytest.raises(ClientError, match="NonExistentQueue"):
        functions.create_event_source_mapping(**given | {"EventSourceArn": arn + "-none"})
    with pytest.raises(ClientError, match="does not support arn:aws:kinesis"):
        stream = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
        functions.create_event_source_mapping(**given | {"EventSourceArn": stream}, StartingPosition="LATEST")
    with pytest.raises(ClientError, match="Maximum batch window in seconds must be greater than 0"):
        functions.create_event_source_mapping(**given, BatchSize=100)
    with pytest.raises(ClientError, match="FilterCriteria"):
        functions.create_event_source_mapping(**given, FilterCriteria={"Filters": [{"Pattern": "{}"}]})
    with pytest.raises(ClientError, match="Function not found"):
        functions.create_event_source_mapping(**given | {"FunctionName": "nobody"})
