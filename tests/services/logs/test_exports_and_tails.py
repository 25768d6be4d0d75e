"""Export tasks and live tail through unmodified boto3."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

DEADLINE_SECONDS = 30


@pytest.fixture
def logs(client: Callable[..., Any]) -> Any:
    # live tail would otherwise go to stream-127.0.0.1
    return client("logs", config=Config(inject_host_prefix=False))


@pytest.fixture
def group(logs: Any, request: pytest.FixtureRequest) -> str:
    name = f"/exports/{request.node.name}"
    logs.create_log_group(logGroupName=name)
    for stream in ("job/algo-1", "other"):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
    return name


def put(logs: Any, group: str, stream: str, *texts: str) -> int:
    at = int(time.time() * 1000)
    events = [{"timestamp": at + number, "message": text} for number, text in enumerate(texts)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    return at


def ended(logs: Any, id: str) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        (task,) = logs.describe_export_tasks(taskId=id)["exportTasks"]
        if task["status"]["code"] not in ("PENDING", "RUNNING", "PENDING_CANCEL"):
            return dict(task)
        time.sleep(0.05)
    raise AssertionError(f"not ended: {task}")


def code_of(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_an_export_writes_objects(logs: Any, group: str, client: Callable[..., Any]) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="exports-of-logs")
    at = put(logs, group, "job/algo-1", "one", "zwei ☃", "three")
    put(logs, group, "other", "else")
    given = {"logGroupName": group, "from": at, "to": at + 1, "destination": "exports-of-logs"}
    id = logs.create_export_task(taskName="t", logStreamNamePrefix="job/", destinationPrefix="mine", **given)["taskId"]
    task = ended(logs, id)
    assert task["status"] == {"code": "COMPLETED", "message": "Completed successfully"}
    assert (task["taskName"], task["destinationPrefix"], task["to"]) == ("t", "mine", at + 1)
    assert task["executionInfo"]["completionTime"] >= task["executionInfo"]["creationTime"]
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="exports-of-logs")["Contents"]]
    assert sorted(keys) == sorted([f"mine/{id}/job-algo-1/000000.gz", "mine/aws-logs-write-test"])
    body = s3.get_object(Bucket="exports-of-logs", Key=f"mine/{id}/job-algo-1/000000.gz")["Body"].read()
    lines = gzip.decompress(body).decode().splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["one", "zwei ☃"]
    assert lines[0].startswith("20") and lines[0].split(" ")[0].endswith("Z")
    default = logs.create_export_task(**given)["taskId"]
    ended(logs, default)
    assert s3.list_objects_v2(Bucket="exports-of-logs", Prefix=f"exportedlogs/{default}/")["KeyCount"] == 1
    found = logs.describe_export_tasks(limit=1)
    assert found["exportTasks"][0]["taskId"] == default
    again = logs.describe_export_tasks(limit=1, nextToken=found["nextToken"])
    assert again["exportTasks"][0]["taskId"] == id
    assert code_of(logs.cancel_export_task, taskId=id)[0] == "InvalidOperationException"


def test_exports_that_are_refused(logs: Any, group: str, client: Callable[..., Any]) -> None:
    now = int(time.time() * 1000)
    given = {"logGroupName": group, "from": now, "to": now + 1, "destination": "exports-refused"}
    assert code_of(logs.create_export_task, **given)[0] == "InvalidParameterException"
    client("s3").create_bucket(Bucket="exports-refused")
    assert code_of(logs.create_export_task, **{**given, "from": now + 2})[0] == "InvalidParameterException"
    assert code_of(logs.create_export_task, **{**given, "from": 1, "to": 2})[0] == "InvalidParameterException"
    assert code_of(logs.create_export_task, **{**given, "logGroupName": "/no"})[0] == "ResourceNotFoundException"
    assert code_of(logs.cancel_export_task, taskId="none")[0] == "ResourceNotFoundException"


def test_a_live_tail_tells_what_comes_in(logs: Any, group: str) -> None:
    put(logs, group, "other", "before ERROR")
    (held,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    arn = held["logGroupArn"]
    answer = logs.start_live_tail(
        logGroupIdentifiers=[arn], logEventFilterPattern="ERROR", logStreamNamePrefixes=["job/"]
    )
    stream = iter(answer["responseStream"])
    start = next(stream)["sessionStart"]
    assert start["logGroupIdentifiers"] == [arn] and start["sessionId"]
    late = {"timestamp": int(time.time() * 1000) - 3_600_000, "message": "late ERROR"}
    logs.put_log_events(logGroupName=group, logStreamName="job/algo-1", logEvents=[late])
    put(logs, group, "job/algo-1", "fine", "an ERROR")
    put(logs, group, "other", "ERROR elsewhere")
    seen: list[str] = []
    for update in stream:
        assert update["sessionUpdate"]["sessionMetadata"]["sampled"] is False
        seen += [event["message"] for event in update["sessionUpdate"]["sessionResults"]]
        if len(seen) >= 2:
            break
    assert seen == ["late ERROR", "an ERROR"]
    answer["responseStream"].close()


def test_a_live_tail_ends_with_the_server(start_server: Callable[..., Any]) -> None:
    server = start_server()
    logs = server.client("logs", config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}))
    logs.create_log_group(logGroupName="/g")
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    answer = logs.start_live_tail(logGroupIdentifiers=[arn])
    stream = iter(answer["responseStream"])
    next(stream)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    for _ in stream:
        pass
    stopping.join(DEADLINE_SECONDS)
    assert not stopping.is_alive()


def test_sessions_that_are_left_do_not_count(logs: Any, group: str, server: Any) -> None:
    """Sixteen sessions one after the other, each left open by its client: more than may be open at a time."""
    (held,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    for _ in range(16):
        client = server.client("logs", config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                answer = client.start_live_tail(logGroupIdentifiers=[held["logGroupArn"]])
                break
            except ClientError as error:
                assert error.response["Error"]["Code"] == "LimitExceededException"
                assert time.monotonic() < deadline
                time.sleep(0.1)
        next(iter(answer["responseStream"]))
        answer["responseStream"].close()
    code, _ = code_of(logs.start_live_tail, logGroupIdentifiers=["/g"])
    assert code == "InvalidParameterException"
    code, _ = code_of(
        logs.start_live_tail,
        logGroupIdentifiers=[held["logGroupArn"]],
        logStreamNames=["a"],
        logStreamNamePrefixes=["b"],
    )
    assert code == "InvalidParameterException"
