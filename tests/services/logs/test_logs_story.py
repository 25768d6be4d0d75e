"""CloudWatch Logs through unmodified boto3."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

HOUR_MS = 3600 * 1000


@pytest.fixture
def logs(client: Callable[..., Any]) -> Any:
    return client("logs")


@pytest.fixture
def group(logs: Any, request: pytest.FixtureRequest) -> str:
    name = f"/story/{request.node.name}".replace("[", ".").replace("]", "")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


def code_of(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def put(logs: Any, group: str, *texts: str, stream: str = "s", at: int | None = None) -> int:
    at = int(time.time() * 1000) if at is None else at
    events = [{"timestamp": at + number, "message": text} for number, text in enumerate(texts)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    return at


def test_the_loop_of_the_sdk_ends_when_the_token_stops(logs: Any, group: str) -> None:
    at = put(logs, group, *(f"line {number}" for number in range(25)))
    seen: list[str] = []
    arguments: dict[str, Any] = {"logGroupName": group, "logStreamName": "s", "startFromHead": True, "limit": 10}
    token = None
    for _ in range(10):
        answer = logs.get_log_events(**arguments, **({"nextToken": token} if token else {}))
        seen += [event["message"] for event in answer["events"]]
        if answer["nextForwardToken"] == token:
            assert answer["events"] == []
            break
        token = answer["nextForwardToken"]
    assert seen == [f"line {number}" for number in range(25)]
    put(logs, group, "later", at=at + 25)
    after = logs.get_log_events(**arguments, nextToken=token)
    assert [event["message"] for event in after["events"]] == ["later"]
    back = logs.get_log_events(**arguments, nextToken=after["nextBackwardToken"])
    assert [event["message"] for event in back["events"]] == [f"line {number}" for number in range(15, 25)]


def test_from_the_tail(logs: Any, group: str) -> None:
    at = put(logs, group, *"abcdef")
    tail = logs.get_log_events(logGroupName=group, logStreamName="s", limit=2)
    assert [event["message"] for event in tail["events"]] == ["e", "f"]
    assert all(event["ingestionTime"] >= at for event in tail["events"])
    window = logs.get_log_events(
        logGroupName=group, logStreamName="s", startTime=at + 1, endTime=at + 3, startFromHead=True
    )
    assert [event["message"] for event in window["events"]] == ["b", "c"]


def test_put_leaves_out_and_tells_what_is_too_old_or_new(logs: Any, group: str) -> None:
    now = int(time.time() * 1000)
    events = [
        {"timestamp": now - 15 * 24 * HOUR_MS, "message": "too old"},
        {"timestamp": now, "message": "right"},
        {"timestamp": now + 3 * HOUR_MS, "message": "too new"},
    ]
    answer = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
    held = logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True)["events"]
    assert [event["message"] for event in held] == ["right"]


def test_batches_that_break_a_rule(logs: Any, group: str) -> None:
    now = int(time.time() * 1000)

    def refused(*events: tuple[int, str]) -> tuple[str, str]:
        return code_of(
            logs.put_log_events,
            logGroupName=group,
            logStreamName="s",
            logEvents=[{"timestamp": at, "message": text} for at, text in events],
        )

    code, message = refused((now, "b"), (now - 1, "a"))
    assert (code, message) == (
        "InvalidParameterException",
        "Log events in a single PutLogEvents request must be in chronological order.",
    )
    assert refused((now - 25 * HOUR_MS, "a"), (now, "b"))[0] == "InvalidParameterException"
    code, message = refused((now, "x" * 1_048_560))
    assert code == "InvalidParameterException" and "1048576" in message
    assert logs.get_log_events(logGroupName=group, logStreamName="s")["events"] == []


def test_names_that_are_not_there_or_are_taken(logs: Any, group: str) -> None:
    gone = ("ResourceNotFoundException", "The specified log group does not exist.")
    assert code_of(logs.get_log_events, logGroupName="/no", logStreamName="s") == gone
    assert code_of(logs.describe_log_streams, logGroupName="/no") == gone
    assert code_of(logs.filter_log_events, logGroupName="/no") == gone
    assert code_of(logs.delete_log_group, logGroupName="/no") == gone
    assert code_of(logs.get_log_events, logGroupName=group, logStreamName="no") == (
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
    assert code_of(logs.create_log_group, logGroupName=group)[0] == "ResourceAlreadyExistsException"
    assert code_of(logs.create_log_stream, logGroupName=group, logStreamName="s")[0] == "ResourceAlreadyExistsException"
    assert code_of(logs.get_log_events, logGroupName=group, logStreamName="s", nextToken="x")[0] == (
        "InvalidParameterException"
    )


def test_filter(logs: Any, group: str) -> None:
    logs.create_log_stream(logGroupName=group, logStreamName="AllTraffic/i-1")
    at = put(logs, group, "ERROR one", "INFO two", "ERROR three")
    put(logs, group, "ERROR four", stream="AllTraffic/i-1", at=at + 1)

    def found(**arguments: Any) -> list[tuple[str, str]]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 2}, **arguments
        )
        return [(event["logStreamName"], event["message"]) for page in pages for event in page["events"]]

    assert [text for _, text in found(filterPattern="[level=ERROR, word=t* || word=f*]")] == [
        "ERROR four",
        "ERROR three",
    ]
    assert [text for _, text in found(filterPattern="ERROR")] == ["ERROR one", "ERROR four", "ERROR three"]
    assert found(logStreamNamePrefix="AllTraffic/") == [("AllTraffic/i-1", "ERROR four")]
    assert found(logStreamNames=["s"], filterPattern="-ERROR") == [("s", "INFO two")]
    assert found(startTime=at + 2) == [("s", "ERROR three")]
    events = logs.filter_log_events(logGroupName=group)["events"]
    assert len({event["eventId"] for event in events}) == 4
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    code, message = code_of(logs.filter_log_events, logGroupName=group, filterPattern="{ $.a = }")
    assert (code, message) == ("InvalidParameterException", "Invalid filter pattern")
    assert found(endTime=at) == [("s", "ERROR one")], "the end is part of the range"
    newest = logs.filter_log_events(logGroupName=group, startFromHead=False, startTime=at, limit=3)
    assert [event["message"] for event in newest["events"]] == ["ERROR three", "ERROR four", "INFO two"]
    rest = logs.filter_log_events(logGroupName=group, startTime=at, nextToken=newest["nextToken"])
    assert [event["message"] for event in rest["events"]] == ["ERROR one"]
    assert code_of(logs.filter_log_events, logGroupName=group, startFromHead=False)[0] == "InvalidParameterException"


def test_groups_and_streams_are_described_by_prefix_and_by_time(logs: Any, group: str) -> None:
    for number in range(3):
        logs.create_log_stream(logGroupName=group, logStreamName=f"job/algo-{number}")
        put(logs, group, "x", stream=f"job/algo-{number}", at=int(time.time() * 1000) - number * 1000)
    (told,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert told["logGroupName"] == group
    assert told["arn"].endswith(f":log-group:{group}:*")
    assert told["logGroupArn"].endswith(f":log-group:{group}")
    assert "retentionInDays" not in told
    pages = logs.get_paginator("describe_log_streams").paginate(
        logGroupName=group, logStreamNamePrefix="job/", PaginationConfig={"PageSize": 2}
    )
    names = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
    assert names == ["job/algo-0", "job/algo-1", "job/algo-2"]
    newest = logs.describe_log_streams(
        logGroupIdentifier=told["logGroupArn"], orderBy="LastEventTime", descending=True, limit=2
    )["logStreams"]
    assert [stream["logStreamName"] for stream in newest] == ["job/algo-0", "job/algo-1"]
    assert newest[0]["lastEventTimestamp"] > newest[1]["lastEventTimestamp"]
    code, _ = code_of(
        logs.describe_log_streams, logGroupName=group, orderBy="LastEventTime", logStreamNamePrefix="job/"
    )
    assert code == "InvalidParameterException"


def test_retention_tags_and_deletion(logs: Any, group: str) -> None:
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    (told,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert told["retentionInDays"] == 7
    assert code_of(logs.put_retention_policy, logGroupName=group, retentionInDays=8)[0] == "InvalidParameterException"
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    logs.tag_resource(resourceArn=told["logGroupArn"], tags={"team": "a", "stage": "b"})
    logs.untag_resource(resourceArn=told["logGroupArn"], tagKeys=["stage"])
    assert logs.list_tags_for_resource(resourceArn=told["logGroupArn"])["tags"] == {"team": "a"}
    logs.delete_log_stream(logGroupName=group, logStreamName="s")
    assert logs.describe_log_streams(logGroupName=group)["logStreams"] == []
    logs.delete_log_group(logGroupName=group)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_constraints_and_what_is_not_offered(logs: Any, group: str) -> None:
    code, message = code_of(logs.create_log_group, logGroupName="no spaces")
    assert code == "InvalidParameterException" and "'logGroupName'" in message
    code, message = code_of(logs.get_scheduled_query, identifier="x")
    assert "GetScheduledQuery" in message and "scheduled queries" in message
    code, message = code_of(logs.create_log_group, logGroupName=f"{group}2", kmsKeyId="arn:x")
    assert code == "InvalidParameterException" and "KMS key" in message
    code, message = code_of(logs.create_log_group, logGroupName=f"{group}2", logGroupClass="DELIVERY")
    assert code == "InvalidParameterException" and "DELIVERY" in message
    code, message = code_of(logs.get_delivery, id="x")
    assert "subscribe a function instead" in message, code
