"""EventBridge Scheduler through unmodified boto3, on a clock that is turned."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

OFF = {"Mode": "OFF"}


@pytest.fixture(scope="module")
def roles() -> dict[str, str]:
    return {}


@pytest.fixture
def role(turned: Any, roles: dict[str, str]) -> str:
    if "scheduler" not in roles:
        roles["scheduler"] = turned.role("scheduled", "scheduler.amazonaws.com")
    return roles["scheduler"]


def made(turned: Any, name: str, expression: str, target: dict[str, Any], **members: Any) -> str:
    request = {"Name": name, "ScheduleExpression": expression, "Target": target, "FlexibleTimeWindow": OFF, **members}
    return str(turned.client("scheduler").create_schedule(**request)["ScheduleArn"])


def test_four_days_of_hourly_schedules_come_in_order(turned: Any, role: str) -> None:
    scheduler = turned.client("scheduler")
    url, queue = turned.queue("scheduled-days", MessageRetentionPeriod="1209600")
    scheduler.create_schedule_group(Name="days", Tags=[{"Key": "a", "Value": "b"}])
    turned.pass_time("1s")
    named = {"of": "schedule-arn", "at": "scheduled-time"}
    text = json.dumps({key: f"<aws.scheduler.{name}>" for key, name in named.items()} | {"try": 0})
    target = {"Arn": queue, "RoleArn": role, "Input": text.replace("0}", "<aws.scheduler.attempt-number>}")}
    for name in ("b", "a"):
        made(turned, name, "cron(0 * * * ? *)", target, GroupName="days")
    start = turned.now()
    turned.pass_time("4d")
    found = turned.bodies(url)
    assert len(found) == 2 * 4 * 24
    times = [each["at"] for each in found]
    assert times == sorted(times)
    assert {each["try"] for each in found} == {1}
    assert sum(each["of"].endswith(":schedule/days/a") for each in found) == 4 * 24
    assert times[0] > start.strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = scheduler.list_schedules(GroupName="days", NamePrefix="a")["Schedules"]
    assert [(each["Name"], each["Target"]["Arn"]) for each in listed] == [("a", queue)]
    group = scheduler.get_schedule_group(Name="days")
    assert group["State"] == "ACTIVE"
    assert scheduler.list_tags_for_resource(ResourceArn=group["Arn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    scheduler.delete_schedule_group(Name="days")
    turned.pass_time("1d")
    assert turned.bodies(url) == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        scheduler.get_schedule(Name="a", GroupName="days")


def test_a_rate_begins_at_once_or_with_its_start_and_ends_with_its_end(turned: Any, role: str) -> None:
    scheduler = turned.client("scheduler")
    url, queue = turned.queue("scheduled-rates")
    target, now = {"Arn": queue, "RoleArn": role}, turned.now()
    arn = made(turned, "at-once", "rate(10 minutes)", target)
    later = now + timedelta(hours=1)
    end = later + timedelta(minutes=25)
    made(turned, "later", "rate(10 minutes)", {**target, "Input": "later"}, StartDate=later, EndDate=end)
    turned.pass_time("1s")
    (event,) = turned.bodies(url)
    assert (event["source"], event["resources"], event["detail"]) == ("aws.scheduler", [arn], "{}")
    turned.pass_time("29m")
    assert len(turned.bodies(url)) == 2
    shown = scheduler.get_schedule(Name="at-once")
    assert shown["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
    assert (shown["GroupName"], shown["State"], shown["ScheduleExpressionTimezone"]) == ("default", "ENABLED", "UTC")
    members = {"ScheduleExpression": "rate(10 minutes)", "Target": target, "FlexibleTimeWindow": OFF}
    scheduler.update_schedule(Name="at-once", State="DISABLED", **members)
    turned.pass_time("3h")
    assert [message["Body"] for message in turned.messages(url)] == ["later"] * 3
    scheduler.update_schedule(Name="at-once", **members)
    turned.pass_time("10m")
    assert len(turned.bodies(url)) == 1
    scheduler.delete_schedule(Name="at-once")


def test_a_single_time_in_a_time_zone_and_its_end(turned: Any, role: str) -> None:
    scheduler, at = turned.client("scheduler"), turned.now() + timedelta(days=2)
    url, queue = turned.queue("scheduled-once")
    expression = f"at({at.strftime('%Y-%m-%d')}T12:00:00)"
    members = {"ScheduleExpressionTimezone": "Asia/Kathmandu"}
    target = {"Arn": queue, "RoleArn": role, "Input": "<aws.scheduler.scheduled-time>"}
    made(turned, "kept", expression, target, **members)
    made(turned, "gone", expression, target, ActionAfterCompletion="DELETE", **members)
    turned.pass_time("3d")
    assert {message["Body"] for message in turned.messages(url)} == {at.strftime("%Y-%m-%dT06:15:00Z")}
    assert scheduler.get_schedule(Name="kept")["ActionAfterCompletion"] == "NONE"
    with pytest.raises(ClientError, match="does not exist"):
        scheduler.get_schedule(Name="gone")


def test_a_window_is_kept(turned: Any, role: str) -> None:
    url, queue = turned.queue("scheduled-window")
    target = {"Arn": queue, "RoleArn": role, "Input": "<aws.scheduler.scheduled-time>"}
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}
    made(turned, "window", "cron(0 * * * ? *)", target, FlexibleTimeWindow=window)
    turned.pass_time("2d")
    late = []
    for message in turned.messages(url):
        due = message["Body"]
        assert due.endswith(":00:00Z")
        late.append(int(message["Attributes"]["SentTimestamp"]) / 1000 % 3600)
    assert 46 <= len(late) <= 48
    assert max(late) < 1800
    assert len({int(seconds) // 60 for seconds in late}) > 10, "spread over the window"
    turned.client("scheduler").delete_schedule(Name="window")


def test_a_universal_target_is_any_operation(turned: Any, role: str) -> None:
    scheduler, letters = turned.client("scheduler"), turned.queue("scheduled-letters")
    url, _ = turned.queue("universal")
    policy = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    turned.client("iam").put_role_policy(RoleName="scheduled", PolicyName="all", PolicyDocument=document)
    sends = {
        "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
        "RoleArn": role,
        "Input": json.dumps({"QueueUrl": url, "MessageBody": "<aws.scheduler.execution-id>"}),
    }
    puts = {
        "Arn": "arn:aws:scheduler:::aws-sdk:cloudwatchlogs:createLogGroup",
        "RoleArn": role,
        "Input": '{"LogGroupName": "/universal"}',
    }
    fails = {**puts, "DeadLetterConfig": {"Arn": letters[1]}, "Input": '{"LogGroupName": "not*a*name"}'}
    for name, target in (("sends", sends), ("puts", puts), ("fails", fails)):
        at = turned.now() + timedelta(minutes=1)
        made(turned, name, at.strftime("at(%Y-%m-%dT%H:%M:%S)"), target)
    turned.pass_time("2m")
    (message,) = turned.messages(url)
    assert len(message["Body"]) == 16
    groups = turned.client("logs").describe_log_groups(logGroupNamePrefix="/universal")["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/universal"]
    (letter,) = turned.messages(letters[0])
    assert letter["Body"] == fails["Input"]
    said = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert (said["TARGET_ARN"], said["ERROR_CODE"]) == (fails["Arn"], "InvalidParameterException")
    assert said["SCHEDULE_ARN"].endswith(":schedule/default/fails")
    assert said["IS_PAYLOAD_TRUNCATED"] == "false"
    for arn, input, expected in (
        ("sqs:receiveMessage", "{}", "only reads"),
        ("sqs:sendMessage", '{"MessageBody": "x"}', "missing the following field.s.: QueueUrl"),
        ("sqs:sendMessage", '{"QueueUrl": "x", "MessageBody": "x", "messageBody": "x"}', "The field 'messageBody'"),
        ("sqs:sendNothing", "{}", "no operation sendNothing"),
        ("ec2:stopInstances", "{}", "does not offer the service ec2"),
        ("sqs", "{}", "not in correct format"),
    ):
        with pytest.raises(ClientError, match=expected):
            made(turned, "x", "rate(1 day)", {**sends, "Arn": f"arn:aws:scheduler:::aws-sdk:{arn}", "Input": input})
    assert "x" not in [each["Name"] for each in scheduler.list_schedules()["Schedules"]]


def test_a_bus_is_handed_an_event_of_the_input(turned: Any, role: str) -> None:
    events, (url, queue) = turned.client("events"), turned.queue("scheduled-bus")
    events.put_rule(Name="of-scheduler", EventPattern='{"source": ["shop.clock"]}')
    events.put_targets(Rule="of-scheduler", Targets=[{"Id": "q", "Arn": queue}])
    target = {
        "Arn": "arn:aws:events:us-east-1:123456789012:event-bus/default",
        "RoleArn": role,
        "Input": '{"n": 1}',
        "EventBridgeParameters": {"Source": "shop.clock", "DetailType": "tick"},
    }
    at = (turned.now() + timedelta(minutes=1)).strftime("at(%Y-%m-%dT%H:%M:%S)")
    made(turned, "bus", at, target)
    turned.pass_time("2m")
    (event,) = turned.bodies(url)
    assert (event["source"], event["detail-type"], event["detail"]) == ("shop.clock", "tick", {"n": 1})


def test_a_target_that_fails_is_tried_again_with_pauses(turned: Any, role: str) -> None:
    """Within its age, by Cloche's clock; CloudWatch counts by group."""
    letters, letters_arn = turned.queue("scheduled-retries")
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:iam:createUser",
        "RoleArn": role,
        "Input": '{"UserName": "twice"}',
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
        "DeadLetterConfig": {"Arn": letters_arn},
    }
    turned.client("iam").create_user(UserName="twice")
    at = (turned.now() + timedelta(minutes=1)).strftime("at(%Y-%m-%dT%H:%M:%S)")
    turned.client("scheduler").create_schedule_group(Name="retries")
    made(turned, "twice", at, target, GroupName="retries")
    turned.pass_time("1h")
    (letter,) = turned.messages(letters)
    said = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert said["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert (said["ERROR_CODE"], said["RETRY_ATTEMPTS"]) == ("EntityAlreadyExists", "3")
    answer = turned.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Scheduler",
        MetricName="InvocationAttemptCount",
        Dimensions=[{"Name": "ScheduleGroup", "Value": "retries"}],
        StartTime=turned.now() - timedelta(hours=2),
        EndTime=turned.now(),
        Period=7200,
        Statistics=["Sum"],
    )
    assert sum(point["Sum"] for point in answer["Datapoints"]) == 4


