"""A description that has not changed is encoded once; one that has, anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model.load import service_model
from cloche.aws.protocols import StrictError, serialize_response
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
    kept = desk("DescribeTrainingJob", {"TrainingJobName": "one"}).encoded
    kept["json"] = b'{"kept": 1}'
    assert body(desk) == b'{"kept": 1}'
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
