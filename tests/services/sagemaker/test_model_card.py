"""The story of model cards: versions that stay as they were, approval, export to a PDF, deletion."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import unique

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-card/"
CONTENT: dict[str, Any] = {
    "model_overview": {"model_name": "churn", "model_id": "churn-1", "model_description": "who leaves"},
    "intended_uses": {"purpose_of_model": "keep customers", "risk_rating": "Low"},
    "training_details": {
        "objective_function": {"function": {"function": "Maximize", "facet": "AUC"}, "notes": "on validation"},
        "training_job_details": {
            "training_metrics": [{"name": "validation:auc", "value": 0.91}],
            "hyper_parameters": [{"name": "max_depth", "value": "6"}],
        },
    },
    "evaluation_details": [
        {
            "name": "held-out",
            "metric_groups": [
                {
                    "name": "binary",
                    "metric_data": [
                        {"name": "auc", "type": "number", "value": 0.9},
                        {"name": "roc", "type": "linear_graph", "value": [[0, 0], [0.2, 0.8], [1, 1]]},
                        {"name": "deciles", "type": "bar_chart", "value": [3, 2, 1], "x_axis_name": ["a", "b", "c"]},
                        {"name": "confusion", "type": "matrix", "value": [[50, 4], [6, 40]]},
                    ],
                }
            ],
        }
    ],
    "additional_information": {"custom_details": {"reviewed by": "the risk team"}},
}


@pytest.fixture
def sagemaker(client: Callable[..., Any]) -> Any:
    return client("sagemaker")


@pytest.fixture
def bucket(client: Callable[..., Any]) -> str:
    name = unique("cards")
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def card(sagemaker: Any) -> str:
    name = unique("card")
    sagemaker.create_model_card(ModelCardName=name, Content=json.dumps(CONTENT), ModelCardStatus="Draft")
    return name


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**request)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def exported(sagemaker: Any, arn: str) -> dict[str, Any]:
    end = time.monotonic() + 120
    while True:
        found: dict[str, Any] = sagemaker.describe_model_card_export_job(ModelCardExportJobArn=arn)
        if found["Status"] != "InProgress":
            return found
        assert time.monotonic() < end, found
        time.sleep(0.1)


def test_a_card_is_told_as_it_was_written(sagemaker: Any, card: str) -> None:
    told = sagemaker.describe_model_card(ModelCardName=card)
    assert told["ModelCardArn"] == ARN + card
    assert (told["ModelCardVersion"], told["ModelCardStatus"]) == (1, "Draft")
    assert json.loads(told["Content"]) == CONTENT
    assert told["CreatedBy"]["IamIdentity"]["Arn"].endswith(":root")
    assert sagemaker.describe_model_card(ModelCardName=ARN + card)["ModelCardName"] == card
    create = sagemaker.create_model_card
    code, said = refused(create, ModelCardName=card, Content="{}", ModelCardStatus="Draft")
    assert code == "ConflictException" and "already exists" in said
    assert refused(sagemaker.describe_model_card, ModelCardName="none")[0] == "ResourceNotFound"


def test_content_makes_a_version_and_approval_does_not(sagemaker: Any, card: str) -> None:
    changed = {**CONTENT, "intended_uses": {"risk_rating": "High"}}
    sagemaker.update_model_card(ModelCardName=card, ModelCardStatus="PendingReview")
    assert sagemaker.describe_model_card(ModelCardName=card)["ModelCardVersion"] == 1
    sagemaker.update_model_card(ModelCardName=ARN + card, Content=json.dumps(changed))
    told = sagemaker.describe_model_card(ModelCardName=card)
    assert (told["ModelCardVersion"], told["ModelCardStatus"]) == (2, "PendingReview")
    assert json.loads(told["Content"]) == changed
    sagemaker.update_model_card(ModelCardName=card, ModelCardStatus="Approved")
    first = sagemaker.describe_model_card(ModelCardName=card, ModelCardVersion=1)
    assert json.loads(first["Content"]) == CONTENT
    assert (first["ModelCardVersion"], first["ModelCardStatus"]) == (1, "PendingReview")
    assert refused(sagemaker.describe_model_card, ModelCardName=card, ModelCardVersion=3)[0] == "ResourceNotFound"
    listed = sagemaker.list_model_card_versions(ModelCardName=card, SortOrder="Ascending")
    versions = [(each["ModelCardVersion"], each["ModelCardStatus"]) for each in listed["ModelCardVersionSummaryList"]]
    assert versions == [(1, "PendingReview"), (2, "Approved")]
    approved = sagemaker.list_model_card_versions(ModelCardName=card, ModelCardStatus="Approved")
    assert [each["ModelCardVersion"] for each in approved["ModelCardVersionSummaryList"]] == [2]


def test_versions_are_paged(sagemaker: Any, card: str) -> None:
    for number in range(4):
        content = {"model_overview": {"model_version": number + 2}}
        sagemaker.update_model_card(ModelCardName=card, Content=json.dumps(content))
    pages = sagemaker.get_paginator("list_model_card_versions").paginate(
        ModelCardName=card, PaginationConfig={"PageSize": 2}
    )
    found = [[each["ModelCardVersion"] for each in page["ModelCardVersionSummaryList"]] for page in pages]
    assert found == [[5, 4], [3, 2], [1]]


def test_an_archived_card_is_not_updated(sagemaker: Any, card: str) -> None:
    sagemaker.update_model_card(ModelCardName=card, ModelCardStatus="Archived")
    for change in ({"ModelCardStatus": "Draft"}, {"Content": "{}"}):
        code, said = refused(sagemaker.update_model_card, ModelCardName=card, **change)
        assert code == "ConflictException" and "archived" in said
    listed = sagemaker.list_model_cards(NameContains=card, ModelCardStatus="Archived")["ModelCardSummaries"]
    assert [each["ModelCardName"] for each in listed] == [card]
    assert sagemaker.list_model_cards(NameContains=card, ModelCardStatus="Draft")["ModelCardSummaries"] == []


def test_content_and_approval_are_not_changed_in_one_call(sagemaker: Any, card: str) -> None:
    code, said = refused(sagemaker.update_model_card, ModelCardName=card, Content="{}", ModelCardStatus="Approved")
    assert code == "ValidationException" and "single call" in said


def test_metadata_alone_leaves_the_words_out(sagemaker: Any, card: str) -> None:
    told = sagemaker.describe_model_card(ModelCardName=card, IncludedData="MetadataOnly")
    assert json.loads(told["Content"]) == {
        "model_overview": {"model_id": "churn-1", "model_name": "churn"},
        "intended_uses": {"risk_rating": "Low"},
    }


def test_a_card_is_found_by_what_it_is_about(sagemaker: Any) -> None:
    name, model = unique("card"), unique("model")
    content = {"model_overview": {"model_id": model}, "intended_uses": {"risk_rating": "High"}}
    sagemaker.create_model_card(ModelCardName=name, Content=json.dumps(content), ModelCardStatus="Draft")

    def found(**wanted: str) -> list[str]:
        filters = [{"Name": each, "Operator": "Equals", "Value": value} for each, value in wanted.items()]
        answer = sagemaker.search(Resource="ModelCard", SearchExpression={"Filters": filters})
        return [each["ModelCard"]["ModelCardName"] for each in answer["Results"]]

    assert found(ModelId=model, RiskRating="High") == [name]
    assert found(ModelId=model, RiskRating="Low") == []
    sagemaker.update_model_card(ModelCardName=name, Content="{}")
    assert found(ModelId=model) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("not json", "is not JSON"),
        ("[" * 9_000, "is not JSON"),
        ("[]", "the content must be an object"),
        ({"model_overveiw": {}}, "model_overveiw is not in it"),
        ({"intended_uses": {"risk_rating": "Huge"}}, "intended_uses.risk_rating must be one of High"),
        ({"model_overview": {"model_version": 0}}, "model_overview.model_version must be at least 1"),
        ({"model_overview": {"model_version": True}}, "model_overview.model_version must be a number"),
        ({"business_details": {"business_problem": "x" * 2049}}, "may not have more than 2048 characters"),
        ({"evaluation_details": [{}]}, "evaluation_details[0] must have name"),
        ({"evaluation_details": [{"name": ""}]}, "evaluation_details[0].name must match"),
        ({"model_overview": {"model_artifact": ["s3://a"] * 16}}, "may not have more than 15 items"),
        ({"additional_information": {"custom_details": {"key": 3}}}, "custom_details.key must be a string"),
        (
            {"evaluation_details": [{"name": "a", "metric_groups": [{"name": "b", "metric_data": [{"name": "c"}]}]}]},
            "evaluation_details[0].metric_groups[0].metric_data[0] has none of the allowed forms",
        ),
        (
            {
                "evaluation_details": [
                    {
                        "name": "a",
                        "metric_groups": [
                            {"name": "b", "metric_data": [{"name": "c", "type": "matrix", "value": [[]]}]}
                        ],
                    }
                ]
            },
            "metric_data[0].value[0] must have at least 1 items",
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_what_is_no_card_is_refused_by_its_place(sagemaker: Any, content: Any, why: str) -> None:
    sent = content if isinstance(content, str) else json.dumps(content)
    code, said = refused(
        sagemaker.create_model_card, ModelCardName=unique("card"), Content=sent, ModelCardStatus="Draft"
    )
    assert code == "ValidationException"
    assert said.startswith("Content") and why in said


def test_encryption_is_refused_by_its_name(sagemaker: Any) -> None:
    code, said = refused(
        sagemaker.create_model_card,
        ModelCardName=unique("card"),
        Content="{}",
        ModelCardStatus="Draft",
        SecurityConfig={"KmsKeyId": "key"},
    )
    assert code == "ValidationException" and said.startswith("SecurityConfig")


def test_a_card_is_exported_as_a_pdf(sagemaker: Any, client: Callable[..., Any], card: str, bucket: str) -> None:
    sagemaker.update_model_card(ModelCardName=card, Content=json.dumps({"model_overview": {"model_name": "second"}}))
    create = sagemaker.create_model_card_export_job
    output = {"S3OutputPath": f"s3://{bucket}/documents/"}
    made = create(ModelCardName=card, ModelCardVersion=1, ModelCardExportJobName="first", OutputConfig=output)
    assert made["ModelCardExportJobArn"] == f"{ARN}{card}/export-job/first"
    found = exported(sagemaker, made["ModelCardExportJobArn"])
    assert found["Status"] == "Completed", found.get("FailureReason")
    assert (found["ModelCardName"], found["ModelCardVersion"]) == (card, 1)
    address = found["ExportArtifacts"]["S3ExportArtifacts"]
    assert address.startswith(f"s3://{bucket}/documents/") and address.endswith(".pdf")
    held = client("s3").get_object(Bucket=bucket, Key=address.removeprefix(f"s3://{bucket}/"))
    document = held["Body"].read()
    assert held["ContentType"] == "application/pdf"
    assert document.startswith(b"%PDF-") and document.rstrip().endswith(b"%%EOF")
    words = text_of(document)
    for each in ("churn", "keep customers", "validation:auc", "0.91", "max_depth", "the risk team", "confusion"):
        assert each in words, each
    assert "second" not in words

    latest = create(ModelCardName=card, ModelCardExportJobName="latest", OutputConfig=output)
    assert exported(sagemaker, latest["ModelCardExportJobArn"])["ModelCardVersion"] == 2
    listed = sagemaker.list_model_card_export_jobs(ModelCardName=card, SortBy="Name", SortOrder="Ascending")
    names = [each["ModelCardExportJobName"] for each in listed["ModelCardExportJobSummaries"]]
    assert names == ["first", "latest"]
    one = sagemaker.list_model_card_export_jobs(ModelCardName=card, ModelCardVersion=2, StatusEquals="Completed")
    assert [each["ModelCardExportJobName"] for each in one["ModelCardExportJobSummaries"]] == ["latest"]
    code, said = refused(create, ModelCardName=card, ModelCardExportJobName="first", OutputConfig=output)
    assert code == "ConflictException" and "already exists" in said

    sagemaker.delete_model_card(ModelCardName=card)
    assert refused(sagemaker.describe_model_card, ModelCardName=card)[0] == "ResourceNotFound"
    arn = made["ModelCardExportJobArn"]
    assert refused(sagemaker.describe_model_card_export_job, ModelCardExportJobArn=arn)[0] == "ResourceNotFound"
    sagemaker.create_model_card(ModelCardName=card, Content="{}", ModelCardStatus="Draft")
    assert sagemaker.describe_model_card(ModelCardName=card)["ModelCardVersion"] == 1


def test_an_export_that_cannot_be_stored_fails_and_says_why(sagemaker: Any, card: str) -> None:
    made = sagemaker.create_model_card_export_job(
        ModelCardName=card, ModelCardExportJobName="lost", OutputConfig={"S3OutputPath": "s3://no-such-bucket-here/x"}
    )
    found = exported(sagemaker, made["ModelCardExportJobArn"])
    assert found["Status"] == "Failed"
    assert "ExportArtifacts" not in found and "bucket" in found["FailureReason"].lower()


def test_exports_of_what_is_not_there(sagemaker: Any, card: str) -> None:
    create, output = sagemaker.create_model_card_export_job, {"S3OutputPath": "s3://bucket/x"}
    assert refused(create, ModelCardName="none", ModelCardExportJobName="a", OutputConfig=output)[0] == (
        "ResourceNotFound"
    )
    code, _ = refused(create, ModelCardName=card, ModelCardVersion=9, ModelCardExportJobName="a", OutputConfig=output)
    assert code == "ResourceNotFound"
    code, said = refused(
        create, ModelCardName=card, ModelCardExportJobName="a", OutputConfig={"S3OutputPath": "https://example.org/a"}
    )
    assert code == "ValidationException" and "S3OutputPath" in said
    assert sagemaker.list_model_card_export_jobs(ModelCardName=card)["ModelCardExportJobSummaries"] == []


def test_a_kill_loses_no_export(start_server: Callable[..., Any]) -> None:
    running = start_server()
    sagemaker = running.client("sagemaker")
    running.client("s3").create_bucket(Bucket="kept-documents")
    sagemaker.create_model_card(ModelCardName="kept", Content=json.dumps(CONTENT), ModelCardStatus="Approved")
    made = sagemaker.create_model_card_export_job(
        ModelCardName="kept", ModelCardExportJobName="once", OutputConfig={"S3OutputPath": "s3://kept-documents"}
    )
    running.stop(signal.SIGKILL)
    running.start()
    found = exported(running.client("sagemaker"), made["ModelCardExportJobArn"])
    assert found["Status"] == "Completed", found.get("FailureReason")
    keys = [each["Key"] for each in running.client("s3").list_objects_v2(Bucket="kept-documents")["Contents"]]
    assert keys == ["kept-1-once.pdf"]


def test_a_process_that_is_killed_is_begun_again(start_server: Callable[..., Any]) -> None:
    running = start_server()
    sagemaker = running.client("sagemaker")
    running.client("s3").create_bucket(Bucket="again")
    sagemaker.create_model_card(ModelCardName="again", Content=json.dumps(CONTENT), ModelCardStatus="Draft")
    made = sagemaker.create_model_card_export_job(
        ModelCardName="again", ModelCardExportJobName="once", OutputConfig={"S3OutputPath": "s3://again"}
    )
    folder, end = running.data / "run" / "processes", time.monotonic() + 60
    while not (claims := list(folder.glob("cards-*/runner.json"))):
        assert time.monotonic() < end
        time.sleep(0.002)
    os.kill(json.loads(claims[0].read_text())["pid"], signal.SIGKILL)
    assert exported(sagemaker, made["ModelCardExportJobArn"])["Status"] == "Completed"


def test_a_package_has_a_card_of_its_own(sagemaker: Any) -> None:
    group = unique("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    content = {"model_overview": {"model_creator": "me"}, "intended_uses": {"risk_rating": "Low"}}
    request = {
        "ModelPackageGroupName": group,
        "InferenceSpecification": {"Containers": [{"Image": "image"}]},
        "ModelCard": {"ModelCardContent": json.dumps(content), "ModelCardStatus": "Draft"},
    }
    arn = sagemaker.create_model_package(**request)["ModelPackageArn"]
    told = sagemaker.describe_model_package(ModelPackageName=arn)["ModelCard"]
    assert json.loads(told["ModelCardContent"]) == content
    sagemaker.update_model_package(ModelPackageArn=arn, ModelCard={"ModelCardStatus": "Approved"})
    told = sagemaker.describe_model_package(ModelPackageName=arn)["ModelCard"]
    assert told["ModelCardStatus"] == "Approved" and json.loads(told["ModelCardContent"]) == content
    only = sagemaker.describe_model_package(ModelPackageName=arn, IncludedData="MetadataOnly")["ModelCard"]
    assert only == {"ModelCardContent": "", "ModelCardStatus": "Approved"}
    # Of a package's card the overview knows its creator and artefacts alone.
    request["ModelCard"] = {"ModelCardContent": json.dumps({"model_overview": {"model_name": "x"}})}
    code, said = refused(sagemaker.create_model_package, **request)
    assert code == "ValidationException" and "model_overview.model_name is not in it" in said
    said = refused(sagemaker.update_model_package, ModelPackageArn=arn, ModelCard={"ModelCardContent": "no"})[1]
    assert said == "ModelCardContent is not JSON."


def text_of(document: bytes) -> str:
    """The words a PDF shows, of the kind that reportlab writes: streams packed by Flate and ASCII85, Latin fonts."""
    import base64

    shown: list[str] = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", document, re.DOTALL):
        packed = stream.strip()
        if packed.endswith(b"~>"):
            packed = base64.a85decode(packed.removesuffix(b"~>"))
        for piece in re.findall(rb"\((.*?)(?<!\\)\) Tj", zlib.decompress(packed), re.DOTALL):
            shown.append(piece.decode("latin-1"))
    return " ".join(shown)