def test_a_schedule_is_made_once_for_a_token(turned: Any, role: str) -> None:
    _, queue = turned.queue("scheduled-token")
    target = {"Arn": queue, "RoleArn": role, "Input": "x"}
    first = made(turned, "token", "rate(1 day)", target, ClientToken="t" * 20)
    assert made(turned, "token", "rate(1 day)", target, ClientToken="t" * 20) == first
    with pytest.raises(ClientError, match="ClientToken"):
        made(turned, "token", "rate(2 days)", target, ClientToken="t" * 20)
    with pytest.raises(ClientError, match="already exists"):
        made(turned, "token", "rate(1 day)", target)


def test_what_is_wrong_with_schedules_is_refused(turned: Any, role: str) -> None:
    _, queue = turned.queue("scheduled-wrong")
    now, right = turned.now(), {"Arn": queue, "RoleArn": role, "Input": "x"}
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/default"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ScheduleExpression": "cron(0 0 * * * *)"}, "Invalid Schedule Expression cron"),
        ({"ScheduleExpression": "at(2020-01-01T00:00:00)"}, "Invalid Schedule Expression at"),
        ({"ScheduleExpressionTimezone": "Mars/Olympus"}, "no time zone Mars/Olympus"),
        ({"StartDate": now - timedelta(minutes=6)}, "cannot be earlier than 5 minutes ago"),
        ({"EndDate": now - timedelta(minutes=6)}, "EndDate"),
        ({"StartDate": now + timedelta(days=2), "EndDate": now + timedelta(days=1)}, "later than the StartDate"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
        ({"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}}, "MaximumWindowInMinutes"),
        ({"GroupName": "none"}, "Schedule group none does not exist"),
        ({"Target": {**right, "RoleArn": role + "x"}}, "must allow AWS EventBridge Scheduler to assume the role"),
        ({"Target": {**right, "Arn": "queue"}}, "not in correct format"),
        ({"Target": {**right, "Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/x"}}, "delivers no events to ecs"),
        ({"Target": {**right, "KinesisParameters": {"PartitionKey": "x"}}}, "KinesisParameters"),
        ({"Target": {**right, "Arn": queue + ".fifo"}}, "MessageGroupId"),
        ({"Target": {**right, "Arn": bus}}, "EventBridgeParameters must be specified"),
        ({"Target": {**right, "Arn": bus, "EventBridgeParameters": {"Source": "x", "DetailType": "y"}}}, "JSON object"),
        ({"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/x"}, "KmsKeyArn"),
    ]
    for members, expected in cases:
        target, expression = members.pop("Target", right), members.pop("ScheduleExpression", "rate(1 hour)")
        with pytest.raises(ClientError, match=expected):
            made(turned, "wrong", expression, target, **members)
    scheduler = turned.client("scheduler")
    for name, request, expected in (
        ("delete_schedule_group", {"Name": "default"}, "default schedule group"),
        ("create_schedule_group", {"Name": "default"}, "ConflictException"),
        ("get_schedule", {"Name": "none"}, "Schedule none does not exist"),
        ("list_schedules", {"GroupName": "none"}, "ResourceNotFoundException"),
        ("delete_schedule", {"Name": "none"}, "ResourceNotFoundException"),
    ):
        with pytest.raises(ClientError, match=expected):
            getattr(scheduler, name)(**request)


def test_each_occurrence_is_once_over_a_kill(start_server: Callable[..., Any], turned_of: Callable[..., Any]) -> None:
    """In the middle of an advance: what had occurred is not again, and what had not is not forgotten."""
    server = start_server()
    server.turn_clock("freeze")
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = server.client("iam").create_role(RoleName="kills", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="kills")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    turned = turned_of(server)
    start = turned.now()
    for name in ("a", "b", "c"):
        server.client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression="rate(15 minutes)",
            StartDate=start + timedelta(minutes=15),
            Target={"Arn": arn, "RoleArn": role, "Input": f"{name} <aws.scheduler.scheduled-time>"},
            FlexibleTimeWindow=OFF,
        )
    advancing = threading.Thread(target=lambda: server.turn_clock("advance", "2d", fails=True))
    advancing.start()
    counts = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]}
    while int(sqs.get_queue_attributes(**counts)["Attributes"]["ApproximateNumberOfMessages"]) < 30:
        time.sleep(0.01)
    server.stop(signal.SIGKILL)
    advancing.join()
    server.start()
    reached = turned.now()
    assert start < reached < start + timedelta(days=2), "it was killed under way"
    turned.pass_time(f"{int((start + timedelta(days=1) - reached).total_seconds())}s")
    found = [message["Body"] for message in turned.messages(url)]
    assert len(found) == len(set(found)) == 3 * 24 * 4
