"""Quotas: listed with AWS's defaults, asked for and granted, kept per account and region, enforced in AWS's words."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ROLE = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"


@pytest.fixture(scope="module")
def quotas(server: Any) -> Any:
    return server.client("service-quotas")


@pytest.fixture
def own(start_server: Callable[..., Any]) -> Iterator[Any]:
    """A server of this test's own: what it asks for limits nobody else."""
    yield start_server()


def listed(client: Any, operation: str, **asked: Any) -> dict[str, dict[str, Any]]:
    pages = client.get_paginator(operation).paginate(**asked)
    found = [quota for page in pages for quota in page["Quotas"]]
    assert len({quota["QuotaCode"] for quota in found}) == len(found)
    return {quota["QuotaName"]: quota for quota in found}


def test_services_and_defaults(quotas: Any) -> None:
    services = {each["ServiceCode"]: each["ServiceName"] for each in quotas.list_services()["Services"]}
    assert set(services) == {"iam", "logs", "monitoring", "s3", "sagemaker"}
    for service in services:
        for name, quota in listed(quotas, "list_aws_default_service_quotas", ServiceCode=service).items():
            assert quota["Value"] > 0, name
            assert quota["QuotaArn"].endswith(f":{service}/{quota['QuotaCode']}")
    buckets = quotas.get_aws_default_service_quota(ServiceCode="s3", QuotaCode="L-DC2B2D3D")["Quota"]
    assert (buckets["QuotaName"], buckets["Value"], buckets["GlobalQuota"]) == ("General purpose buckets", 10_000, True)
    roles = listed(quotas, "list_service_quotas", ServiceCode="iam")["Roles per account"]
    assert (roles["QuotaCode"], roles["Value"], roles["Adjustable"]) == ("L-FE177D64", 1000, True)


def test_instance_types(quotas: Any) -> None:
    found = listed(quotas, "list_service_quotas", ServiceCode="sagemaker", PaginationConfig={"PageSize": 50})
    training = found["ml.g4dn.xlarge for training job usage"]
    assert training["QuotaCode"] == "L-3F53BF0F"
    assert "ml.m5.large for endpoint usage" in found
    # AWS does not publish these, so nothing is claimed.
    assert "Value" not in training
    assert training["ErrorReason"]["ErrorCode"] == "SERVICE_QUOTA_NOT_AVAILABLE_ERROR"
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        quotas.get_aws_default_service_quota(ServiceCode="sagemaker", QuotaCode="L-3F53BF0F")


