"""Packages that are tried before they are complete: ``ValidationSpecification`` and what comes of its transform job."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import ROLE, XGBOOST, hosting_of, refused, trained, unique
from pipeline_requests import ENDED, definition
from transform_requests import BUCKET, Transforming

GOOD, BAD = b"0.5,1.0\n1.5,1.0\n", b"0.5,1.0\nno,number\n"


@pytest.fixture(scope="module")
def bench(server: Any) -> Transforming:
    return Transforming(hosting_of(server), server)


def request(bench: Transforming, group: str, rows: bytes, **changes: Any) -> dict[str, Any]:
    """Of a package that is tried on ``rows``; ``changes`` are the specification's."""
    job = {
        "BatchStrategy": "MultiRecord",
        "Environment": {"TRIED": "yes"},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": bench.put({"rows.csv": rows})}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/tried/{group}", "Accept": "text/csv"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    profile = {"ProfileName": "first-rows", "TransformJobDefinition": job}
    return {
        "ModelPackageGroupName": group,
        "InferenceSpecification": {
            "Containers": [{"Image": XGBOOST, "ModelDataUrl": bench.hosting.put(trained(1)[0])}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ValidationSpecification": {"ValidationRole": ROLE, "ValidationProfiles": [profile], **changes},
        "ModelApprovalStatus": "Approved",
    }


def created(bench: Transforming, rows: bytes, **changes: Any) -> str:
    group = unique("tried")
    bench.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    answer = bench.sagemaker.create_model_package(**request(bench, group, rows, **changes))
    return str(answer["ModelPackageArn"])


def ended(bench: Transforming, arn: str, seconds: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        found: dict[str, Any] = bench.sagemaker.describe_model_package(ModelPackageName=arn)
        if found["ModelPackageStatus"] in ("Completed", "Failed"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def jobs_of(bench: Transforming, arn: str) -> list[dict[str, Any]]:
    group = arn.split("/")[1]
    listed = bench.sagemaker.list_transform_jobs(NameContains=group)["TransformJobSummaries"]
    return [bench.describe(each["TransformJobName"]) for each in listed]


def models_of(bench: Transforming, arn: str) -> list[Any]:
    return list(bench.sagemaker.list_models(NameContains=arn.split("/")[1])["Models"])


def test_a_package_is_complete_when_its_rows_were_answered(bench: Transforming) -> None:
    arn = created(bench, GOOD)
    first = bench.sagemaker.describe_model_package(ModelPackageName=arn)
    assert first["ModelPackageStatus"] in ("Pending", "InProgress")
    (told,) = first["ModelPackageStatusDetails"]["ValidationStatuses"]
    assert told["Name"] == "first-rows" and told["Status"] in ("NotStarted", "InProgress")
    assert first["ValidationSpecification"]["ValidationProfiles"][0]["ProfileName"] == "first-rows"
    with pytest.raises(ClientError) as caught:
        bench.sagemaker.delete_model_package(ModelPackageName=arn)
    assert refused(caught)[0] == "ConflictException" and "is being validated" in refused(caught)[1]
    with pytest.raises(ClientError) as caught:
        bench.sagemaker.create_model(
            ModelName=unique("early"), PrimaryContainer={"ModelPackageName": arn}, ExecutionRoleArn=ROLE
        )
    assert refused(caught)[0] == "ValidationException" and "only Completed ones can" in refused(caught)[1]

    found = ended(bench, arn)
    assert found["ModelPackageStatus"] == "Completed", found
    assert found["ModelPackageStatusDetails"] == {
        "ValidationStatuses": [{"Name": "first-rows", "Status": "Completed"}],
        "ImageScanStatuses": [],
    }
    assert found["CreatedBy"] == first["CreatedBy"]
    (job,) = jobs_of(bench, arn)
    assert (job["TransformJobStatus"], job["BatchStrategy"]) == ("Completed", "MultiRecord")
    assert job["Environment"] == {"TRIED": "yes"}
    assert bench.outputs(job)["rows.csv.out"].count(b"\n") == 2
    assert models_of(bench, arn) == []
    name = unique("late")
    bench.sagemaker.create_model(ModelName=name, PrimaryContainer={"ModelPackageName": arn}, ExecutionRoleArn=ROLE)
    bench.sagemaker.delete_model_package(ModelPackageName=arn)


def test_a_package_that_can_not_answer_its_rows_has_failed(bench: Transforming) -> None:
    arn = created(bench, BAD)
    found = ended(bench, arn)
    assert found["ModelPackageStatus"] == "Failed"
    (told,) = found["ModelPackageStatusDetails"]["ValidationStatuses"]
    (job,) = jobs_of(bench, arn)
    assert (told["Name"], told["Status"]) == ("first-rows", "Failed")
    assert told["FailureReason"] == f"{job['FailureReason']} See the transform job {job['TransformJobName']}."
    assert models_of(bench, arn) == []
    listed = bench.sagemaker.list_model_packages(ModelPackageGroupName=arn.split("/")[1])["ModelPackageSummaryList"]
    assert [each["ModelPackageStatus"] for each in listed] == ["Failed"]
    bench.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    again = bench.sagemaker.describe_model_package(ModelPackageName=arn)
    assert again["ModelPackageStatusDetails"] == found["ModelPackageStatusDetails"]


def test_what_the_api_refuses_is_the_reason(bench: Transforming) -> None:
    stranger = ROLE.replace("Hosting", "Nobody")
    found = ended(bench, created(bench, GOOD, ValidationRole=stranger))
    (told,) = found["ModelPackageStatusDetails"]["ValidationStatuses"]
    assert told["FailureReason"].startswith("ClientError: Could not access model data at ")
    assert jobs_of(bench, found["ModelPackageArn"]) == []


def test_a_stopped_job_fails_the_package(bench: Transforming) -> None:
    arn = created(bench, GOOD * 20_000)
    deadline = time.monotonic() + 30
    while not jobs_of(bench, arn):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (job,) = jobs_of(bench, arn)
    bench.sagemaker.stop_transform_job(TransformJobName=job["TransformJobName"])
    found = ended(bench, arn)
    (told,) = found["ModelPackageStatusDetails"]["ValidationStatuses"]
    assert told["FailureReason"].startswith("ClientError: The transform job is Stopped.")


def test_nothing_is_tried_where_nothing_is_asked_for(bench: Transforming) -> None:
    group = unique("untried")
    bench.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    asked = request(bench, group, GOOD)
    none = {"ValidationRole": ROLE, "ValidationProfiles": []}
    for changes in ({"SkipModelValidation": "All"}, {"ValidationSpecification": none}):
        arn = bench.sagemaker.create_model_package(**{**asked, **changes})["ModelPackageArn"]
        found = bench.sagemaker.describe_model_package(ModelPackageName=arn)
        assert found["ModelPackageStatus"] == "Completed"
        assert found["ModelPackageStatusDetails"]["ValidationStatuses"] == []
    del asked["InferenceSpecification"]
    with pytest.raises(ClientError, match="needs an InferenceSpecification"):
        bench.sagemaker.create_model_package(**asked)


def test_a_pipeline_waits_for_the_validation(bench: Transforming) -> None:
    group = unique("in-pipeline")
    steps = []
    for name, rows in (("good", GOOD), ("bad", BAD)):
        arguments = request(bench, f"{group}-{name}", rows)
        steps.append({"Name": name, "Type": "RegisterModel", "Arguments": arguments})
    text = definition(*steps)
    bench.sagemaker.create_pipeline(PipelineName=group, PipelineDefinition=text, RoleArn=ROLE)
    arn = bench.sagemaker.start_pipeline_execution(PipelineName=group)["PipelineExecutionArn"]
    deadline = time.monotonic() + 60
    while True:
        execution = bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if execution["PipelineExecutionStatus"] in ENDED:
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    listed = bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    steps_ended = {each["StepName"]: each for each in listed}
    assert steps_ended["bad"]["StepStatus"] == "Failed", json.dumps(listed, default=str)
    assert steps_ended["good"]["StepStatus"] == "Succeeded"
    package = steps_ended["good"]["Metadata"]["RegisterModel"]["Arn"]
    found = bench.sagemaker.describe_model_package(ModelPackageName=package)
    assert found["ModelPackageStatus"] == "Completed"


def test_a_validation_survives_kills(start_server: Callable[..., Any]) -> None:
    server = start_server()
    dice = random.Random(5)
    bench = Transforming(hosting_of(server), server)
    arns = [created(bench, rows) for rows in (GOOD, BAD, GOOD)]
    for _ in range(2):
        server.stop(signal.SIGKILL)
        server.start()
        bench = Transforming(hosting_again(server), server)
        time.sleep(dice.random())
    assert [ended(bench, arn)["ModelPackageStatus"] for arn in arns] == ["Completed", "Failed", "Completed"]
    assert [len(jobs_of(bench, arn)) for arn in arns] == [1, 1, 1]
    assert sum(len(models_of(bench, arn)) for arn in arns) == 0


def hosting_again(server: Any) -> Any:
    """Clients of the server as it is now: those of before were closed when it was killed."""
    from hosting_requests import _MADE

    _MADE.pop(server.url, None)
    return hosting_of(server)
