"""What every noun has without a line about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from toy_noun import START, ToyJob

from cloche.aws.errors import AwsError
from cloche.aws.operation import Encoded
from cloche.aws.resource import explain
from cloche.foundation.errors import Invalid, NotSupported
from cloche.storage.metadata import records, tags

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/"


def test_create_answers_the_arn_and_describe_gives_back_what_was_sent(desk: Any) -> None:
    sent = {
        "TrainingJobName": "one",
        "HyperParameters": {"$eta": "0.1"},
        "OutputDataConfig": {"S3OutputPath": "s3://b"},
    }
    assert desk("CreateTrainingJob", sent) == {"TrainingJobArn": ARN + "one"}
    assert desk("DescribeTrainingJob", {"TrainingJobName": "one"}) == {
        **sent,
        "TrainingJobArn": ARN + "one",
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "CreationTime": START + timedelta(seconds=1),
        "LastModifiedTime": START + timedelta(seconds=1),
    }


def test_undeclared_members_do_not_leak_and_empty_structures_are_absent(desk: Any) -> None:
    desk("CreateTrainingJob", {"TrainingJobName": "one", "Secret": 1, "VpcConfig": {}, "Environment": {}})
    described = desk("DescribeTrainingJob", {"TrainingJobName": "one"})
    assert "Secret" not in described
    assert "VpcConfig" not in described
    assert described["Environment"] == {}, "a map may be empty"


def test_a_second_of_the_name_is_refused_in_the_nouns_words(desk: Any) -> None:
    desk("CreateTrainingJob", {"TrainingJobName": "one"})
    with pytest.raises(AwsError) as refused:
        desk("CreateTrainingJob", {"TrainingJobName": "one"})
    assert refused.value.code == "ResourceInUse"
    assert refused.value.message == f"a training job with this name already exists ({ARN}one)"
    desk("CreateTrainingJob", {"TrainingJobName": "one"}, region="eu-west-1")
    desk("CreateTrainingJob", {"TrainingJobName": "one"}, account="999999999999")


@pytest.mark.parametrize("verb", ["Describe", "Update", "Stop", "Delete"])
def test_what_is_not_there_is_missing_for_every_verb(desk: Any, verb: str) -> None:
    desk("CreateTrainingJob", {"TrainingJobName": "one"}, region="eu-west-1")
    with pytest.raises(AwsError, match="Requested resource not found"):
        desk(f"{verb}TrainingJob", {"TrainingJobName": "one"})


def test_check_comes_before_anything_is_written_and_a_failure_after_undoes_it(desk: Any) -> None:
    for role in ("forbidden", "breaks"):
        with pytest.raises((ValueError, RuntimeError)):
            desk(
                "CreateTrainingJob",
                {"TrainingJobName": "one", "RoleArn": role, "Tags": [{"Key": "a", "Value": "b"}]},
            )
        assert records.find_arn(desk.database.reader, ARN + "one") is None
        assert tags.read(desk.database.reader, ARN + "one") == []


def test_a_description_is_computed_once_per_version(desk: Any) -> None:
    desk("CreateTrainingJob", {"TrainingJobName": "one"})
    desk("DescribeTrainingJob", {"TrainingJobName": "one"}).keep(Encoded("json", (b"{}",), 2))
    for _ in range(3):
        desk("DescribeTrainingJob", {"TrainingJobName": "one"})
    assert ToyJob.shown_calls == 1
    desk.database.write(
        lambda tx: records.set_status(tx, ARN + "one", "Completed", state={"SecondaryStatus": "Completed"})
    )
    described = desk("DescribeTrainingJob", {"TrainingJobName": "one"})
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Completed", "Completed")
    assert ToyJob.shown_calls == 2


def test_a_name_used_again_does_not_show_the_old_description(desk: Any) -> None:
    desk("CreateTrainingJob", {"TrainingJobName": "one", "Environment": {"a": "1"}})
    desk("DescribeTrainingJob", {"TrainingJobName": "one"})
    desk("DeleteTrainingJob", {"TrainingJobName": "one"})
    desk("CreateTrainingJob", {"TrainingJobName": "one", "Environment": {"a": "2"}})
    assert desk("DescribeTrainingJob", {"TrainingJobName": "one"})["Environment"] == {"a": "2"}


def test_update_replaces_the_members_given(desk: Any) -> None:
    desk(
        "CreateTrainingJob",
        {"TrainingJobName": "one", "RoleArn": "r", "RemoteDebugConfig": {"EnableRemoteDebug": True}},
    )
    answer = desk("UpdateTrainingJob", {"TrainingJobName": "one", "RemoteDebugConfig": {"EnableRemoteDebug": False}})
    assert answer == {"TrainingJobArn": ARN + "one"}
    described = desk("DescribeTrainingJob", {"TrainingJobName": "one"})
    assert described["RemoteDebugConfig"] == {"EnableRemoteDebug": False}
    assert described["RoleArn"] == "r"
    assert described["LastModifiedTime"] > described["CreationTime"]


def test_stop_and_delete(desk: Any) -> None:
    desk("CreateTrainingJob", {"TrainingJobName": "one", "Tags": [{"Key": "a", "Value": "b"}]})
    assert desk("StopTrainingJob", {"TrainingJobName": "one"}) == {}
    assert desk("DescribeTrainingJob", {"TrainingJobName": "one"})["TrainingJobStatus"] == "Stopping"
    assert desk("DeleteTrainingJob", {"TrainingJobName": "one"}) == {}
    with pytest.raises(AwsError):
        desk("DescribeTrainingJob", {"TrainingJobName": "one"})
    assert tags.read(desk.database.reader, ARN + "one") == []


def test_a_name_may_be_an_arn_but_not_anothers(desk: Any) -> None:
    desk("CreateTrainingJob", {"TrainingJobName": "one"})
    assert desk("DescribeTrainingJob", {"TrainingJobName": ARN + "one"})["TrainingJobName"] == "one"
    with pytest.raises(Invalid, match="ARN should be scoped to correct region: us-east-1"):
        desk("DescribeTrainingJob", {"TrainingJobName": ARN.replace("us-east-1", "us-west-2") + "one"})
    with pytest.raises(Invalid, match="is not the ARN of a TrainingJob"):
        desk("DescribeTrainingJob", {"TrainingJobName": "arn:aws:sagemaker:us-east-1:123456789012:model/one"})


def test_tags_at_creation_follow_the_rules(desk: Any) -> None:
    with pytest.raises(Invalid, match="aws:"):
        desk("CreateTrainingJob", {"TrainingJobName": "one", "Tags": [{"Key": "AWS:x", "Value": ""}]})
    with pytest.raises(Invalid, match="Duplicate"):
        desk("CreateTrainingJob", {"TrainingJobName": "one", "Tags": [{"Key": "a", "Value": ""}] * 2})
    desk("CreateTrainingJob", {"TrainingJobName": "one", "Tags": [{"Key": "a", "Value": "b"}]})
    assert tags.read(desk.database.reader, ARN + "one") == [("a", "b")]
    found = records.find_arn(desk.database.reader, ARN + "one")
    assert found is not None and "Tags" not in found.request, "tags have one home"


def test_an_idempotency_token_creates_once(database: Any) -> None:
    from toy_noun import Desk

    from cloche.aws.resource import Resource, fact

    class Toy(Resource):
        operations = ("CreatePipeline", "DescribePipeline")
        arn = "pipeline/{PipelineName}"
        missing = fact("ResourceNotFound", "no {name}", source="test")
        duplicate = fact("ValidationException", "there is {name}", source="test")

    desk = Desk(database, {held.name: held.handler for held in Toy.operations_brought()})
    request = {"PipelineName": "p", "ClientRequestToken": "t" * 32}
    first = desk("CreatePipeline", request)
    assert desk("CreatePipeline", request) == first
    with pytest.raises(AwsError, match="there is p"):
        desk("CreatePipeline", {"PipelineName": "p", "ClientRequestToken": "u" * 32})
    with pytest.raises(Invalid, match="ClientRequestToken"):
        desk("CreatePipeline", {"PipelineName": "q", "ClientRequestToken": "t" * 32})


def test_a_noun_without_a_way_to_stop_says_so(database: Any) -> None:
    from toy_noun import Desk

    class Toy(ToyJob):
        operations = ("CreateTrainingJob", "StopTrainingJob")
        stopping = ToyJob.__base__.stopping  # type: ignore[misc,union-attr]

    desk = Desk(database, {held.name: held.handler for held in Toy.operations_brought()})
    desk("CreateTrainingJob", {"TrainingJobName": "one"})
    with pytest.raises(NotSupported, match="TrainingJob cannot be stopped"):
        desk("StopTrainingJob", {"TrainingJobName": "one"})


def test_operations_of_another_noun_are_no_family() -> None:
    class Wrong(ToyJob):
        operations = ("CreateTrainingJob", "DescribeModel")

    with pytest.raises(TypeError, match="DescribeModel is not an operation of TrainingJob"):
        Wrong.operations_brought()


def test_what_runs_on_the_event_loop() -> None:
    brought = ToyJob.operations_brought()
    assert [held.name for held in brought if held.inline is True] == ["DescribeTrainingJob"]
    (listing,) = [held for held in brought if callable(held.inline)]
    assert listing.name == "ListTrainingJobs"
    assert listing.is_inline({"MaxResults": 10})
    assert not listing.is_inline({"MaxResults": 10, "NameContains": "a"})
    assert {held.name for held in brought if held.reads} == {"DescribeTrainingJob", "ListTrainingJobs"}


def test_explain_names_the_line_and_what_is_written_and_derived() -> None:
    told = {held.name: explain(held) for held in ToyJob.operations_brought()}
    create = told["CreateTrainingJob"]
    assert create.file.read_text().splitlines()[create.line - 1].strip() == '"CreateTrainingJob",'
    assert [text.split()[0] for text in create.written] == ["check", "created"]
    assert "record and tags in one transaction" in create.derived
    listing = told["ListTrainingJobs"]
    assert any("NameContains" in text for text in listing.derived)
    assert "refused by name: WarmPoolStatusEquals" in listing.derived
