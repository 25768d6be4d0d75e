"""What Application Auto Scaling accepts, refuses and tells, without anything being scaled."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).parent.parent / "sagemaker"))

from hosting_requests import Hosting, hosting_of, refused, trained, unique

VARIANT = "sagemaker:variant:DesiredInstanceCount"
PREDEFINED = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.fixture(scope="module")
def scaling(server: Any) -> Any:
    return server.client("application-autoscaling")


@pytest.fixture(scope="module")
def about(hosting: Hosting, scaling: Any) -> Iterator[dict[str, str]]:
    """A variant that is registered, with one instance and no more."""
    name = hosting.endpoint(hosting.put(trained(1)[0]))
    about = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/AllTraffic",
        "ScalableDimension": VARIANT,
    }
    scaling.register_scalable_target(**about, MinCapacity=1, MaxCapacity=1, Tags={"team": "churn"})
    yield about
    hosting.gone(name)
    end = time.monotonic() + 30
    while described(scaling, about):  # they follow their resource
        assert time.monotonic() < end
        time.sleep(0.05)


def described(scaling: Any, about: dict[str, str]) -> list[dict[str, Any]]:
    asked = {"ServiceNamespace": "sagemaker", "ResourceIds": [about["ResourceId"]]}
    found: list[dict[str, Any]] = scaling.describe_scalable_targets(**asked)["ScalableTargets"]
    return found


def test_a_target_is_described_tagged_and_acts_through_the_linked_role(
    scaling: Any, about: dict[str, str], client: Any
) -> None:
    [found] = scaling.describe_scalable_targets(
        **{**dict(list(about.items())[:1]), "ResourceIds": [about["ResourceId"]]}
    )["ScalableTargets"]
    arn, role = found["ScalableTargetARN"], found["RoleARN"]
    assert arn.startswith("arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/")
    assert role == (
        "arn:aws:iam::123456789012:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    )
    iam = client("iam")
    attached = iam.list_attached_role_policies(RoleName=role.rpartition("/")[2])["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AWSApplicationAutoscalingSageMakerEndpointPolicy"]
    task = iam.delete_service_linked_role(RoleName=role.rpartition("/")[2])["DeletionTaskId"]
    told = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
    assert told["Status"] == "FAILED" and arn in told["Reason"]["RoleUsageList"][0]["Resources"]

    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "churn"}
    scaling.tag_resource(ResourceARN=arn, Tags={"stage": "test"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"stage": "test"}
    tagged = client("resourcegroupstaggingapi").get_resources(ResourceTypeFilters=["application-autoscaling"])
    assert arn in [each["ResourceARN"] for each in tagged["ResourceTagMappingList"]]
    with pytest.raises(scaling.exceptions.ResourceNotFoundException):
        scaling.list_tags_for_resource(ResourceARN=arn + "0")
    with pytest.raises(scaling.exceptions.TooManyTagsException):
        scaling.tag_resource(ResourceARN=arn, Tags={f"key{n}": "" for n in range(51)})


REGISTER: list[tuple[dict[str, Any], str]] = [
    (
        {"ServiceNamespace": "ecs", "ResourceId": "service/a/b", "ScalableDimension": "ecs:service:DesiredCount"},
        "none of ecs",
    ),
    ({"ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency"}, "no endpoint is serverless"),
    ({"ResourceId": "endpoint/x"}, "Unsupported service namespace, resource type or scalable dimension"),
    ({"ResourceId": "endpoint/nobody/variant/All"}, "SageMaker endpoint variant does not exist"),
    ({"MinCapacity": 3, "MaxCapacity": 2}, "Maximum capacity cannot be less than minimum capacity"),
    ({"MinCapacity": -1}, "must not be negative"),
]


@pytest.mark.parametrize(("change", "words"), REGISTER)
def test_targets_that_are_refused(scaling: Any, about: dict[str, str], change: dict[str, Any], words: str) -> None:
    asked = {**about, "MinCapacity": 1, "MaxCapacity": 1, **change}
    with pytest.raises(scaling.exceptions.ValidationException, match=words):
        scaling.register_scalable_target(**asked)


def steps(*rows: tuple[float | None, float | None, int], **more: Any) -> dict[str, Any]:
    adjustments = [
        {
            **({} if low is None else {"MetricIntervalLowerBound": low}),
            **({} if high is None else {"MetricIntervalUpperBound": high}),
            "ScalingAdjustment": amount,
        }
        for low, high, amount in rows
    ]
    config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": adjustments, **more}
    return {"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": config}


def tracking(**config: Any) -> dict[str, Any]:
    return {
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1.0, **config},
    }


def custom(*queries: dict[str, Any], **single: Any) -> dict[str, Any]:
    return tracking(CustomizedMetricSpecification={**({"Metrics": list(queries)} if queries else {}), **single})


STAT = {"Metric": {"Namespace": "N", "MetricName": "m"}, "Stat": "Sum"}
PER_COPY = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
POLICIES: list[tuple[dict[str, Any], str]] = [
    ({}, "PolicyType must be specified"),
    ({"PolicyType": "StepScaling"}, "has a StepScalingPolicyConfiguration"),
    (steps(), "At least one step adjustment"),
    (steps((0, 20, 1), (10, None, 2)), "Step adjustment intervals cannot overlap"),
    (steps((0, 10, 1), (20, None, 2)), "Step adjustment intervals cannot have gaps between them"),
    (steps((None, None, 1)), "must have a lower bound or an upper bound"),
    (steps((5, 5, 1)), "must be greater than its lower bound"),
    (steps((0, 10, 1)), "unspecified upper bound"),
    (steps((-10, 0, -1)), "unspecified lower bound"),
    (steps((0, None, -1), AdjustmentType="ExactCapacity"), "must not be negative"),
    (steps((0, None, 1), MinAdjustmentMagnitude=2), "only valid with the AdjustmentType PercentChangeInCapacity"),
    (tracking(), "Either PredefinedMetricSpecification or CustomizedMetricSpecification"),
    (tracking(TargetValue=0.0, PredefinedMetricSpecification=PREDEFINED), "TargetValue must be a positive number"),
    (
        tracking(PredefinedMetricSpecification={"PredefinedMetricType": PER_COPY}),
        "only supports the following predefined metric types: SageMakerVariantInvocationsPerInstance, "
        "SageMakerVariantConcurrentRequestsPerModelHighResolution$",
    ),
    (
        tracking(PredefinedMetricSpecification={"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}),
        "only supports the following predefined metric types: SageMakerVariantInvocationsPerInstance",
    ),
    (custom(MetricName="m"), "MetricName, Namespace and Statistic"),
    (custom({"Id": "a", "Expression": "1 +"}), "Error in expression 'a'"),
    (custom({"Id": "a", "MetricStat": {**STAT, "Stat": "Most"}}), "Most is no statistic"),
    (custom({"Id": "a", "MetricStat": STAT}, {"Id": "b", "MetricStat": STAT}), "Exactly one element of Metrics"),
    (custom({"Id": "a", "Expression": "SEARCH('x', 'Sum', 60)"}), "not supported by Cloche"),
    (
        {"PolicyType": "PredictiveScaling", "PredictiveScalingPolicyConfiguration": {"MetricSpecifications": []}},
        "it forecasts nothing",
    ),
]


@pytest.mark.parametrize(("policy", "words"), POLICIES)
def test_policies_that_are_refused(scaling: Any, about: dict[str, str], policy: dict[str, Any], words: str) -> None:
    with pytest.raises(scaling.exceptions.ValidationException, match=words):
        scaling.put_scaling_policy(**about, PolicyName="refused", **policy)
    assert scaling.describe_scaling_policies(**about, PolicyNames=["refused"])["ScalingPolicies"] == []


def test_limits_of_policies_and_one_for_each_metric(scaling: Any, about: dict[str, str]) -> None:
    tracks = tracking(PredefinedMetricSpecification=PREDEFINED, DisableScaleIn=True)
    first = scaling.put_scaling_policy(**about, PolicyName="a|b:c", **tracks)
    assert len(first["Alarms"]) == 1  # none for what it does not do
    with pytest.raises(scaling.exceptions.ValidationException, match="Only one TargetTrackingScaling policy"):
        scaling.put_scaling_policy(**about, PolicyName="other", **tracks)
    tracks["TargetTrackingScalingPolicyConfiguration"]["DisableScaleIn"] = False
    second = scaling.put_scaling_policy(**about, PolicyName="a|b:c", **tracks)
    assert second["PolicyARN"] == first["PolicyARN"] and second["Alarms"][0] == first["Alarms"][0]
    assert len(second["Alarms"]) == 2
    with pytest.raises(scaling.exceptions.LimitExceededException):
        scaling.put_scaling_policy(**about, PolicyName="x", **steps(*((n, n + 1, 1) for n in range(20)), (20, None, 1)))
    for n in range(49):
        scaling.put_scaling_policy(**about, PolicyName=f"p{n:02}", **steps((0, None, 1)))
    with pytest.raises(scaling.exceptions.LimitExceededException):
        scaling.put_scaling_policy(**about, PolicyName="one-too-many", **steps((0, None, 1)))
    pages = list(
        scaling.get_paginator("describe_scaling_policies").paginate(**about, PaginationConfig={"PageSize": 30})
    )
    assert [len(page["ScalingPolicies"]) for page in pages] == [30, 20]
    with pytest.raises(scaling.exceptions.InvalidNextTokenException):
        scaling.describe_scaling_policies(ServiceNamespace="sagemaker", NextToken=pages[0]["NextToken"])
    scaling.delete_scaling_policy(**about, PolicyName="a|b:c")
    with pytest.raises(scaling.exceptions.ObjectNotFoundException) as gone:
        scaling.delete_scaling_policy(**about, PolicyName="a|b:c")
    assert refused(gone)[1] == (
        f"No scaling policy found for service namespace: sagemaker, resource ID: {about['ResourceId']}, "
        f"scalable dimension: {VARIANT}, policy name: a|b:c"
    )


STEP = steps((0, None, 1))
ACTIONS: list[tuple[dict[str, Any], str]] = [
    ({"Schedule": None}, "Schedule must be specified"),
    ({"Schedule": "every day"}, "cannot be read"),
    ({"Schedule": "rate(5 minute)"}, "cannot be read"),
    ({"Schedule": "at(2020-01-01T00:00:00)"}, "no occurrence to come"),
    ({"Timezone": "Mars/Olympus"}, "There is no time zone Mars/Olympus"),
    ({"ScalableTargetAction": {}}, "At least one of minimum capacity and maximum capacity should be provided"),
    ({"ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 1}}, "Maximum capacity cannot be less"),
    ({"EndTime": datetime.now(UTC), "StartTime": datetime.now(UTC) + timedelta(1)}, "EndTime must be after StartTime"),
]


@pytest.mark.parametrize(("change", "words"), ACTIONS)
def test_scheduled_actions_that_are_refused(
    scaling: Any, about: dict[str, str], change: dict[str, Any], words: str
) -> None:
    asked = {
        "Schedule": "cron(0 9 ? * MON-FRI *)",
        "Timezone": "Europe/Vienna",
        "ScalableTargetAction": {"MinCapacity": 1},
        **change,
    }
    asked = {key: value for key, value in asked.items() if value is not None}
    with pytest.raises(scaling.exceptions.ValidationException, match=words):
        scaling.put_scheduled_action(**about, ScheduledActionName="refused", **asked)


def test_what_is_not_there(scaling: Any, about: dict[str, str]) -> None:
    nobody = {**about, "ResourceId": "endpoint/nobody/variant/All"}
    words = f"service namespace: sagemaker, resource ID: endpoint/nobody/variant/All, scalable dimension: {VARIANT}"
    asked: list[tuple[str, dict[str, Any], str]] = [
        (
            "put_scaling_policy",
            {"PolicyName": "p", **steps((0, None, 1))},
            f"No scalable target registered for {words}",
        ),
        ("deregister_scalable_target", {}, f"No scalable target found for {words}"),
        (
            "delete_scheduled_action",
            {"ScheduledActionName": "s"},
            f"No scheduled action found for {words}, scheduled action name: s",
        ),
    ]
    for operation, further, expected in asked:
        with pytest.raises(scaling.exceptions.ObjectNotFoundException) as error:
            getattr(scaling, operation)(**nobody, **further)
        assert refused(error) == ("ObjectNotFoundException", expected)
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert scaling.describe_scaling_activities(ServiceNamespace="dynamodb")["ScalingActivities"] == []
    with pytest.raises(scaling.exceptions.ValidationException, match="ResourceId must be specified"):
        scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ScalableDimension=VARIANT)
    with pytest.raises(scaling.exceptions.ValidationException, match="MaxResults"):
        scaling.describe_scaling_activities(ServiceNamespace="sagemaker", MaxResults=51)
    with pytest.raises(ClientError, match="predictive scaling is not built"):
        scaling.get_predictive_scaling_forecast(
            **about, PolicyName="p", StartTime=datetime.now(UTC), EndTime=datetime.now(UTC)
        )


def test_an_update_may_not_change_the_type_of_what_is_scaled(hosting: Hosting, about: dict[str, str]) -> None:
    endpoint = about["ResourceId"].split("/")[1]
    serving = hosting.described(endpoint)["EndpointConfigName"]
    [variant] = hosting.sagemaker.describe_endpoint_config(EndpointConfigName=serving)["ProductionVariants"]
    same = {name: variant[name] for name in ("VariantName", "ModelName")}
    other = hosting.config({**same, "InstanceType": "ml.c5.large"})
    with pytest.raises(ClientError, match="registered as scalable targets cannot be changed: AllTraffic"):
        hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=other)


def test_alarms_name_policies_that_are_there_and_nothing_else_of_auto_scaling(
    scaling: Any, about: dict[str, str], client: Any
) -> None:
    cloudwatch, name = client("cloudwatch"), unique("actions")
    asked = {
        "AlarmName": name,
        "Namespace": name,
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    group = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1:autoScalingGroupName/g:policyName/p"
    policy = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1:resource/sagemaker/endpoint/e:policyName/p"
    with pytest.raises(ClientError, match="there are no EC2 instances"):
        cloudwatch.put_metric_alarm(**asked, AlarmActions=[group])
    with pytest.raises(ClientError, match="Invalid arn syntax"):
        cloudwatch.put_metric_alarm(**asked, AlarmActions=["arn:aws:autoscaling:us-east-1:123456789012:other"])
    with pytest.raises(ClientError, match="Composite alarms cannot take Auto Scaling actions"):
        cloudwatch.put_composite_alarm(AlarmName=name + "-c", AlarmRule="TRUE", AlarmActions=[policy])
    cloudwatch.put_metric_alarm(**asked, AlarmActions=[policy])  # it need not be there
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    [item] = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
    assert f"There is no scaling policy {policy}" in item["HistorySummary"]
    cloudwatch.delete_alarms(AlarmNames=[name])