@pytest.mark.parametrize(
    ("operation", "asked", "code"),
    [
        ("list_service_quotas", {"ServiceCode": "ec2"}, "NoSuchResourceException"),
        ("get_service_quota", {"ServiceCode": "s3", "QuotaCode": "L-00000000"}, "NoSuchResourceException"),
        ("get_service_quota", {"ServiceCode": "s3", "QuotaCode": "L-DC2B2D3D", "ContextId": "c"}, "IllegalArgument"),
        ("list_services", {"NextToken": "bWFkZSBieSBoYW5k"}, "InvalidPaginationTokenException"),
        ("get_requested_service_quota_change", {"RequestId": "nobody"}, "NoSuchResourceException"),
        (
            "request_service_quota_increase",
            {"ServiceCode": "iam", "QuotaCode": "L-F55AF5E4", "DesiredValue": 6000},
            "IllegalArgumentException.*cannot be adjusted",
        ),
        (
            "request_service_quota_increase",
            {"ServiceCode": "iam", "QuotaCode": "L-FE177D64", "DesiredValue": 6000},
            "IllegalArgumentException.*must not exceed 5000",
        ),
        (
            "request_service_quota_increase",
            {"ServiceCode": "iam", "QuotaCode": "L-FE177D64", "DesiredValue": 0.5},
            "IllegalArgumentException",
        ),
        ("associate_service_quota_template", {}, "AssociateServiceQuotaTemplate"),
    ],
)
def test_refusals(quotas: Any, operation: str, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        getattr(quotas, operation)(**asked)


def test_requests_change_the_applied_value_and_are_kept(own: Any) -> None:
    quotas, elsewhere = own.client("service-quotas"), own.client("service-quotas", region_name="eu-west-1")
    named = {"ServiceCode": "sagemaker", "QuotaCode": "L-CCE2AFA6"}
    granted = []
    for value in (3, 5):
        request = quotas.request_service_quota_increase(**named, DesiredValue=value)["RequestedQuota"]
        assert (request["Status"], request["DesiredValue"]) == ("APPROVED", value)
        assert request["QuotaName"] == "ml.m5.xlarge for training job usage"
        granted.append(request["Id"])
    assert quotas.get_service_quota(**named)["Quota"]["Value"] == 5
    assert "Value" not in elsewhere.get_service_quota(**named)["Quota"]
    everywhere = {"ServiceCode": "iam", "QuotaCode": "L-F4A5425F"}
    elsewhere.request_service_quota_increase(**everywhere, DesiredValue=400)
    assert quotas.get_service_quota(**everywhere)["Quota"]["Value"] == 400
    assert quotas.get_aws_default_service_quota(**everywhere)["Quota"]["Value"] == 300
    history = quotas.list_requested_service_quota_change_history_by_quota(**named)["RequestedQuotas"]
    assert [each["Id"] for each in history] == granted[::-1]
    pages = quotas.get_paginator("list_requested_service_quota_change_history").paginate(
        PaginationConfig={"PageSize": 1}
    )
    assert [each["DesiredValue"] for page in pages for each in page["RequestedQuotas"]] == [400, 5, 3]
    assert quotas.list_requested_service_quota_change_history(Status="DENIED")["RequestedQuotas"] == []
    again = own.stop() or own.start().client("service-quotas")
    assert again.get_service_quota(**named)["Quota"]["Value"] == 5
    assert again.get_requested_service_quota_change(RequestId=granted[0])["RequestedQuota"]["DesiredValue"] == 3


def job(name: str, kind: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "HyperParameters": {"num_round": "1", "objective": "reg:squarederror"},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "ContentType": "text/csv",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": "s3://quota-data/train/",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://quota-data/out/"},
        "ResourceConfig": {"InstanceType": kind, "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


def with_data(server: Any) -> Any:
    s3 = server.client("s3")
    s3.create_bucket(Bucket="quota-data")
    s3.put_object(Bucket="quota-data", Key="train/part.csv", Body=b"1,2\n2,3\n3,4\n")
    s3.put_object(Bucket="quota-data", Key="model.tar.gz", Body=b"not looked at until it is hosted")
    return s3


def test_training_instances_are_limited_once_somebody_asked(own: Any) -> None:
    with_data(own)
    sagemaker, quotas = own.client("sagemaker"), own.client("service-quotas")
    named = {"ServiceCode": "sagemaker", "QuotaCode": "L-CCE2AFA6"}
    quotas.request_service_quota_increase(**named, DesiredValue=0)
    with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded) as refused:
        sagemaker.create_training_job(**job("none", "ml.m5.xlarge"))
    assert refused.value.response["Error"]["Message"].startswith(
        "The account-level service limit 'ml.m5.xlarge for training job usage' is 0 Instances, with current "
        "utilization of 0 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an "
        "increase for this quota."
    )
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.describe_training_job(TrainingJobName="none")
    sagemaker.create_training_job(**job("other-type", "ml.m5.large"))  # nobody limited that one
    quotas.request_service_quota_increase(**named, DesiredValue=1)
    sagemaker.create_training_job(**job("first", "ml.m5.xlarge"))
    with pytest.raises(ClientError, match=r"is 1 Instances, with current utilization of 1 Instances"):
        sagemaker.create_training_job(**job("second", "ml.m5.xlarge"))
    sagemaker.stop_training_job(TrainingJobName="first")
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="first", WaiterConfig={"Delay": 1, "MaxAttempts": 90}
    )
    sagemaker.create_training_job(**job("second", "ml.m5.xlarge"))
    for name in ("other-type", "second"):
        with contextlib.suppress(ClientError):  # done already
            sagemaker.stop_training_job(TrainingJobName=name)
    total = {"ServiceCode": "sagemaker", "QuotaCode": "cloche-training-instances"}
    quotas.request_service_quota_increase(**total, DesiredValue=0)
    with pytest.raises(ClientError, match="Number of instances across all training jobs"):
        sagemaker.create_training_job(**job("third", "ml.m5.large"))


def test_endpoint_instances_are_limited_once_somebody_asked(own: Any) -> None:
    with_data(own)
    sagemaker, quotas = own.client("sagemaker"), own.client("service-quotas")
    sagemaker.create_model(
        ModelName="model",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": "s3://quota-data/model.tar.gz"},
    )
    for count in (1, 2):
        variant = {"VariantName": "all", "ModelName": "model", "InstanceType": "ml.m5.large"}
        sagemaker.create_endpoint_config(
            EndpointConfigName=f"with-{count}", ProductionVariants=[{**variant, "InitialInstanceCount": count}]
        )
    quotas.request_service_quota_increase(
        ServiceCode="sagemaker", QuotaCode="cloche-endpoint-ml-m5-large", DesiredValue=1
    )
    with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded, match=r"'ml.m5.large for endpoint usage' is 1 Inst"):
        sagemaker.create_endpoint(EndpointName="two", EndpointConfigName="with-2")
    sagemaker.create_endpoint(EndpointName="one", EndpointConfigName="with-1")
    quotas.request_service_quota_increase(
        ServiceCode="sagemaker", QuotaCode="cloche-endpoint-ml-m5-large", DesiredValue=2
    )
    deadline = time.monotonic() + 90
    while sagemaker.describe_endpoint(EndpointName="one")["EndpointStatus"] != "Failed":  # its model is none
        assert time.monotonic() < deadline
        time.sleep(0.2)
    sagemaker.create_endpoint(EndpointName="two", EndpointConfigName="with-2")


