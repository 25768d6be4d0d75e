"""EventBridge Pipes through unmodified boto3: from queues, through filters and functions, to targets."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

sys.path.append(str(Path(__file__).parents[1] / "lambda_"))
from function_requests import make_function

ACCOUNT = "us-east-1:123456789012"


@pytest.fixture(scope="module")
def roles() -> dict[str, str]:
    return {}


@pytest.fixture
def role(turned: Any, roles: dict[str, str]) -> str:
    if "pipes" not in roles:
        roles["pipes"] = turned.role("piped", "pipes.amazonaws.com")
    return roles["pipes"]


def running(turned: Any, name: str, **members: Any) -> dict[str, Any]:
    """A pipe that runs."""
    pipes = turned.client("pipes")
    made = pipes.create_pipe(Name=name, **members)
    assert (made["CurrentState"], made["DesiredState"]) == ("CREATING", "RUNNING")
    return arrived(turned, name, "RUNNING")


def arrived(turned: Any, name: str, state: str) -> dict[str, Any]:
    until = time.monotonic() + 60
    while (shown := turned.client("pipes").describe_pipe(Name=name))["CurrentState"] != state:
        assert time.monotonic() < until, shown
        time.sleep(0.02)
    return dict(shown)


def test_what_a_filter_keeps_goes_on_and_the_rest_is_gone(turned: Any, role: str) -> None:
    sqs, pipes = turned.client("sqs"), turned.client("pipes")
    source, source_arn = turned.queue("piped-from")
    target, target_arn = turned.queue("piped-to")
    criteria = {"Filters": [{"Pattern": '{"body": {"n": [{"numeric": [">", 5]}]}}'}]}
    template = '{"n": <$.body.n>, "of": "<aws.pipes.pipe-name>", "id": "<$.messageId>", "all": <aws.pipes.event.json>}'
    shown = running(
        turned,
        "filtered",
        Source=source_arn,
        Target=target_arn,
        RoleArn=role,
        SourceParameters={"FilterCriteria": criteria, "SqsQueueParameters": {"BatchSize": 3}},
        TargetParameters={"InputTemplate": template},
        Tags={"a": "b"},
    )
    assert (shown["Tags"], shown["SourceParameters"]["SqsQueueParameters"]) == ({"a": "b"}, {"BatchSize": 3})
    for number in range(10):
        sqs.send_message(QueueUrl=source, MessageBody=json.dumps({"n": number}))
    sqs.send_message(QueueUrl=source, MessageBody="no JSON")
    turned.pass_time("1s")
    found = turned.bodies(target)
    assert sorted(each["n"] for each in found) == [6, 7, 8, 9]
    assert {each["of"] for each in found} == {"filtered"}
    assert all(each["all"]["body"] == {"n": each["n"]} and each["all"]["messageId"] == each["id"] for each in found)
    assert turned.messages(source) == []

    pipes.stop_pipe(Name="filtered")
    arrived(turned, "filtered", "STOPPED")
    sqs.send_message(QueueUrl=source, MessageBody='{"n": 50}')
    turned.pass_time("1h")
    assert turned.messages(target) == []
    pipes.update_pipe(Name="filtered", RoleArn=role, TargetParameters={}, DesiredState="RUNNING")
    arrived(turned, "filtered", "RUNNING")
    turned.pass_time("1s")
    (record,) = turned.bodies(target)
    assert (record["body"], record["eventSource"], record["awsRegion"]) == ('{"n": 50}', "aws:sqs", "us-east-1")
    listed = pipes.list_pipes(NamePrefix="filt", CurrentState="RUNNING")["Pipes"]
    assert [(each["Source"], each["Target"]) for each in listed] == [(source_arn, target_arn)]
    pipes.delete_pipe(Name="filtered")
    until = time.monotonic() + 60
    while pipes.list_pipes(NamePrefix="filt")["Pipes"] and time.monotonic() < until:
        time.sleep(0.02)
    with pytest.raises(ClientError, match="NotFoundException"):
        pipes.describe_pipe(Name="filtered")


def test_a_function_enriches_and_a_bus_is_told(turned: Any, role: str) -> None:
    sqs, events = turned.client("sqs"), turned.client("events")
    source, source_arn = turned.queue("enriched-from")
    told, told_arn = turned.queue("enriched-to")
    code = "def lambda_handler(events, context):\n    return [{'n': e['n'] * 2} for e in events if e['n'] != 3]\n"
    function = make_function(turned.client, "enriches", code)["FunctionArn"]
    events.put_rule(Name="piped", EventPattern='{"source": ["shop.pipe"]}')
    events.put_targets(Rule="piped", Targets=[{"Id": "q", "Arn": told_arn}])
    for number in (1, 2, 3):
        sqs.send_message(QueueUrl=source, MessageBody=json.dumps({"n": number}))
    running(
        turned,
        "enriched",
        Source=source_arn,
        Enrichment=function,
        EnrichmentParameters={"InputTemplate": '{"n": <$.body.n>}'},
        Target=f"arn:aws:events:{ACCOUNT}:event-bus/default",
        TargetParameters={
            "EventBridgeEventBusParameters": {
                "Source": "shop.pipe",
                "DetailType": "doubled",
                "Resources": ["arn:aws:x:::r"],
            }
        },
        RoleArn=role,
    )
    turned.pass_time("1s")
    found = turned.bodies(told)
    assert sorted(event["detail"]["n"] for event in found) == [2, 4]
    assert {(event["detail-type"], *event["resources"]) for event in found} == {("doubled", "arn:aws:x:::r")}
    assert turned.messages(source) == []


def test_what_a_function_says_has_failed_comes_again(turned: Any, role: str) -> None:
    sqs = turned.client("sqs")
    letters, letters_arn = turned.queue("failed-letters")
    redrive = json.dumps({"deadLetterTargetArn": letters_arn, "maxReceiveCount": 2})
    source, source_arn = turned.queue("failed-from", VisibilityTimeout="60", RedrivePolicy=redrive)
    code = (
        "def lambda_handler(events, context):\n"
        "    bad = [e['messageId'] for e in events if e['body'] == 'bad']\n"
        "    return {'batchItemFailures': [{'itemIdentifier': id} for id in bad]}\n"
    )
    function = make_function(turned.client, "fails-some", code)["FunctionArn"]
    for body in ("good", "bad", "good"):
        sqs.send_message(QueueUrl=source, MessageBody=body)
    running(turned, "failing", Source=source_arn, Target=function, RoleArn=role)
    turned.pass_time("5m")
    assert [message["Body"] for message in turned.messages(letters)] == ["bad"]
    assert turned.messages(source) == []


def test_a_pipe_without_its_source_says_so(turned: Any, role: str) -> None:
    _, target = turned.queue("sourceless")
    turned.client("pipes").create_pipe(
        Name="sourceless", Source=f"arn:aws:sqs:{ACCOUNT}:nowhere", Target=target, RoleArn=role
    )
    assert "does not exist" in arrived(turned, "sourceless", "CREATE_FAILED")["StateReason"]
    turned.queue("nowhere")
    turned.client("pipes").start_pipe(Name="sourceless")
    assert "StateReason" not in arrived(turned, "sourceless", "RUNNING")


def test_what_is_wrong_with_pipes_is_refused(turned: Any, role: str) -> None:
    pipes, (_, queue) = turned.client("pipes"), turned.queue("wrong-pipes")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"Source": f"arn:aws:kinesis:{ACCOUNT}:stream/x"}, "from SQS queues only"),
        ({"Source": "arn:aws:sqs:eu-west-1:123456789012:x"}, "own account and Region"),
        ({"Target": f"arn:aws:states:{ACCOUNT}:stateMachine:x"}, "delivers no events to states"),
        ({"Enrichment": f"arn:aws:states:{ACCOUNT}:stateMachine:x"}, "delivers no events to states"),
        ({"RoleArn": role + "x"}, "must allow pipes.amazonaws.com"),
        ({"SourceParameters": {"SqsQueueParameters": {"BatchSize": 100}}}, "Maximum batch window"),
        ({"SourceParameters": {"FilterCriteria": {"Filters": [{"Pattern": '{"body": 1}'}]}}}, "object or an array"),
        ({"TargetParameters": {"InputTemplate": "<aws.pipes.weather>"}}, "unknown variable"),
        ({"Target": queue + ".fifo"}, "MessageGroupId"),
        ({"TargetParameters": {"KinesisStreamParameters": {"PartitionKey": "x"}}}, "KinesisStreamParameters"),
        ({"KmsKeyIdentifier": "x"}, "KmsKeyIdentifier"),
    ]
    for members, expected in cases:
        with pytest.raises(ClientError, match=expected):
            pipes.create_pipe(**{"Name": "wrong", "Source": queue, "Target": queue, "RoleArn": role, **members})
    for name in ("describe_pipe", "start_pipe", "stop_pipe", "delete_pipe"):
        with pytest.raises(ClientError, match="NotFoundException"):
            getattr(pipes, name)(Name="wrong")


def test_each_message_goes_through_once_over_a_kill(start_server: Callable[..., Any], turned_of: Any) -> None:
    """From queue to queue: it leaves the one in the transaction that puts it into the other."""
    server = start_server()
    turned = turned_of(server)
    sqs, role = server.client("sqs"), turned.role("kills", "pipes.amazonaws.com")
    source, source_arn = turned.queue("from", VisibilityTimeout="2")
    target, target_arn = turned.queue("to", VisibilityTimeout="600")
    template = {"InputTemplate": "<$.body>"}
    sent = {str(number) for number in range(120)}
    entries = [{"Id": body, "MessageBody": body} for body in sorted(sent)]
    for at in range(0, len(entries), 10):
        sqs.send_message_batch(QueueUrl=source, Entries=entries[at : at + 10])
    running(turned, "kills", Source=source_arn, Target=target_arn, RoleArn=role, TargetParameters=template)
    server.stop(signal.SIGKILL)
    server.start()
    found: list[str] = []
    until = time.monotonic() + 60
    sqs = server.client("sqs")
    while len(set(found)) < len(sent) and time.monotonic() < until:
        answer = sqs.receive_message(QueueUrl=target, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        found += [message["Body"] for message in answer.get("Messages", ())]
    assert sorted(found) == sorted(sent)
