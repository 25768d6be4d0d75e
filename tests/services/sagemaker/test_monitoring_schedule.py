"""Job definitions and schedules of monitors, as boto3 sees them. What their executions do is told elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from monitoring_requests import OUTPUT, Monitors, config, unique
from processing_requests import BUCKET

HOURLY = "cron(0 * ? * * *)"


@pytest.fixture(scope="module")
def monitors(server: Any) -> Monitors:
    return Monitors(server)


@pytest.fixture(scope="module")
def endpoint(monitors: Monitors) -> str:
    return monitors.endpoint(unique("watched"))


@pytest.fixture(scope="module")
def quality(monitors: Monitors, endpoint: str) -> str:
    name = unique("quality")
    monitors.sagemaker.create_data_quality_job_definition(**monitors.quality(name, endpoint))
    return name


def test_a_definition_is_described_as_it_was_given(monitors: Monitors, endpoint: str) -> None:
    sagemaker, name = monitors.sagemaker, unique("described")
    baseline = {"ConstraintsResource": {"S3Uri": f"s3://{BUCKET}/c.json"}, "BaseliningJobName": "some-job"}
    request = monitors.quality(
        name,
        endpoint,
        DataQualityBaselineConfig=baseline,
        StoppingCondition={"MaxRuntimeInSeconds": 600},
        Tags=[{"Key": "team", "Value": "churn"}],
        input={"StartTimeOffset": "-PT2H", "EndTimeOffset": "-PT1H"},
    )
    arn = sagemaker.create_data_quality_job_definition(**request)["JobDefinitionArn"]
    assert arn.endswith(f":data-quality-job-definition/{name}")
    described = sagemaker.describe_data_quality_job_definition(JobDefinitionName=name)
    tags = request.pop("Tags")
    assert {key: described[key] for key in request} == request
    assert described["JobDefinitionArn"] == arn
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    listed = sagemaker.list_data_quality_job_definitions(EndpointName=endpoint, NameContains="described")
    (summary,) = listed["JobDefinitionSummaries"]
    assert summary["MonitoringJobDefinitionName"] == name
    assert summary["MonitoringJobDefinitionArn"] == arn
    assert summary["EndpointName"] == endpoint
    assert not sagemaker.list_data_quality_job_definitions(EndpointName="other")["JobDefinitionSummaries"]
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_data_quality_job_definition(**request)
    sagemaker.delete_data_quality_job_definition(JobDefinitionName=name)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_data_quality_job_definition(JobDefinitionName=name)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.delete_data_quality_job_definition(JobDefinitionName=name)


def test_model_quality_definitions_have_a_list_of_their_own(monitors: Monitors, endpoint: str) -> None:
    sagemaker, name = monitors.sagemaker, unique("model")
    request = monitors.model_quality(name, endpoint)
    sagemaker.create_model_quality_job_definition(**request)
    described = sagemaker.describe_model_quality_job_definition(JobDefinitionName=name)
    assert {key: described[key] for key in request} == request
    (summary,) = sagemaker.list_model_quality_job_definitions(EndpointName=endpoint)["JobDefinitionSummaries"]
    assert summary["MonitoringJobDefinitionName"] == name
    sagemaker.delete_model_quality_job_definition(JobDefinitionName=name)


def test_a_schedule_from_its_creation_to_its_deletion(monitors: Monitors, endpoint: str, quality: str) -> None:
    sagemaker, name = monitors.sagemaker, unique("schedule")
    arn = monitors.schedule(name, quality)
    assert arn.endswith(f":monitoring-schedule/{name}")
    described = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    assert described["MonitoringScheduleStatus"] == "Scheduled"
    assert described["MonitoringScheduleConfig"] == config(quality, HOURLY)
    assert (described["EndpointName"], described["MonitoringType"]) == (endpoint, "DataQuality")
    assert "LastMonitoringExecutionSummary" not in described
    for asked in (
        {"EndpointName": endpoint},
        {"MonitoringJobDefinitionName": quality},
        {"MonitoringTypeEquals": "DataQuality"},
        {"StatusEquals": "Scheduled"},
    ):
        listed = sagemaker.list_monitoring_schedules(NameContains=name, **asked)["MonitoringScheduleSummaries"]
        (summary,) = listed
        assert summary["MonitoringScheduleArn"] == arn
        assert (summary["EndpointName"], summary["MonitoringJobDefinitionName"]) == (endpoint, quality)
    assert not sagemaker.list_monitoring_schedules(NameContains=name, EndpointName="x")["MonitoringScheduleSummaries"]
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        monitors.schedule(name, quality)
    sagemaker.stop_monitoring_schedule(MonitoringScheduleName=name)
    sagemaker.stop_monitoring_schedule(MonitoringScheduleName=name)
    changed = config(quality, "cron(0 17/12 ? * * *)")
    sagemaker.update_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=changed)
    described = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    assert (described["MonitoringScheduleStatus"], described["MonitoringScheduleConfig"]) == ("Stopped", changed)
    sagemaker.start_monitoring_schedule(MonitoringScheduleName=name)
    described = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    assert described["MonitoringScheduleStatus"] == "Scheduled"
    sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
    for call in (
        sagemaker.describe_monitoring_schedule,
        sagemaker.start_monitoring_schedule,
        sagemaker.stop_monitoring_schedule,
        sagemaker.delete_monitoring_schedule,
        sagemaker.list_monitoring_alerts,
    ):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound, match=name):
            call(MonitoringScheduleName=name)


def test_a_schedule_that_defines_its_job_itself(monitors: Monitors, endpoint: str) -> None:
    sagemaker, name = monitors.sagemaker, unique("inline")
    given = {"MonitoringJobDefinition": monitors.inline(endpoint, Environment={"a": "b"})}
    sagemaker.create_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=given)
    described = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    assert described["MonitoringScheduleConfig"] == given
    assert (described["EndpointName"], described["MonitoringType"]) == (endpoint, "DataQuality")


def test_alerts_count_from_the_numbers_they_are_given(monitors: Monitors, quality: str) -> None:
    sagemaker, name = monitors.sagemaker, unique("alerting")
    arn = monitors.schedule(name, quality)
    (alert,) = sagemaker.list_monitoring_alerts(MonitoringScheduleName=name)["MonitoringAlertSummaries"]
    assert (alert["AlertStatus"], alert["DatapointsToAlert"], alert["EvaluationPeriod"]) == ("OK", 1, 1)
    asked = {"MonitoringScheduleName": name, "MonitoringAlertName": alert["MonitoringAlertName"]}
    answer = sagemaker.update_monitoring_alert(**asked, DatapointsToAlert=2, EvaluationPeriod=3)
    assert answer["MonitoringScheduleArn"] == arn
    (alert,) = sagemaker.list_monitoring_alerts(MonitoringScheduleName=name)["MonitoringAlertSummaries"]
    assert (alert["DatapointsToAlert"], alert["EvaluationPeriod"]) == (2, 3)
    with pytest.raises(ClientError, match="must not exceed EvaluationPeriod"):
        sagemaker.update_monitoring_alert(**asked, DatapointsToAlert=3, EvaluationPeriod=2)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.update_monitoring_alert(
            MonitoringScheduleName=name, MonitoringAlertName="other", DatapointsToAlert=1, EvaluationPeriod=1
        )
    assert sagemaker.list_monitoring_alert_history(MonitoringScheduleName=name)["MonitoringAlertHistory"] == []


DEFINITIONS: list[tuple[dict[str, Any], str]] = [
    ({"DataQualityJobInput": {}}, "Exactly one of EndpointInput and BatchTransformInput"),
    ({"input": {"EndpointName": "nobody"}}, "Endpoint 'nobody' does not exist"),
    ({"input": {"LocalPath": "/etc"}}, "LocalPath must begin with /opt/ml/processing/"),
    ({"input": {"LocalPath": "/opt/ml/processing/" + "x" * 100}}, "LocalPath has more than 110 characters"),
    ({"input": {"LocalPath": OUTPUT}}, "overlap"),
    ({"input": {"FeaturesAttribute": "x" * 257}}, "FeaturesAttribute has more than 256 characters"),
    ({"input": {"StartTimeOffset": "-P1D", "EndTimeOffset": "-P2D"}}, "must lie before EndTimeOffset"),
    ({"input": {"StartTimeOffset": "PT1H"}}, "is not an offset into the past"),
    ({"RoleArn": "arn:aws:iam::123456789012:role/nobody"}, "Could not assume role"),
    ({"application": {"ImageUri": "somewhere.org/unknown:1"}}, "unknown"),
    (
        {"NetworkConfig": {"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["n"]}}},
        "NetworkConfig.VpcConfig.Subnets has 'n'",
    ),
]


@pytest.mark.parametrize(("changes", "says"), DEFINITIONS)
def test_definitions_that_could_never_run_are_refused(
    monitors: Monitors, endpoint: str, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ClientError, match=says) as caught:
        monitors.sagemaker.create_data_quality_job_definition(**monitors.quality("refused", endpoint, **changes))
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_an_endpoint_must_capture(monitors: Monitors) -> None:
    silent = monitors.endpoint(unique("silent"), captures=False)
    with pytest.raises(ClientError, match="does not exist or is not valid"):
        monitors.sagemaker.create_data_quality_job_definition(**monitors.quality("refused", silent))


def test_model_quality_needs_a_problem_and_the_truth(monitors: Monitors, endpoint: str) -> None:
    create = monitors.sagemaker.create_model_quality_job_definition
    request = monitors.model_quality("refused", endpoint)
    del request["ModelQualityAppSpecification"]["ProblemType"]
    with pytest.raises(ClientError, match="ProblemType"):
        create(**request)
    request = monitors.model_quality("refused", endpoint)
    request["ModelQualityJobInput"]["GroundTruthS3Input"] = {}
    with pytest.raises(ClientError, match="GroundTruthS3Input"):
        create(**request)


SCHEDULES: list[tuple[dict[str, Any], str]] = [
    ({"ScheduleConfig": {"ScheduleExpression": "rate(1 hour)"}}, "Invalid ScheduleExpression: rate"),
    ({"ScheduleConfig": {"ScheduleExpression": "NOW"}}, "must be specified when ScheduleExpression is NOW"),
    (
        {
            "ScheduleConfig": {
                "ScheduleExpression": "NOW",
                "DataAnalysisStartTime": "-P2D",
                "DataAnalysisEndTime": "-PT1H",
            }
        },
        "by 24 hours at most",
    ),
    (
        {
            "ScheduleConfig": {
                "ScheduleExpression": "NOW",
                "DataAnalysisStartTime": "-PT1H",
                "DataAnalysisEndTime": "-PT1H",
            }
        },
        "must precede",
    ),
    ({"MonitoringJobDefinitionName": "nobody"}, "Could not find job definition with name: nobody"),
    ({"MonitoringType": "ModelQuality"}, "Could not find job definition"),
    ({"MonitoringType": "ModelBias"}, "MonitoringType ModelBias"),
    ({"MonitoringType": "ModelExplainability"}, "MonitoringType ModelExplainability"),
    ({"MonitoringType": None}, "MonitoringType must be specified"),
    ({"MonitoringJobDefinitionName": None, "MonitoringType": None}, "Exactly one of"),
]


@pytest.mark.parametrize(("changes", "says"), SCHEDULES)
def test_schedules_that_could_never_run_are_refused(
    monitors: Monitors, quality: str, changes: dict[str, Any], says: str
) -> None:
    given = {name: value for name, value in {**config(quality), **changes}.items() if value is not None}
    with pytest.raises(ClientError, match=says):
        monitors.sagemaker.create_monitoring_schedule(MonitoringScheduleName="refused", MonitoringScheduleConfig=given)


def test_a_job_may_not_outlast_its_schedule(monitors: Monitors, endpoint: str) -> None:
    name = unique("slow")
    slow = {"StoppingCondition": {"MaxRuntimeInSeconds": 3601}}
    monitors.sagemaker.create_data_quality_job_definition(**monitors.quality(name, endpoint, **slow))
    with pytest.raises(ClientError, match="MaxRuntimeInSeconds 3601 exceeds 3600"):
        monitors.schedule(unique("too-often"), name)
    monitors.schedule(unique("often"), name, "cron(0 0/2 ? * * *)")


def test_what_needs_clarify_is_refused_by_name(monitors: Monitors) -> None:
    with pytest.raises(ClientError, match="Clarify"):
        monitors.sagemaker.list_model_bias_job_definitions()
    with pytest.raises(ClientError, match="Clarify"):
        monitors.sagemaker.describe_model_explainability_job_definition(JobDefinitionName="x")
