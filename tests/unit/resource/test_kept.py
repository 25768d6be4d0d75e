"""A description that has not changed is encoded once; one that has, anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model.load import service_model
from cloche.aws.operation import Encoded, Kept, Shared
from cloche.aws.protocols import StrictError, serialize_response
from cloche.aws.resource.memory import ENTRY_BYTES, Memory
from cloche.aws.resource.resource import _MEMORIES
from cloche.storage.metadata import records


def body(desk: Any, *, strict: bool = False) -> bytes:
    model = service_model("sagemaker")
    answer = desk("DescribeTrainingJob", {"TrainingJobName": "one"})
    request = HttpRequest("POST", "/", "", Headers())
    operation = model.operation_model("DescribeTrainingJob")
    answered = serialize_response(model, operation, "json", answer, request, "id", strict=strict)
    assert isinstance(answered.body, bytes)
    return answered.body


def test_encoded_once_until_the_version_moves(desk: Any) -> None:
    arn = desk("CreateTrainingJob", {"TrainingJobName": "one"})["TrainingJobArn"]
    assert json.loads(body(desk))["TrainingJobStatus"] == "InProgress"
    first = desk("DescribeTrainingJob", {"TrainingJobName": "one"})
    body(desk)
    again = desk("DescribeTrainingJob", {"TrainingJobName": "one"})
    assert first.encoded is again.encoded is not None
    assert dict(again) == dict(first)  # made anew for whoever still asks for members
    desk.database.write(lambda tx: records.set_status(tx, arn, "Stopped"))
    assert json.loads(body(desk))["TrainingJobStatus"] == "Stopped"


def test_summaries_are_kept_inside_the_list(desk: Any) -> None:
    for name in ("one", "two"):
        desk("CreateTrainingJob", {"TrainingJobName": name})
    model = service_model("sagemaker")
    operation = model.operation_model("ListTrainingJobs")
    request = HttpRequest("POST", "/", "", Headers())
    for _ in range(2):
        answer = desk("ListTrainingJobs", {"MaxResults": 1})
        body = serialize_response(model, operation, "json", answer, request, "id").body
        assert isinstance(body, bytes)
        told = json.loads(body)
        assert told["TrainingJobSummaries"][0]["TrainingJobName"] == "two"
        assert told["NextToken"] == answer["NextToken"]


def test_strict_encoding_is_never_skipped(desk: Any) -> None:
    desk("CreateTrainingJob", {"TrainingJobName": "one"})
    body(desk)
    with pytest.raises(StrictError):
        body(desk, strict=True)  # the toy lacks required members


def test_what_is_remembered_is_bounded_by_bytes() -> None:
    memory = Memory(bytes_max=3 * (ENTRY_BYTES + 1_000))
    answers = [Encoded("json", (b"x" * 1_000,), 1_000) for _ in range(5)]
    for number, answer in enumerate(answers):
        memory.put((number, "described"), 1, answer)
        memory.put((number, "described"), 1, answer)
    held = [number for number in range(5) if memory.get((number, "described"), 1) is not None]
    assert held == [2, 3, 4]
    assert memory.size == 3 * (ENTRY_BYTES + 1_000)
    memory.put((9, "described"), 1, Encoded("json", (b"",), 10**9))
    assert memory.size == 0
    assert memory.get((2, "described"), 2) is None


def test_what_is_deleted_takes_no_room(desk: Any) -> None:
    memory = _MEMORIES.of(desk.database)
    desk("CreateTrainingJob", {"TrainingJobName": "one"})
    body(desk)
    assert memory.size > 0
    desk("DeleteTrainingJob", {"TrainingJobName": "one"})
    assert memory.size == 0


def test_shared_lists_are_the_same_bytes_in_every_answer() -> None:
    model = service_model("sagemaker")
    operation = model.operation_model("DescribeTrainingJob")
    request = HttpRequest("POST", "/", "", Headers())
    shared = Shared([{"Name": f"m\0{n}", "Regex": "(.*)"} for n in range(40)])
    said: list[Encoded] = []
    for name in ("one", "two"):
        members = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"MetricDefinitions": shared, "TrainingInputMode": "File"},
            "TrainingJobStatus": "Completed",
        }
        plain = {
            **members,
            "AlgorithmSpecification": {**members["AlgorithmSpecification"], "MetricDefinitions": [*shared]},
        }
        kept = Kept(lambda members=members: members, None, said.append)
        wanted = serialize_response(model, operation, "json", plain, request, "id").body
        assert serialize_response(model, operation, "json", members, request, "id").body == wanted
        assert serialize_response(model, operation, "json", kept, request, "id").body == wanted  # type: ignore[arg-type]
    assert said[0].pieces[1] is said[1].pieces[1]
    assert said[0].own_bytes < len(b"".join(said[0].pieces)) / 4


def test_a_page_is_encoded_once_until_anything_is_written(desk: Any) -> None:
    for name in ("one", "two"):
        desk("CreateTrainingJob", {"TrainingJobName": name})
    model = service_model("sagemaker")
    operation = model.operation_model("ListTrainingJobs")
    request = HttpRequest("POST", "/", "", Headers())

    def listed(**asked: Any) -> tuple[Any, list[str]]:
        answer = desk("ListTrainingJobs", asked)
        kept = answer.encoded
        body = serialize_response(model, operation, "json", answer, request, "id").body
        assert isinstance(body, bytes)
        told = json.loads(body)
        assert told.keys() == dict(answer).keys()  # made anew for whoever asks for members
        return kept, [job["TrainingJobName"] for job in told["TrainingJobSummaries"]]

    assert listed() == (None, ["two", "one"])
    kept, names = listed()
    assert kept is not None
    assert names == ["two", "one"]
    assert listed(MaxResults=1) == (None, ["two"])
    assert listed(SortOrder="Ascending") == (None, ["one", "two"])
    desk("CreateTrainingJob", {"TrainingJobName": "three"})
    assert listed() == (None, ["three", "two", "one"])
