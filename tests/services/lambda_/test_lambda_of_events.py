"""EventBridge's rules invoke functions: what matches reaches them, and what is left over goes to a queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from function_requests import make_function

Client = Callable[..., Any]


def _queue(client: Client, name: str) -> tuple[str, str]:
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    held = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, held["Attributes"]["QueueArn"]


def _received(client: Client, url: str) -> dict[str, Any]:
    for _ in range(6):
        answer = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"])
        if answer.get("Messages"):
            message: dict[str, Any] = answer["Messages"][0]
            return message
    raise AssertionError("no message came")


def test_an_event_invokes_the_function_of_a_rule(client: Client) -> None:
    events = client("events")
    url, arn = _queue(client, "events-of-functions")
    code = "def lambda_handler(event, context):\n    return event['detail']['n'] + 1\n"
    function = make_function(client, "events-target", code)["FunctionArn"]
    client("lambda").put_function_event_invoke_config(
        FunctionName="events-target", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    events.put_rule(Name="to-function", EventPattern='{"source": ["of.functions"]}')
    events.put_targets(Rule="to-function", Targets=[{"Id": "f", "Arn": function}])
    put = events.put_events(Entries=[{"Source": "of.functions", "DetailType": "d", "Detail": '{"n": 41}'}])
    record = json.loads(_received(client, url)["Body"])
    assert record["requestPayload"]["id"] == put["Entries"][0]["EventId"]
    assert record["responsePayload"] == 42


def test_a_function_that_is_not_there_leaves_a_dead_letter(client: Client) -> None:
    events = client("events")
    url, arn = _queue(client, "events-of-nobody")
    nobody = "arn:aws:lambda:us-east-1:123456789012:function:nobody-here"
    events.put_rule(Name="to-nobody", EventPattern='{"source": ["of.nobody"]}')
    events.put_targets(Rule="to-nobody", Targets=[{"Id": "f", "Arn": nobody, "DeadLetterConfig": {"Arn": arn}}])
    events.put_events(Entries=[{"Source": "of.nobody", "DetailType": "d", "Detail": "{}"}])
    letter = _received(client, url)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    assert letter["MessageAttributes"]["TARGET_ARN"]["StringValue"] == nobody
