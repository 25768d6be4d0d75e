"""Asynchronous invocations: kept, tried again, given up, sent on; and what survives a killed server."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from function_requests import ask, make_function, zipped

Client = Callable[..., Any]
FAILS = "def lambda_handler(event, context):\n    raise ValueError(event['why'])\n"
ECHO = "def lambda_handler(event, context):\n    return event\n"
KEEPS = """
import boto3, time
COUNT = 0
def lambda_handler(event, context):
    global COUNT
    COUNT += 1
    time.sleep(event.get("sleep", 0))
    if event.get("key"):
        boto3.client("s3").put_object(Bucket="kept-by-functions", Key=event["key"], Body=b"done")
    return COUNT
"""


def _queue(client: Client, name: str) -> tuple[str, str]:
    """Its URL and its ARN."""
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    held = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, held["Attributes"]["QueueArn"]


def _message(client: Client, url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"])
        if answer.get("Messages"):
            message: dict[str, Any] = answer["Messages"][0]
            return message
    raise AssertionError("no message came")


def test_what_fails_goes_to_the_dead_letters_and_the_destination(client: Client) -> None:
    functions = client("lambda")
    dead, dead_arn = _queue(client, "lambda-dead")
    failed, failed_arn = _queue(client, "lambda-failed")
    make_function(client, "fails-later", FAILS, DeadLetterConfig={"TargetArn": dead_arn})
    told = functions.put_function_event_invoke_config(
        FunctionName="fails-later",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": failed_arn}},
    )
    assert told["MaximumRetryAttempts"] == 0 and "MaximumEventAgeInSeconds" not in told
    answer = functions.invoke(FunctionName="fails-later", InvocationType="Event", Payload=b'{"why": "no"}')
    assert answer["StatusCode"] == 202
    record = json.loads(_message(client, failed)["Body"])
    context = record["requestContext"]
    assert context["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 1)
    assert record["requestPayload"] == {"why": "no"}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responsePayload"]["errorMessage"] == "no"
    message = _message(client, dead)
    assert json.loads(message["Body"]) == {"why": "no"}
    assert message["MessageAttributes"]["RequestID"]["StringValue"] == context["requestId"]
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no"


def test_a_result_goes_on_to_another_function_and_a_queue(client: Client) -> None:
    functions = client("lambda")
    url, arn = _queue(client, "lambda-results")
    second = make_function(client, "second", ECHO)["FunctionArn"]
    make_function(client, "first", "def lambda_handler(event, context):\n    return event['n'] + 1\n")
    for name, destination in (("first", second), ("second", arn)):
        functions.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": destination}}
        )
    functions.invoke(FunctionName="first", InvocationType="Event", Payload=b'{"n": 1}')
    record = json.loads(_message(client, url)["Body"])
    assert record["requestContext"]["condition"] == "Success"
    assert record["responsePayload"]["responsePayload"] == 2  # the second was asked with the first's record


def test_configurations_are_kept_for_each_qualifier(client: Client) -> None:
    functions = client("lambda")
    make_function(client, "configured", ECHO)
    functions.publish_version(FunctionName="configured")
    functions.put_function_event_invoke_config(FunctionName="configured", MaximumRetryAttempts=1)
    functions.put_function_event_invoke_config(FunctionName="configured", Qualifier="1", MaximumEventAgeInSeconds=60)
    updated = functions.update_function_event_invoke_config(FunctionName="configured", MaximumEventAgeInSeconds=90)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (1, 90)
    listed = functions.list_function_event_invoke_configs(FunctionName="configured")["FunctionEventInvokeConfigs"]
    assert [each["FunctionArn"].rpartition(":")[2] for each in listed] == ["$LATEST", "1"]
    functions.delete_function_event_invoke_config(FunctionName="configured", Qualifier="1")
    with pytest.raises(ClientError, match="doesn't have an EventInvokeConfig"):
        functions.get_function_event_invoke_config(FunctionName="configured", Qualifier="1")
    with pytest.raises(ClientError, match="does not support s3"):
        functions.put_function_event_invoke_config(
            FunctionName="configured",
            DestinationConfig={"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}},
        )
    with pytest.raises(ClientError, match="payload is too large for the Event invocation type"):
        functions.invoke(FunctionName="configured", InvocationType="Event", Payload=b'"' + b"x" * (1 << 20) + b'"')


@pytest.mark.slow
def test_a_killed_server_finds_environments_and_events_again(start_server: Callable[..., Any]) -> None:
    server = start_server()
    server.client("s3").create_bucket(Bucket="kept-by-functions")
    make_function(server.client, "keeps", KEEPS, Timeout=60)
    assert [ask(server.client, "keeps", {})[1] for _ in range(2)] == [1, 2]
    server.client("lambda").invoke(
        FunctionName="keeps", InvocationType="Event", Payload=b'{"sleep": 3, "key": "first"}'
    )
    time.sleep(1)  # it is at work in the environment, whose process outlives the server
    server.stop(signal.SIGKILL)
    server.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.client("s3").list_objects_v2(Bucket="kept-by-functions").get("KeyCount"):
            break
        time.sleep(0.2)
    else:
        raise AssertionError("the event was lost")
    assert ask(server.client, "keeps", {})[1] > 3  # an environment that is older than the server
    server.stop(signal.SIGKILL)
    server.start()
    server.client("lambda").update_function_code(FunctionName="keeps", ZipFile=zipped(ECHO))
    assert ask(server.client, "keeps", {"new": 1})[1] == {"new": 1}
