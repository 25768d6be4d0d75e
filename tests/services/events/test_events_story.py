"""EventBridge through unmodified boto3: rules, targets, events that reach queues."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

Clients = Callable[..., Any]
API_DESTINATION = {"Name": "a", "ConnectionArn": "arn", "InvocationEndpoint": "https://x", "HttpMethod": "GET"}


def queue(sqs: Any, name: str, **attributes: str) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(sqs: Any, url: str, seconds: int = 20) -> Any:
    answer = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=seconds, MessageAttributeNames=["All"], AttributeNames=["All"]
    )
    (message,) = answer["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message


def entry(source: str, **detail: Any) -> dict[str, Any]:
    return {"Source": source, "DetailType": "Order", "Detail": json.dumps(detail)}


def code(error: Any) -> str:
    return str(error.value.response["Error"]["Code"])


def test_an_event_reaches_the_queues_of_the_rules_it_matches(client: Clients) -> None:
    events, sqs = client("events"), client("sqs")
    url, arn = queue(sqs, "events-all")
    part_url, part_arn = queue(sqs, "events-part")
    pattern = json.dumps({"source": ["shop.story"], "detail": {"total": [{"numeric": [">", 10]}]}})
    rule = events.put_rule(
        Name="story", EventPattern=pattern, Description="big orders", Tags=[{"Key": "a", "Value": "b"}]
    )
    assert rule["RuleArn"] == "arn:aws:events:us-east-1:123456789012:rule/story"
    template = {"InputPathsMap": {"total": "$.detail.total"}, "InputTemplate": '{"paid": <total>}'}
    answer = events.put_targets(
        Rule="story",
        Targets=[{"Id": "all", "Arn": arn}, {"Id": "part", "Arn": part_arn, "InputTransformer": template}],
    )
    assert answer["FailedEntryCount"] == 0
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    put = events.put_events(
        Entries=[
            entry("shop.story", total=5),
            {**entry("shop.story", total=50), "Time": at, "Resources": ["r"]},
            entry("shop.other", total=50),
        ]
    )
    assert put["FailedEntryCount"] == 0
    event = json.loads(received(sqs, url)["Body"])
    assert event == {
        "version": "0",
        "id": put["Entries"][1]["EventId"],
        "detail-type": "Order",
        "source": "shop.story",
        "account": "123456789012",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": ["r"],
        "detail": {"total": 50},
    }
    assert json.loads(received(sqs, part_url)["Body"]) == {"paid": 50}

    told = events.describe_rule(Name="story")
    assert (told["State"], told["Description"], told["EventBusName"]) == ("ENABLED", "big orders", "default")
    assert json.loads(told["EventPattern"]) == json.loads(pattern)
    assert events.list_tags_for_resource(ResourceARN=rule["RuleArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert [each["Id"] for each in events.list_targets_by_rule(Rule="story")["Targets"]] == ["all", "part"]
    assert events.list_rule_names_by_target(TargetArn=arn)["RuleNames"] == ["story"]
    assert "story" in [each["Name"] for each in events.list_rules(NamePrefix="st")["Rules"]]

    events.disable_rule(Name="story")
    events.put_events(Entries=[entry("shop.story", total=60)])
    events.enable_rule(Name="story")
    events.put_events(Entries=[entry("shop.story", total=70)])
    assert json.loads(received(sqs, url)["Body"])["detail"] == {"total": 70}
    with pytest.raises(ClientError, match="since it has targets"):
        events.delete_rule(Name="story")
    removed = events.remove_targets(Rule="story", Ids=["all", "part", "none"])
    assert [each["TargetId"] for each in removed["FailedEntries"]] == ["none"]
    events.delete_rule(Name="story")
    with pytest.raises(ClientError) as error:
        events.describe_rule(Name="story")
    assert code(error) == "ResourceNotFoundException"


def test_a_bus_of_ones_own_keeps_its_events_to_itself(client: Clients) -> None:
    events, sqs = client("events"), client("sqs")
    url, arn = queue(sqs, "events-bus.fifo", FifoQueue="true")
    bus = events.create_event_bus(Name="orders", Description="of the shop")["EventBusArn"]
    assert events.describe_event_bus(Name="orders")["Arn"] == bus
    assert [each["Name"] for each in events.list_event_buses()["EventBuses"]] == ["default", "orders"]
    pattern = json.dumps({"source": [{"prefix": "shop."}]})
    rule = events.put_rule(Name="r", EventBusName="orders", EventPattern=pattern)["RuleArn"]
    assert rule.endswith(":rule/orders/r")
    target = {"Id": "q", "Arn": arn, "SqsParameters": {"MessageGroupId": "g"}}
    events.put_targets(Rule="r", EventBusName=bus, Targets=[target])
    events.put_events(Entries=[entry("shop.x", on="default"), {**entry("shop.x", on="orders"), "EventBusName": bus}])
    message = received(sqs, url)
    assert json.loads(message["Body"])["detail"] == {"on": "orders"}
    assert message["Attributes"]["MessageGroupId"] == "g"
    with pytest.raises(ClientError, match="since it has rules"):
        events.delete_event_bus(Name="orders")
    events.remove_targets(Rule="r", EventBusName="orders", Ids=["q"])
    events.delete_rule(Name="r", EventBusName="orders")
    events.delete_event_bus(Name="orders")
    with pytest.raises(ClientError, match="Event bus orders does not exist"):
        events.put_rule(Name="r", EventBusName="orders", EventPattern=pattern)


def test_what_is_wrong_is_refused(client: Clients) -> None:
    events, sqs = client("events"), client("sqs")
    _, arn = queue(sqs, "events-wrong")
    events.put_rule(Name="wrong", EventPattern='{"source": ["wrong"]}')
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("put_rule", {"Name": "x", "EventPattern": '{"source": "x"}'}, "InvalidEventPatternException"),
        ("put_rule", {"Name": "x"}, "ValidationException"),
        ("put_rule", {"Name": "x", "ScheduleExpression": "rate(1 minutes)"}, "ValidationException"),
        ("put_rule", {"Name": "x", "ScheduleExpression": "at(2026-11-26T00:00:00)"}, "ValidationException"),
        ("put_rule", {"Name": "x", "ScheduleExpression": "cron(0 0 * * * *)"}, "ValidationException"),
        ("put_rule", {"Name": "x y", "EventPattern": '{"source": ["x"]}'}, "ValidationException"),
        ("put_rule", {"Name": "x", "EventBusName": "no", "EventPattern": '{"a": [1]}'}, "ResourceNotFoundException"),
        ("put_targets", {"Rule": "none", "Targets": [{"Id": "1", "Arn": arn}]}, "ResourceNotFoundException"),
        ("put_targets", {"Rule": "wrong", "Targets": [{"Id": "1", "Arn": "queue"}]}, "ValidationException"),
        ("put_targets", {"Rule": "wrong", "Targets": [{"Id": "1", "Arn": arn, "Input": "{"}]}, "ValidationException"),
        ("put_targets", {"Rule": "wrong", "Targets": [{"Id": "1", "Arn": arn + ".fifo"}]}, "ValidationException"),
        (
            "put_targets",
            {"Rule": "wrong", "Targets": [{"Id": "1", "Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}]},
            "ValidationException",
        ),
        (
            "put_targets",
            {"Rule": "wrong", "Targets": [{"Id": str(at), "Arn": arn} for at in range(6)]},
            "LimitExceededException",
        ),
        ("delete_event_bus", {"Name": "default"}, "ValidationException"),
        ("create_event_bus", {"Name": "default"}, "ValidationException"),
        ("enable_rule", {"Name": "none"}, "ResourceNotFoundException"),
        ("list_tags_for_resource", {"ResourceARN": "arn:aws:events:us-east-1:1:rule/x"}, "ResourceNotFoundException"),
        ("create_api_destination", API_DESTINATION, "UnknownOperationException"),
    ]
    for name, request, expected in cases:
        with pytest.raises(ClientError) as error:
            getattr(events, name)(**request)
        assert code(error) == expected, (name, request)
    assert events.list_targets_by_rule(Rule="wrong")["Targets"] == []  # all or none
    events.delete_rule(Name="none")
    put = events.put_events(
        Entries=[
            {"Source": "s", "DetailType": "d", "Detail": "[1]"},
            {"Source": "aws.sagemaker", "DetailType": "d", "Detail": "{}"},
            {"Source": "s", "DetailType": "d"},
            {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": "none"},
            {"Source": "s", "DetailType": "d", "Detail": "{}"},
            {"Source": "s", "DetailType": "d", "Detail": '{"a":' * 500 + "1" + "}" * 500},
            {"Source": "s", "DetailType": "d", "Detail": '{"a": "\\ud800"}'},
            {"Source": "s", "DetailType": "d", "Detail": '{"a": 18446744073709551616}'},
        ]
    )
    assert put["FailedEntryCount"] == 7
    codes = [each.get("ErrorCode") for each in put["Entries"]]
    assert codes[5:] == ["MalformedDetail"] * 3
    assert codes[:5] == [
        "MalformedDetail",
        "NotAuthorizedForSource",
        "InvalidArgument",
        "InvalidArgument",
        None,
    ]


def test_a_pattern_may_be_tried(client: Clients) -> None:
    events = client("events")
    event = dict.fromkeys(("id", "detail-type", "source", "account", "time", "region"), "x")
    text = json.dumps({**event, "resources": [], "detail": {"state": "Failed"}})
    for pattern, result in (('{"detail": {"state": ["Failed"]}}', True), ('{"source": ["y"]}', False)):
        assert events.test_event_pattern(EventPattern=pattern, Event=text)["Result"] is result
    with pytest.raises(ClientError, match="is a required field"):
        events.test_event_pattern(EventPattern='{"source": ["y"]}', Event="{}")


def test_what_cannot_be_delivered_is_a_dead_letter(client: Clients) -> None:
    events, sqs = client("events"), client("sqs")
    url, arn = queue(sqs, "events-letters")
    gone_url, gone = queue(sqs, "events-gone")
    events.put_rule(Name="letters", EventPattern='{"source": ["shop.letters"]}')
    target = {"Id": "q", "Arn": gone, "DeadLetterConfig": {"Arn": arn}, "Input": '{"hello": 1}'}
    events.put_targets(Rule="letters", Targets=[target])
    sqs.delete_queue(QueueUrl=gone_url)
    events.put_events(Entries=[entry("shop.letters")])
    letter = received(sqs, url)
    assert letter["Body"] == '{"hello": 1}'
    said = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert said["ERROR_CODE"] == "NO_RESOURCE"
    assert (said["TARGET_ARN"], said["RULE_ARN"]) == (gone, "arn:aws:events:us-east-1:123456789012:rule/letters")
    cloudwatch = client("cloudwatch")
    dimensions = [{"Name": "RuleName", "Value": "letters"}]
    wanted = {"MatchedEvents", "FailedInvocations", "InvocationsSentToDlq"}
    until = time.monotonic() + 60
    while True:  # counted once the transaction is on the disk, which the letter may precede by a moment
        found = cloudwatch.list_metrics(Namespace="AWS/Events", Dimensions=dimensions)["Metrics"]
        if wanted <= {each["MetricName"] for each in found} or time.monotonic() > until:
            break
        time.sleep(0.05)
    assert wanted <= {each["MetricName"] for each in found}


def test_what_was_accepted_is_delivered_after_a_kill(start_server: Callable[..., Any]) -> None:
    server = start_server()
    events, sqs = server.client("events"), server.client("sqs")
    url, arn = queue(sqs, "kept")
    events.put_rule(Name="kept", EventPattern='{"source": ["shop.kept"]}')
    events.put_targets(Rule="kept", Targets=[{"Id": "q", "Arn": arn}])
    ids: list[str] = []
    for number in range(40):
        answer = events.put_events(Entries=[entry("shop.kept", number=number, at=at) for at in range(10)])
        ids += [each["EventId"] for each in answer["Entries"]]
    server.stop(signal.SIGKILL)
    server.start()
    sqs = server.client("sqs")
    seen: list[str] = []
    while len(seen) < len(ids):
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)["Messages"]
        seen += [json.loads(each["Body"])["id"] for each in messages]
    assert sorted(seen) == sorted(ids)
