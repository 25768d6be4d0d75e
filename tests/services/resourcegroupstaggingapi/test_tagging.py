"""Tags over everything, through boto3: found, paged, changed, whoever owns the resource."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


@pytest.fixture(scope="module")
def tagging(server: Any) -> Any:
    return server.client("resourcegroupstaggingapi")


@pytest.fixture(scope="module")
def made(server: Any) -> dict[str, str]:
    """One of each kind that has tags, all with project=orchard."""
    tags = [{"Key": "project", "Value": "orchard"}]
    arns: dict[str, str] = {}
    s3 = server.client("s3")
    s3.create_bucket(Bucket="orchard-data")
    s3.put_bucket_tagging(Bucket="orchard-data", Tagging={"TagSet": [*tags, {"Key": "stage", "Value": "dev"}]})
    s3.put_object(Bucket="orchard-data", Key="model.tar.gz", Body=b"not looked at until it is hosted")
    arns["bucket"] = "arn:aws:s3:::orchard-data"
    logs = server.client("logs")
    logs.create_log_group(logGroupName="/orchard/logs", tags={"project": "orchard", "stage": "prod"})
    arns["log group"] = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/orchard/logs"
    sagemaker = server.client("sagemaker")
    answer = sagemaker.create_model(
        ModelName="orchard-model",
        ExecutionRoleArn=server.client("iam").list_roles()["Roles"][0]["Arn"],
        PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": "s3://orchard-data/model.tar.gz"},
        Tags=tags,
    )
    arns["model"] = answer["ModelArn"]
    iam = server.client("iam")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    policy = iam.create_policy(PolicyName="orchard", PolicyDocument=json.dumps(document), Tags=tags)
    arns["policy"] = policy["Policy"]["Arn"]
    arns["user"] = iam.create_user(UserName="orchard", Tags=tags)["User"]["Arn"]
    return arns


def found(tagging: Any, **asked: Any) -> dict[str, dict[str, str]]:
    pages = tagging.get_paginator("get_resources").paginate(**asked)
    listed = [one for page in pages for one in page["ResourceTagMappingList"]]
    assert len({one["ResourceARN"] for one in listed}) == len(listed)
    return {one["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in listed}


ORCHARD = {"Key": "project", "Values": ["orchard"]}


def test_everything_with_a_tag_is_found(tagging: Any, made: dict[str, str]) -> None:
    listed = found(tagging, TagFilters=[ORCHARD])
    assert set(listed) == {arn for kind, arn in made.items() if kind != "user"}  # users are not searched by AWS
    assert listed[made["bucket"]] == {"project": "orchard", "stage": "dev"}
    assert list(listed) == sorted(listed)


def test_filters(tagging: Any, made: dict[str, str]) -> None:
    stage = {"Key": "stage", "Values": []}
    assert set(found(tagging, TagFilters=[ORCHARD, stage])) == {made["bucket"], made["log group"]}
    assert set(found(tagging, TagFilters=[ORCHARD, {"Key": "stage"}])) == {made["bucket"], made["log group"]}
    either = {"Key": "stage", "Values": ["prod", "test"]}
    assert set(found(tagging, TagFilters=[ORCHARD, either])) == {made["log group"]}
    assert found(tagging, TagFilters=[{"Key": "project", "Values": ["Orchard"]}]) == {}
    types = ["s3", "sagemaker:model"]
    assert set(found(tagging, TagFilters=[ORCHARD], ResourceTypeFilters=types)) == {made["bucket"], made["model"]}
    assert found(tagging, TagFilters=[ORCHARD], ResourceTypeFilters=["sagemaker:endpoint"]) == {}
    assert set(found(tagging, TagFilters=[ORCHARD], ResourceTypeFilters=["iam:policy"])) == {made["policy"]}
    only = tagging.get_resources(ResourceARNList=[made["model"], f"{made['model']}-gone"])["ResourceTagMappingList"]
    assert [one["ResourceARN"] for one in only] == [made["model"]]


def test_keys_and_values(tagging: Any, made: dict[str, str]) -> None:
    keys = [key for page in tagging.get_paginator("get_tag_keys").paginate() for key in page["TagKeys"]]
    assert {"project", "stage"} <= set(keys)
    assert keys == sorted(set(keys))
    pages = tagging.get_paginator("get_tag_values").paginate(Key="stage")
    assert {"dev", "prod"} <= {value for page in pages for value in page["TagValues"]}
    assert tagging.get_tag_values(Key="nobody-has-this")["TagValues"] == []


def test_another_region_has_its_own(server: Any, made: dict[str, str]) -> None:
    elsewhere = server.client("resourcegroupstaggingapi", region_name="eu-west-1")
    assert found(elsewhere, TagFilters=[ORCHARD]) == {}
    server.client("s3", region_name="eu-west-1").create_bucket(
        Bucket="orchard-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    assert elsewhere.tag_resources(ResourceARNList=["arn:aws:s3:::orchard-eu"], Tags={"project": "orchard"}) | {
        "ResponseMetadata": None
    } == {"FailedResourcesMap": {}, "ResponseMetadata": None}
    assert found(elsewhere, TagFilters=[ORCHARD]) == {"arn:aws:s3:::orchard-eu": {"project": "orchard"}}


def test_changes_are_seen_by_the_owners(server: Any, tagging: Any, made: dict[str, str]) -> None:
    arns = list(made.values())
    assert (
        tagging.tag_resources(ResourceARNList=arns, Tags={"orchard-team": "red", "empty": ""})["FailedResourcesMap"]
        == {}
    )
    s3, iam = server.client("s3"), server.client("iam")
    held = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket="orchard-data")["TagSet"]}
    assert held == {"project": "orchard", "stage": "dev", "orchard-team": "red", "empty": ""}
    logs = server.client("logs").list_tags_for_resource(resourceArn=made["log group"])["tags"]
    assert logs["orchard-team"] == "red"
    model = server.client("sagemaker").list_tags(ResourceArn=made["model"])["Tags"]
    assert {"Key": "orchard-team", "Value": "red"} in model
    assert {"Key": "orchard-team", "Value": "red"} in iam.list_policy_tags(PolicyArn=made["policy"])["Tags"]
    assert {"Key": "orchard-team", "Value": "red"} in iam.list_user_tags(UserName="orchard")["Tags"]
    assert set(found(tagging, TagFilters=[{"Key": "orchard-team"}])) == set(arns) - {made["user"]}
    assert tagging.untag_resources(ResourceARNList=arns, TagKeys=["orchard-team", "empty"])["FailedResourcesMap"] == {}
    assert found(tagging, TagFilters=[{"Key": "orchard-team"}]) == {}
    held = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket="orchard-data")["TagSet"]}
    assert held == {"project": "orchard", "stage": "dev"}
    assert {"Key": "orchard-team", "Value": "red"} not in iam.list_user_tags(UserName="orchard")["Tags"]


def test_each_resource_fails_for_itself(tagging: Any, made: dict[str, str]) -> None:
    missing = [
        f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model/nobody",
        f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model/orchard-model",
        "arn:aws:sagemaker:us-east-1:999999999999:model/orchard-model",
        "arn:aws:s3:::nobody-has-this-bucket",
        "arn:aws:s3:::orchard-data/an-object",
        f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/nobody",
        f"arn:aws:iam::{ACCOUNT}:role/nobody",
        f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue",
    ]
    failed = tagging.tag_resources(ResourceARNList=[*missing, made["model"]], Tags={"passing": "yes"})
    assert set(failed["FailedResourcesMap"]) == set(missing)
    for arn, failure in failed["FailedResourcesMap"].items():
        assert (failure["StatusCode"], failure["ErrorCode"]) == (400, "InvalidParameterException"), arn
        assert failure["ErrorMessage"]
    assert set(found(tagging, TagFilters=[{"Key": "passing"}])) == {made["model"]}
    tagging.untag_resources(ResourceARNList=[made["model"]], TagKeys=["passing"])


def test_fifty_tags_and_no_more(tagging: Any, made: dict[str, str]) -> None:
    for arn in (made["bucket"], made["model"], made["log group"], made["policy"]):
        many = {f"k{n}": "v" for n in range(40)}
        assert tagging.tag_resources(ResourceARNList=[arn], Tags=many)["FailedResourcesMap"] == {}
        more = {f"m{n}": "v" for n in range(15)}
        assert arn in tagging.tag_resources(ResourceARNList=[arn], Tags=more)["FailedResourcesMap"]
        assert "m0" not in found(tagging, TagFilters=[ORCHARD])[arn]
        tagging.untag_resources(ResourceARNList=[arn], TagKeys=list(many))


def test_what_goes_is_forgotten_and_what_was_tagged_is_not(server: Any, tagging: Any) -> None:
    s3, logs, arn = server.client("s3"), server.client("logs"), "arn:aws:s3:::passing-by"
    s3.create_bucket(Bucket="passing-by")
    s3.put_bucket_tagging(Bucket="passing-by", Tagging={"TagSet": [{"Key": "passing", "Value": "by"}]})
    logs.create_log_group(logGroupName="/passing/by", tags={"passing": "by"})
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/passing/by"
    assert set(found(tagging, TagFilters=[{"Key": "passing"}])) == {arn, group}
    s3.delete_bucket_tagging(Bucket="passing-by")
    assert set(found(tagging, TagFilters=[{"Key": "passing"}])) == {group}
    assert found(tagging)[arn] == {}  # it was tagged before
    s3.delete_bucket(Bucket="passing-by")
    logs.delete_log_group(logGroupName="/passing/by")
    assert not {arn, group} & set(found(tagging))
    s3.create_bucket(Bucket="passing-by")
    assert arn not in found(tagging)
    s3.delete_bucket(Bucket="passing-by")


def test_pages(server: Any, tagging: Any) -> None:
    logs = server.client("logs")
    names = [f"/pages/{n:02}" for n in range(12)]
    for name in names:
        logs.create_log_group(logGroupName=name, tags={"pages": name, "b": "1", "c": "2"})
    asked: dict[str, Any] = {"TagFilters": [{"Key": "pages"}], "ResourcesPerPage": 5}
    sizes, token = [], ""
    while True:
        page = tagging.get_resources(**asked, PaginationToken=token)
        sizes.append(len(page["ResourceTagMappingList"]))
        token = page["PaginationToken"]
        if not token:
            break
    assert sizes == [5, 5, 2]
    first = tagging.get_resources(**asked)["PaginationToken"]
    for wrong in ({"TagFilters": [{"Key": "b"}], "PaginationToken": first}, {"PaginationToken": "made-by-hand"}):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            tagging.get_resources(**wrong)
    many = {f"t{n:02}": "v" for n in range(40)}
    arns = [f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}" for name in names[:6]]
    tagging.tag_resources(ResourceARNList=arns, Tags=many)
    page = tagging.get_resources(TagFilters=[{"Key": "t00"}], TagsPerPage=100)
    assert [len(one["Tags"]) for one in page["ResourceTagMappingList"]] == [43, 43]  # a third would make it 129
    assert page["PaginationToken"]
    for name in names:
        logs.delete_log_group(logGroupName=name)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"IncludeComplianceDetails": True}, "does not support IncludeComplianceDetails"),
        ({"ExcludeCompliantResources": True, "IncludeComplianceDetails": True}, "IncludeComplianceDetails"),
        ({"ResourcesPerPage": 101}, "ResourcesPerPage must be between 1 and 100"),
        ({"TagsPerPage": 99}, "TagsPerPage must be between 100 and 500"),
        ({"ResourceARNList": ["arn:aws:s3:::a"], "ResourcesPerPage": 5}, "ResourceARNList cannot be given together"),
    ],
)
def test_what_cannot_be_asked(tagging: Any, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException") as refused:
        tagging.get_resources(**asked)
    assert said in refused.value.response["Error"]["Message"]


def test_reserved_keys(tagging: Any, made: dict[str, str]) -> None:
    with pytest.raises(ClientError, match=r"InvalidParameterException.*reserved"):
        tagging.tag_resources(ResourceARNList=[made["model"]], Tags={"aws:mine": "1"})
    with pytest.raises(ClientError, match=r"InvalidParameterException.*reserved"):
        tagging.untag_resources(ResourceARNList=[made["model"]], TagKeys=["AWS:mine"])


def test_compliance_is_refused_by_name(tagging: Any) -> None:
    with pytest.raises(ClientError, match="GetComplianceSummary"):
        tagging.get_compliance_summary()
    with pytest.raises(ClientError, match="StartReportCreation"):
        tagging.start_report_creation(S3Bucket="bucket")
