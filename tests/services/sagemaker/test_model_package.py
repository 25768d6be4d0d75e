"""The story of model packages: groups, numbered versions, approval, what is known of them, and deletion."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import XGBOOST, unique

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
CONTAINER = {"Image": XGBOOST, "ModelDataUrl": "s3://nowhere/model.tar.gz"}
SPECIFICATION = {
    "Containers": [CONTAINER],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
FOR_UNVERSIONED = {
    **SPECIFICATION,
    "SupportedTransformInstanceTypes": ["ml.m5.large"],
    "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
}
METRICS = {
    "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://bucket/evaluation.json"}},
    "Bias": {"Report": {"ContentType": "application/json", "S3Uri": "s3://bucket/bias.json"}},
}
BASELINES = {
    "ModelDataQuality": {
        "Statistics": {"ContentType": "application/json", "S3Uri": "s3://bucket/statistics.json"},
        "Constraints": {"ContentType": "application/json", "S3Uri": "s3://bucket/constraints.json"},
    },
    "Bias": {"ConfigFile": {"ContentType": "application/json", "S3Uri": "s3://bucket/config.json"}},
}


@pytest.fixture
def sagemaker(client: Callable[..., Any]) -> Any:
    return client("sagemaker")


@pytest.fixture
def group(sagemaker: Any) -> str:
    name = unique("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=name, ModelPackageGroupDescription="models of churn")
    return name


def version(sagemaker: Any, group: str, **members: Any) -> str:
    request = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION, **members}
    arn: str = sagemaker.create_model_package(**request)["ModelPackageArn"]
    return arn


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**request)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def test_a_group_is_complete_and_says_who_made_it(sagemaker: Any, group: str) -> None:
    described = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert described["ModelPackageGroupArn"] == f"{ARN}:model-package-group/{group}"
    assert described["ModelPackageGroupStatus"] == "Completed"
    assert described["ModelPackageGroupDescription"] == "models of churn"
    assert described["CreatedBy"]["IamIdentity"]["Arn"] == "arn:aws:iam::123456789012:root"
    by_arn = sagemaker.describe_model_package_group(ModelPackageGroupName=described["ModelPackageGroupArn"])
    assert by_arn["ModelPackageGroupName"] == group
    code, said = refused(sagemaker.create_model_package_group, ModelPackageGroupName=group)
    assert (code, said) == (
        "ValidationException",
        f"Model Package Group already exists: {described['ModelPackageGroupArn']}",
    )


def test_missing_things_are_told_in_the_words_clients_know(sagemaker: Any) -> None:
    arn = f"{ARN}:model-package-group/none-of-these"
    for call in (sagemaker.describe_model_package_group, sagemaker.delete_model_package_group):
        assert refused(call, ModelPackageGroupName="none-of-these") == (
            "ValidationException",
            f"ModelPackageGroup {arn} does not exist.",
        )
    said = refused(
        sagemaker.create_model_package,
        ModelPackageGroupName="none-of-these",
        InferenceSpecification=SPECIFICATION,
    )
    assert said == ("ValidationException", f"ModelPackageGroup {arn} does not exist.")
    package = f"{ARN}:model-package/none-of-these/7"
    for call in (sagemaker.describe_model_package, sagemaker.delete_model_package):
        assert refused(call, ModelPackageName=package) == (
            "ValidationException",
            f"ModelPackage {package} does not exist.",
        )
    said = refused(sagemaker.update_model_package, ModelPackageArn=package, ModelApprovalStatus="Approved")
    assert said == ("ValidationException", f"ModelPackage {package} does not exist.")
    other = package.replace("us-east-1", "us-west-2")
    said = refused(sagemaker.describe_model_package, ModelPackageName=other)
    assert said == ("ValidationException", "ARN should be scoped to correct region: us-east-1")


def test_versions_count_from_one_and_a_number_is_never_given_twice(sagemaker: Any, group: str) -> None:
    arns = [version(sagemaker, group) for _ in range(3)]
    assert arns == [f"{ARN}:model-package/{group}/{number}" for number in (1, 2, 3)]
    sagemaker.delete_model_package(ModelPackageName=arns[2])
    assert version(sagemaker, group).endswith("/4")
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert [each["ModelPackageVersion"] for each in listed] == [1, 2, 4]
    assert all("ModelPackageName" not in each for each in listed)
    newest = sagemaker.list_model_packages(
        ModelPackageGroupName=f"{ARN}:model-package-group/{group}", SortOrder="Descending", MaxResults=1
    )
    assert newest["ModelPackageSummaryList"][0]["ModelPackageArn"].endswith("/4")


def test_versions_made_at_once_get_numbers_of_their_own(server: Any, sagemaker: Any, group: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        arns = list(pool.map(lambda _: version(sagemaker, group), range(24)))
    assert sorted(int(arn.rpartition("/")[2]) for arn in arns) == list(range(1, 25))


def test_a_token_given_again_answers_the_same_version(sagemaker: Any, group: str) -> None:
    first = version(sagemaker, group, ClientToken="register-once")
    assert version(sagemaker, group, ClientToken="register-once") == first
    assert version(sagemaker, group).endswith("/2")


def test_a_version_is_described_as_it_was_registered(sagemaker: Any, group: str) -> None:
    further = [{"Name": "small", "Containers": [{**CONTAINER, "Environment": {"THREADS": "1"}}]}]
    members = {
        "ModelPackageDescription": "the first",
        "ModelMetrics": METRICS,
        "DriftCheckBaselines": BASELINES,
        "CustomerMetadataProperties": {"team": "risk"},
        "MetadataProperties": {"CommitId": "abc", "Repository": "r", "GeneratedBy": "g", "ProjectId": "p"},
        "AdditionalInferenceSpecifications": further,
        "Domain": "MACHINE_LEARNING",
        "Task": "CLASSIFICATION",
        "SamplePayloadUrl": "s3://bucket/sample.tar.gz",
        "SkipModelValidation": "All",
        "ModelLifeCycle": {"Stage": "Development", "StageStatus": "Open", "StageDescription": "just made"},
        "ModelPackageRegistrationType": "Registered",
    }
    arn = version(sagemaker, group, **members)
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert {name: described[name] for name in members} == members
    assert described["InferenceSpecification"] == SPECIFICATION
    assert described["ModelPackageGroupName"] == group and "ModelPackageName" not in described
    assert described["ModelPackageVersion"] == 1
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["ModelPackageStatus"] == "Completed"
    assert described["ModelPackageStatusDetails"] == {"ValidationStatuses": [], "ImageScanStatuses": []}
    assert described["CertifyForMarketplace"] is False
    assert "LastModifiedBy" not in described and "SourceUri" not in described


def test_the_etag_of_the_artefact_is_kept(sagemaker: Any, client: Callable[..., Any], group: str) -> None:
    s3 = client("s3")
    bucket = unique("artefacts")
    s3.create_bucket(Bucket=bucket)
    etag = s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=b"the model")["ETag"]
    specification = {"Containers": [{"Image": XGBOOST, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}]}
    arn = version(sagemaker, group, InferenceSpecification=specification)
    container = sagemaker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]["Containers"][0]
    assert container["ModelDataETag"] == etag.strip('"')


@pytest.mark.parametrize(
    "way",
    [
        ("Approved", "Rejected", "Approved"),
        ("Rejected", "Approved", "PendingManualApproval"),
        ("Rejected", "PendingManualApproval", "Approved"),
    ],
)
def test_any_approval_may_follow_any_other(sagemaker: Any, group: str, way: tuple[str, ...]) -> None:
    arn = version(sagemaker, group)
    for status in way:
        answer = sagemaker.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=f"now {status}"
        )
        assert answer["ModelPackageArn"] == arn
        described = sagemaker.describe_model_package(ModelPackageName=arn)
        assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == (status, f"now {status}")
        assert described["LastModifiedBy"]["IamIdentity"]["Arn"].endswith(":root")
        listed = sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus=status)
        assert [each["ModelApprovalStatus"] for each in listed["ModelPackageSummaryList"]] == [status]
    code, said = refused(sagemaker.update_model_package, ModelPackageArn=arn, ModelApprovalStatus="Perhaps")
    assert code == "ValidationException" and "modelApprovalStatus" in said


def test_updates_merge_metadata_and_add_specifications(sagemaker: Any, group: str) -> None:
    arn = version(sagemaker, group, CustomerMetadataProperties={"team": "risk", "cost": "low"})
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"cost": "high", "owner": "me"},
        CustomerMetadataPropertiesToRemove=["team", "not-there"],
        AdditionalInferenceSpecificationsToAdd=[{"Name": "small", "Containers": [CONTAINER]}],
        ModelLifeCycle={"Stage": "Staging", "StageStatus": "Pending"},
    )
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["CustomerMetadataProperties"] == {"cost": "high", "owner": "me"}
    assert [each["Name"] for each in described["AdditionalInferenceSpecifications"]] == ["small"]
    assert described["ModelLifeCycle"] == {"Stage": "Staging", "StageStatus": "Pending"}
    code, said = refused(
        sagemaker.update_model_package,
        ModelPackageArn=arn,
        AdditionalInferenceSpecificationsToAdd=[{"Name": "small", "Containers": [CONTAINER]}],
    )
    assert code == "ValidationException" and "more than one small" in said
    many = {f"key-{number}": "value" for number in range(49)}
    code, said = refused(sagemaker.update_model_package, ModelPackageArn=arn, CustomerMetadataProperties=many)
    assert code == "ValidationException" and "50" in said
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["cost", "owner"])
    assert "CustomerMetadataProperties" not in sagemaker.describe_model_package(ModelPackageName=arn)


def test_unversioned_packages_have_a_name_and_no_approval(sagemaker: Any, group: str) -> None:
    name = unique("package")
    tags = [{"Key": "team", "Value": "risk"}]
    made = sagemaker.create_model_package(
        ModelPackageName=name, InferenceSpecification=FOR_UNVERSIONED, CertifyForMarketplace=False, Tags=tags
    )
    assert made["ModelPackageArn"] == f"{ARN}:model-package/{name}"
    assert sagemaker.list_tags(ResourceArn=made["ModelPackageArn"])["Tags"] == tags
    described = sagemaker.describe_model_package(ModelPackageName=name)
    assert described["ModelPackageName"] == name
    assert not {"ModelPackageGroupName", "ModelPackageVersion", "ModelApprovalStatus"} & described.keys()
    code, said = refused(sagemaker.create_model_package, ModelPackageName=name, InferenceSpecification=FOR_UNVERSIONED)
    assert code == "ValidationException" and said.startswith("ModelPackage already exists")
    version(sagemaker, group)

    def listed(**request: Any) -> set[str]:
        pages = sagemaker.get_paginator("list_model_packages").paginate(**request)
        return {each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"]}

    assert listed(NameContains=name) == {made["ModelPackageArn"]}
    assert listed(NameContains=group) == set()
    assert listed(NameContains=group, ModelPackageType="Versioned") == {f"{ARN}:model-package/{group}/1"}
    both = listed(ModelPackageType="Both")
    assert {made["ModelPackageArn"], f"{ARN}:model-package/{group}/1"} <= both
    code, said = refused(
        sagemaker.update_model_package, ModelPackageArn=made["ModelPackageArn"], ModelApprovalStatus="Approved"
    )
    assert code == "ValidationException" and "does not apply to unversioned" in said


def test_what_contradicts_itself_is_refused(sagemaker: Any, group: str) -> None:
    create = sagemaker.create_model_package
    good = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION}
    said = refused(create, ModelPackageName="both", **good)[1]
    assert said.startswith("Both ModelPackageName and ModelPackageGroupName are provided in the input.")
    assert refused(create, InferenceSpecification=SPECIFICATION)[1] == "Missing ARN."
    assert "Tags cannot be given to a version" in refused(create, Tags=[{"Key": "a", "Value": "b"}], **good)[1]
    assert "SourceUri and InferenceSpecification" in refused(create, SourceUri="s3://a/b", **good)[1]
    said = refused(create, ModelPackageName=unique("package"), InferenceSpecification=SPECIFICATION)[1]
    assert "SupportedTransformInstanceTypes is required for an unversioned" in said
    said = refused(create, ModelPackageName=unique("package"))[1]
    assert "InferenceSpecification must be given" in said
    twice = [{"Name": "same", "Containers": [CONTAINER]}] * 2
    assert "more than one same" in refused(create, AdditionalInferenceSpecifications=twice, **good)[1]
    assert sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"] == []
    assert version(sagemaker, group).endswith("/1"), "a refused version takes no number"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("SourceAlgorithmSpecification", {"SourceAlgorithms": [{"AlgorithmName": "mine"}]}),
        ("CertifyForMarketplace", True),
        ("SecurityConfig", {"KmsKeyId": "key"}),
    ],
)
def test_what_cloche_does_not_do_is_refused_by_its_name(sagemaker: Any, group: str, member: str, value: Any) -> None:
    code, said = refused(
        sagemaker.create_model_package,
        ModelPackageGroupName=group,
        InferenceSpecification=SPECIFICATION,
        **{member: value},
    )
    assert code == "ValidationException"
    assert said.startswith(member) and "not supported by Cloche yet" in said


def test_a_package_is_cloned_by_its_arn(sagemaker: Any, group: str) -> None:
    first = version(sagemaker, group)
    second = sagemaker.create_model_package(ModelPackageGroupName=group, SourceUri=first)["ModelPackageArn"]
    described = sagemaker.describe_model_package(ModelPackageName=second)
    assert described["InferenceSpecification"] == SPECIFICATION
    assert described["SourceUri"] == first
    gone = first.replace("/1", "/99")
    said = refused(sagemaker.create_model_package, ModelPackageGroupName=group, SourceUri=gone)[1]
    assert said == f"SourceUri {gone} does not exist."
    plain = version(sagemaker, group)
    sagemaker.update_model_package(ModelPackageArn=plain, SourceUri="https://example.org/model")
    described = sagemaker.describe_model_package(ModelPackageName=plain)
    assert described["SourceUri"] == "https://example.org/model"
    assert described["InferenceSpecification"] == SPECIFICATION


def test_many_are_described_at_once(sagemaker: Any, group: str) -> None:
    arns = [version(sagemaker, group) for _ in range(2)]
    missing = f"{ARN}:model-package/{group}/77"
    answer = sagemaker.batch_describe_model_package(ModelPackageArnList=[*arns, missing])
    assert set(answer["ModelPackageSummaries"]) == set(arns)
    summary = answer["ModelPackageSummaries"][arns[1]]
    assert summary["ModelPackageVersion"] == 2 and summary["InferenceSpecification"] == SPECIFICATION
    assert answer["BatchDescribeModelPackageErrorMap"] == {
        missing: {"ErrorCode": "ValidationException", "ErrorResponse": f"ModelPackage {missing} does not exist."}
    }


def test_a_group_goes_when_it_is_empty(sagemaker: Any, group: str) -> None:
    arn = version(sagemaker, group)
    code, said = refused(sagemaker.delete_model_package_group, ModelPackageGroupName=group)
    assert code == "ConflictException" and f"model-package-group/{group}" in said
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    assert refused(sagemaker.describe_model_package_group, ModelPackageGroupName=group)[0] == "ValidationException"


def test_a_group_whose_name_begins_like_anothers_is_another(sagemaker: Any, group: str) -> None:
    longer = f"{group}-2"
    sagemaker.create_model_package_group(ModelPackageGroupName=longer)
    version(sagemaker, longer)
    assert sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"] == []
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    assert sagemaker.list_model_packages(ModelPackageGroupName=longer)["ModelPackageSummaryList"] != []


def test_only_groups_of_this_account_are_listed(sagemaker: Any, group: str) -> None:
    listed = sagemaker.list_model_package_groups(NameContains=group, CrossAccountFilterOption="SameAccount")
    assert [each["ModelPackageGroupName"] for each in listed["ModelPackageGroupSummaryList"]] == [group]
    code, said = refused(sagemaker.list_model_package_groups, CrossAccountFilterOption="CrossAccount")
    assert code == "ValidationException" and "CrossAccount" in said


def test_versions_and_their_numbers_survive_a_kill(start_server: Callable[..., Any]) -> None:
    running = start_server()
    sagemaker = running.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="durable")
    arn = version(sagemaker, "durable")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.delete_model_package(ModelPackageName=version(sagemaker, "durable"))
    running.stop(signal.SIGKILL)
    running.start()
    sagemaker = running.client("sagemaker")
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Approved"
    assert version(sagemaker, "durable").endswith("/3")