def test_buckets(own: Any) -> None:
    s3, quotas = own.client("s3"), own.client("service-quotas")
    s3.create_bucket(Bucket="quota-one")
    quotas.request_service_quota_increase(ServiceCode="s3", QuotaCode="L-DC2B2D3D", DesiredValue=2)
    s3.create_bucket(Bucket="quota-two")
    with pytest.raises(ClientError, match="TooManyBuckets"):
        s3.create_bucket(Bucket="quota-three")
    s3.create_bucket(Bucket="quota-two")  # it is there: us-east-1 says yes once more
    s3.delete_bucket(Bucket="quota-one")
    s3.create_bucket(Bucket="quota-three")


def test_iam(own: Any) -> None:
    iam, quotas = own.client("iam"), own.client("service-quotas")
    quotas.request_service_quota_increase(ServiceCode="iam", QuotaCode="L-F4A5425F", DesiredValue=1)
    iam.create_group(GroupName="one")
    with pytest.raises(iam.exceptions.LimitExceededException, match="GroupsPerAccount: 1"):
        iam.create_group(GroupName="two")
    quotas.request_service_quota_increase(ServiceCode="iam", QuotaCode="L-0DA4ABF3", DesiredValue=11)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    role = iam.list_roles()["Roles"][0]["RoleName"]
    held = len(iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"])
    for n in range(12 - held):
        arn = iam.create_policy(PolicyName=f"p{n}", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        if n < 11 - held:
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    with pytest.raises(iam.exceptions.LimitExceededException, match="PoliciesPerRole: 11"):
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)


def test_iams_summary_tells_them(own: Any) -> None:
    iam, quotas = own.client("iam"), own.client("service-quotas")
    before = iam.get_account_summary()["SummaryMap"]
    told = {
        "L-F4A5425F": "GroupsQuota",
        "L-6E65F664": "InstanceProfilesQuota",
        "L-FE177D64": "RolesQuota",
        "L-E95E4862": "PoliciesQuota",
        "L-0DA4ABF3": "AttachedPoliciesPerRoleQuota",
        "L-4019AD8B": "AttachedPoliciesPerUserQuota",
    }
    defaults = listed(quotas, "list_aws_default_service_quotas", ServiceCode="iam")
    by_code = {each["QuotaCode"]: int(each["Value"]) for each in defaults.values()}
    assert {name: before[name] for name in told.values()} == {name: by_code[code] for code, name in told.items()}
    for number, code in enumerate(told):
        quotas.request_service_quota_increase(ServiceCode="iam", QuotaCode=code, DesiredValue=13 + number)
    after = iam.get_account_summary()["SummaryMap"]
    assert [after[name] for name in told.values()] == [13, 14, 15, 16, 17, 18]
    unchanged = before.keys() - set(told.values())
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
