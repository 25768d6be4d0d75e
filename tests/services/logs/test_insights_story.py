"""Logs Insights through unmodified boto3: queries from their start to their results, definitions, records, fields."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

NOW = int(time.time())


@pytest.fixture
def logs(client: Callable[..., Any]) -> Any:
    return client("logs")


@pytest.fixture
def group(logs: Any, request: pytest.FixtureRequest) -> str:
    name = f"/insights/{request.node.name.replace('[', '-').replace(']', '')}"
    logs.create_log_group(logGroupName=name)
    return name


def put(logs: Any, group: str, messages: list[Any], stream: str = "s", at: int = NOW - 600) -> None:
    """A second apart."""
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    texts = [message if isinstance(message, str) else json.dumps(message) for message in messages]
    events = [{"timestamp": (at + place) * 1000, "message": text} for place, text in enumerate(texts)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def started(logs: Any, group: str, query: str, **more: Any) -> str:
    arguments = {"logGroupName": group, "startTime": NOW - 3600, "endTime": NOW + 3600, "queryString": query}
    return str(logs.start_query(**{**arguments, **more})["queryId"])


def ended(logs: Any, id: str) -> Any:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = logs.get_query_results(queryId=id)
        if answer["status"] not in ("Scheduled", "Running"):
            return answer
        time.sleep(0.02)
    raise AssertionError("the query does not end")


def asked(logs: Any, group: str, query: str, **more: Any) -> list[dict[str, str]]:
    answer = ended(logs, started(logs, group, query, **more))
    assert answer["status"] == "Complete"
    return [{pair["field"]: pair["value"] for pair in row} for row in answer["results"]]


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_query_counts_what_it_read(logs: Any, group: str) -> None:
    messages = [{"level": "ERROR" if n % 3 == 0 else "INFO", "n": n} for n in range(9)]
    put(logs, group, messages)
    id = started(logs, group, "fields @timestamp, n | filter level = 'ERROR' | sort n desc | limit 2")
    answer = ended(logs, id)
    assert answer["status"] == "Complete"
    assert answer["queryLanguage"] == "CWLI"
    rows = [{pair["field"]: pair["value"] for pair in row} for row in answer["results"]]
    assert [row["n"] for row in rows] == ["6", "3"]
    then = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(NOW - 600 + 6))
    assert rows[0]["@timestamp"] == f"{then}.000"
    assert set(rows[0]) == {"@timestamp", "n", "@ptr"}
    told = answer["statistics"]
    assert told["recordsMatched"] == 3
    assert told["recordsScanned"] == 9
    assert told["bytesScanned"] == sum(len(json.dumps(message)) for message in messages)
    assert told["resultCount"] == 2
    (query,) = logs.describe_queries(logGroupName=group)["queries"]
    assert query["queryId"] == id
    assert query["status"] == "Complete"
    assert query["bytesScanned"] == told["bytesScanned"]
    listed = logs.list_log_groups_for_query(queryId=id)["logGroupIdentifiers"]
    assert [arn.rsplit(":", 1)[1] for arn in listed] == [group]


def test_a_row_leads_to_its_event(logs: Any, group: str) -> None:
    put(logs, group, ["first", {"a": {"b": [{"c": 1.5}]}, "ok": True}])
    row = asked(logs, group, "fields a.b.0.c, ok | filter ok = 1")[0]
    assert row["a.b.0.c"] == "1.5"
    record = logs.get_log_record(logRecordPointer=row["@ptr"])["logRecord"]
    assert record["a.b.0.c"] == "1.5"
    assert record["@timestamp"] == str((NOW - 599) * 1000)
    assert record["@logStream"] == "s"
    assert record["@log"].endswith(f":{group}")
    assert json.loads(record["@message"])["ok"] is True
    assert refused(logs.get_log_record, logRecordPointer="%%")[0] == "InvalidParameterException"
    assert refused(logs.get_log_record, logRecordPointer="OTk5OTk5OTk5OjA=")[0] == "ResourceNotFoundException"


def test_several_groups_and_streams_are_one(logs: Any, group: str) -> None:
    other = f"{group}-other"
    logs.create_log_group(logGroupName=other)
    put(logs, group, [{"n": 1}], "a")
    put(logs, group, [{"n": 2}], "b")
    put(logs, other, [{"n": 3}], "c")
    names = {"logGroupNames": [group, other], "startTime": NOW - 3600, "endTime": NOW}
    id = logs.start_query(queryString="stats sum(n) as total, count(*) by @logStream, @log | sort total asc", **names)
    rows = ended(logs, id["queryId"])["results"]
    assert [{pair["field"]: pair["value"] for pair in row}["total"] for row in rows] == ["1", "2", "3"]
    assert [{pair["field"]: pair["value"] for pair in row}["@logStream"] for row in rows] == ["a", "b", "c"]
    arns = [each["logGroupArn"] for each in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]]
    id = logs.start_query(queryString="stats count(*) as k", logGroupIdentifiers=arns, startTime=0, endTime=NOW)
    assert ended(logs, id["queryId"])["results"] == [[{"field": "k", "value": "3"}]]


def test_only_events_of_the_range_are_seen(logs: Any, group: str) -> None:
    put(logs, group, [{"n": n} for n in range(10)])
    at = NOW - 600
    rows = asked(logs, group, "fields n | sort n asc", startTime=at + 3, endTime=at + 5)
    assert [row["n"] for row in rows] == ["3", "4", "5"]
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    code, message = refused(
        logs.start_query, logGroupName=group, startTime=0, endTime=NOW - 3 * 86400, queryString="limit 1"
    )
    assert code == "MalformedQueryException"
    assert "retention" in message


def test_results_come_in_pages(logs: Any, group: str) -> None:
    put(logs, group, [{"n": n} for n in range(25)])
    id = started(logs, group, "fields n | sort n asc")
    ended(logs, id)
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = logs.get_query_results(queryId=id, maxItems=10, **token)
        found += [row[0]["value"] for row in page["results"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert found == [str(n) for n in range(25)]
    assert len(asked(logs, group, "fields n", limit=7)) == 7
    assert len(asked(logs, group, "fields n | limit 3", limit=7)) == 3


def test_what_is_no_query_is_refused_with_its_place(logs: Any, group: str) -> None:
    with pytest.raises(logs.exceptions.MalformedQueryException) as caught:
        started(logs, group, "fields @timestamp | count()")
    error = caught.value.response
    assert "unexpected symbol found count at line 1 and position 21" in error["Error"]["Message"]
    assert error["queryCompileError"]["location"] == {"startCharOffset": 20, "endCharOffset": 25}
    for query, named in [
        ("", "<EOF>"),
        ("fields a | diff", "diff is not supported"),
        ("fields nothing(a)", "nothing"),
        ("filter a like /(/", "regular expression"),
        ("filter a =", "<EOF>"),
        ("fields a | limit 0", "limit"),
        ("stats count(*) | stats count(*) | stats count(*)", "stats"),
        ("parse @message 'a * b' as x, y", "name for each"),
        ("fields a | dedup a | sort a", "sort"),
        ("fields a as b, c as b", "defined"),
        ("filter " + "(" * 4000 + "a", "nested"),
        ("filter " + "not " * 1500 + "a = ", "<EOF>"),
    ]:
        code, message = refused(started, logs=logs, group=group, query=query)
        assert code == "MalformedQueryException"
        assert named in message
    assert refused(started, logs=logs, group="/insights/none", query="limit 1")[0] == "ResourceNotFoundException"
    for more in ({"queryLanguage": "SQL"}, {"queryLanguage": "PPL"}, {"startTime": NOW + 10, "endTime": NOW}):
        code, _ = refused(started, logs=logs, group=group, query="limit 1", **more)
        assert code == "InvalidParameterException"
    assert refused(logs.start_query, startTime=0, endTime=1, queryString="limit 1")[0] == "InvalidParameterException"


def test_rarely_read_groups_know_no_patterns(logs: Any) -> None:
    name = "/insights/rare"
    logs.create_log_group(logGroupName=name, logGroupClass="INFREQUENT_ACCESS")
    put(logs, name, ["a line"])
    assert asked(logs, name, "stats count(*) as n") == [{"n": "1"}]
    code, message = refused(started, logs=logs, group=name, query="pattern @message")
    assert code == "InvalidParameterException"
    assert "pattern" in message


def test_a_query_that_would_never_end_is_stopped(logs: Any, group: str) -> None:
    put(logs, group, ["a" * 60])
    id = started(logs, group, "filter @message like /^(a+)+$b/")
    until = time.monotonic() + 30
    while logs.get_query_results(queryId=id)["status"] != "Running" and time.monotonic() < until:
        time.sleep(0.01)
    assert asked(logs, group, "stats count(*) as k") == [{"k": "1"}]
    assert logs.stop_query(queryId=id)["success"] is True
    assert logs.get_query_results(queryId=id)["status"] == "Cancelled"
    assert refused(logs.stop_query, queryId=id)[0] == "InvalidParameterException"
    assert refused(logs.stop_query, queryId=str(uuid.uuid4()))[0] == "ResourceNotFoundException"
    cancelled = logs.describe_queries(logGroupName=group, status="Cancelled")["queries"]
    assert [query["queryId"] for query in cancelled] == [id]


def test_definitions_are_kept(logs: Any) -> None:
    name = f"defined-{uuid.uuid4()}"
    made = logs.put_query_definition(name=name, queryString="limit 5", logGroupNames=["g"], clientToken="t" * 36)
    again = logs.put_query_definition(name=name, queryString="limit 5", logGroupNames=["g"], clientToken="t" * 36)
    assert again["queryDefinitionId"] == made["queryDefinitionId"]
    logs.put_query_definition(name=name, queryString="limit 6", queryDefinitionId=made["queryDefinitionId"])
    (held,) = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
    assert held["queryString"] == "limit 6"
    assert "logGroupNames" not in held
    assert logs.delete_query_definition(queryDefinitionId=made["queryDefinitionId"])["success"] is True
    missing = {"queryDefinitionId": made["queryDefinitionId"]}
    assert refused(logs.delete_query_definition, **missing)[0] == "ResourceNotFoundException"
    code, _ = refused(logs.put_query_definition, name="x", queryString="limit 1", **missing)
    assert code == "ResourceNotFoundException"


def test_fields_of_a_group_are_told(logs: Any, group: str) -> None:
    put(logs, group, [{"a": 1, "b": {"c": 2}}, {"a": 1}, "text", {"a": 1}], at=int(time.time()) - 60)
    found = {each["name"]: each["percent"] for each in logs.get_log_group_fields(logGroupName=group)["logGroupFields"]}
    assert found["@message"] == found["@timestamp"] == 100
    assert found["a"] == 75
    assert found["b.c"] == 25
    assert logs.get_log_group_fields(logGroupName=group, time=NOW - 7200)["logGroupFields"] == []
