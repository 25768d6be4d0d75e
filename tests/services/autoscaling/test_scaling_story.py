"""Application Auto Scaling through boto3: endpoints whose instances really come and go, on a clock that is turned."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server_process import ServerProcess

sys.path.insert(0, str(Path(__file__).parent.parent / "sagemaker"))

from hosting_requests import ROLE, SKLEARN, XGBOOST, Hosting, archive, hosting_of, trained, unique

VARIANT = "sagemaker:variant:DesiredInstanceCount"
COMPONENT = "sagemaker:inference-component:DesiredCopyCount"

pytestmark = pytest.mark.timeout(300)


@dataclass
class Scaled:
    """One resource, and what its scaling is asked and told through."""

    server: ServerProcess
    hosting: Hosting
    name: str
    resource: str
    dimension: str
    scaling: Any
    cloudwatch: Any

    @property
    def about(self) -> dict[str, str]:
        return {"ServiceNamespace": "sagemaker", "ResourceId": self.resource, "ScalableDimension": self.dimension}

    def register(self, low: int, high: int, **more: Any) -> None:
        self.scaling.register_scalable_target(**self.about, MinCapacity=low, MaxCapacity=high, **more)

    def put(self, name: str, kind: str, config: dict[str, Any]) -> str:
        put = self.scaling.put_scaling_policy(
            **self.about, PolicyName=name, PolicyType=kind, **{f"{kind}PolicyConfiguration": config}
        )
        return str(put["PolicyARN"])

    def activities(self, **more: Any) -> list[dict[str, Any]]:
        about = {key: value for key, value in self.about.items() if key != "ScalableDimension"}
        found: list[dict[str, Any]] = self.scaling.describe_scaling_activities(**about, **more)["ScalingActivities"]
        return found

    @property
    def counts(self) -> tuple[int, int]:
        """Current and desired."""
        if self.dimension == VARIANT:
            variant = self.hosting.described(self.name)["ProductionVariants"][0]
            return variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]
        component = self.resource.partition("/")[2]
        found = self.hosting.sagemaker.describe_inference_component(InferenceComponentName=component)["RuntimeConfig"]
        return found["CurrentCopyCount"], found["DesiredCopyCount"]

    def advance(self, how_long: str) -> None:
        self.server.turn_clock("advance", how_long)

    @property
    def bounds(self) -> tuple[int, int]:
        asked = {"ServiceNamespace": "sagemaker", "ResourceIds": [self.resource]}
        [found] = self.scaling.describe_scalable_targets(**asked)["ScalableTargets"]
        return found["MinCapacity"], found["MaxCapacity"]

    def settled(self, count: int) -> None:
        """Without turning the clock: what was registered is reached."""
        end = time.monotonic() + 60
        while self.counts != (count, count) or any("EndTime" not in each for each in self.activities()[:1]):
            assert time.monotonic() < end, (self.counts, self.activities()[:1])
            time.sleep(0.05)

    def minute(self, namespace: str, load: float) -> None:
        """One that has seen so much of the metric ``Load``."""
        self.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Load", "Value": load}])
        self.advance("1m")

    def listening(self) -> Callable[[], list[dict[str, Any]]]:
        """What is told of scaling from now on."""
        sqs, events, name = self.server.client("sqs"), self.server.client("events"), unique("scaling")
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn}]}
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
        pattern = {"source": ["aws.application-autoscaling"], "detail": {"scaledToMax": [True]}}
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])

        def told() -> list[dict[str, Any]]:
            found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, MaxNumberOfMessages=10).get("Messages", [])
            return [json.loads(message["Body"]) for message in found]

        return told

    def gone(self) -> None:
        self.scaling.deregister_scalable_target(**self.about)


def scaled(server: ServerProcess, hosting: Hosting, name: str) -> Scaled:
    clients = server.client("application-autoscaling"), server.client("cloudwatch")
    return Scaled(server, hosting, name, f"endpoint/{name}/variant/AllTraffic", VARIANT, *clients)


@pytest.fixture(scope="module")
def hosting(still_server: ServerProcess) -> Hosting:
    return hosting_of(still_server)


@pytest.fixture(scope="module")
def variant(still_server: ServerProcess, hosting: Hosting) -> Iterator[Scaled]:
    name = hosting.endpoint(hosting.put(trained(1)[0]))
    yield scaled(still_server, hosting, name)
    hosting.gone(name)


@pytest.fixture
def target(variant: Scaled) -> Iterator[Scaled]:
    """The variant, registered for this test with one to three instances; one at the beginning."""
    variant.register(1, 1)
    variant.settled(1)
    variant.register(1, 3)
    yield variant
    variant.gone()


def test_load_brings_instances_and_its_end_takes_them_away(target: Scaled) -> None:
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    arn = target.put("track", "TargetTrackingScaling", {"TargetValue": 4.0, "PredefinedMetricSpecification": metric})
    [policy] = target.scaling.describe_scaling_policies(**target.about)["ScalingPolicies"]
    assert policy["PolicyARN"] == arn and f":resource/sagemaker/{target.resource}:policyName/track" in arn
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    high, low = target.cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert high["AlarmName"].startswith(f"TargetTracking-{target.resource}-AlarmHigh-")
    assert (high["Threshold"], high["EvaluationPeriods"], high["Period"], high["Statistic"]) == (4.0, 3, 60, "Sum")
    assert low["AlarmName"].startswith(f"TargetTracking-{target.resource}-AlarmLow-")
    assert (low["Threshold"], low["EvaluationPeriods"]) == (3.6, 15)
    assert high["AlarmActions"] == low["AlarmActions"] == [arn]

    for _ in range(3):
        assert target.counts == (1, 1)
        for _ in range(7):
            target.hosting.ask(target.name)
        target.advance("1m")
    assert target.counts == (2, 2)  # 7 requests, 4 for each
    [activity] = target.activities()
    assert activity["Description"] == "Setting desired instance count to 2."
    assert activity["Cause"] == f"monitor alarm {high['AlarmName']} in state ALARM triggered policy track"
    assert activity["StatusMessage"] == (
        "Successfully set desired instance count to 2. Change successfully fulfilled by sagemaker."
    )
    assert activity["StatusCode"] == "Successful" and activity["EndTime"] >= activity["StartTime"]

    target.hosting.ask(target.name)  # and then nothing
    target.advance("25m")
    assert target.counts == (1, 1)
    assert target.activities()[0]["Cause"] == (
        f"monitor alarm {low['AlarmName']} in state ALARM triggered policy track"
    )
    assert len(target.activities()) == 2

    target.scaling.delete_scaling_policy(**target.about, PolicyName="track")
    assert target.cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] == []


SLOW = b"""
import time

def model_fn(model_dir):
    return 0

def transform_fn(model, body, content_type, accept):
    time.sleep(float(body))
    return "0", "text/csv"
"""


def slow(hosting: Hosting) -> tuple[str, dict[str, str]]:
    """Data and environment of a model that takes as many seconds as it is told."""
    program = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    return hosting.put(archive({"code/inference.py": SLOW})), program


def pressed(target: Scaled, count: int, advances: int, **to: str) -> None:
    """So many requests at once, of which each waits for the one before, while time goes on."""
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(target.hosting.ask, target.name, "2", **to) for _ in range(count)]
        time.sleep(1)  # they are all there
        for _ in range(advances):
            target.advance("10s")
        assert [each.result() for each in asked] == [0.0] * count


@pytest.mark.slow
def test_concurrent_requests_bring_instances_within_half_a_minute(
    still_server: ServerProcess, hosting: Hosting
) -> None:
    """docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-add-code-define.html"""
    data, program = slow(hosting)
    target = scaled(still_server, hosting, hosting.endpoint(data, image=SKLEARN, environment=program))
    target.register(1, 2)
    metric = {"PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"}
    target.put("busy", "TargetTrackingScaling", {"TargetValue": 2, "PredefinedMetricSpecification": metric})
    [policy] = target.scaling.describe_scaling_policies(**target.about)["ScalingPolicies"]
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    high, low = target.cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert (high["MetricName"], high["Statistic"]) == ("ConcurrentRequestsPerModel", "Maximum")
    assert (high["Period"], high["EvaluationPeriods"], high["Threshold"]) == (10, 3, 2.0)
    assert (low["Period"], low["EvaluationPeriods"], low["Threshold"]) == (60, 15, 1.8)

    began = high["StateUpdatedTimestamp"]
    pressed(target, 10, 4)
    assert target.counts == (2, 2)
    points = target.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="ConcurrentRequestsPerModel",
        Dimensions=high["Dimensions"],
        StartTime=began - timedelta(minutes=1),
        EndTime=began + timedelta(minutes=5),
        Period=10,
        Statistics=["Maximum"],
    )["Datapoints"]
    assert max(point["Maximum"] for point in points) == 10  # those that wait are among them
    assert len({point["Timestamp"] for point in points}) >= 4

    target.advance("1m")
    target.hosting.ask(target.name, "0")  # and then nothing
    target.advance("25m")
    assert target.counts == (1, 1)  # as slowly as by any metric
    hosting.gone(target.name)


def test_steps_follow_the_users_alarm_as_long_as_it_rings(target: Scaled) -> None:
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 50, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 50, "ScalingAdjustment": 2},
    ]
    config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 120}
    arn = target.put("steps", "StepScaling", {**config, "MetricAggregationType": "Maximum"})
    namespace, alarm = unique("Steps"), unique("steps")
    target.cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace=namespace,
        MetricName="Load",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[arn],
        TreatMissingData="notBreaching",
    )

    told = target.listening()
    [policy] = target.scaling.describe_scaling_policies(**target.about, PolicyNames=["steps"])["ScalingPolicies"]
    assert [each["AlarmName"] for each in policy["Alarms"]] == [alarm]
    target.minute(namespace, 20)
    assert target.counts == (2, 2)
    target.minute(namespace, 20)  # the same step, in the cooldown of what it did
    assert target.counts == (2, 2)
    target.minute(namespace, 70)  # a greater one: two, of which one is there already
    assert target.counts == (3, 3)
    target.minute(namespace, 70)
    left_undone = target.activities(IncludeNotScaledActivities=True)[0]
    assert left_undone["Description"] == "Attempting to scale due to alarm triggered"
    [event] = told()
    assert event["detail-type"] == "Application Auto Scaling Scaling Activity State Change"
    counts = ("oldDesiredCapacity", "newDesiredCapacity", "minCapacity", "maxCapacity", "scaledToMax")
    assert [event["detail"][name] for name in counts] == [2, 3, 1, 3, True]
    assert left_undone["NotScaledReasons"] == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 3}]
    [second, first] = target.activities()[:2]
    assert [each["Description"][-2] for each in (first, second)] == ["2", "3"]
    assert second["Cause"] == f"monitor alarm {alarm} in state ALARM triggered policy steps"
    history = target.cloudwatch.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in history] == [f"Successfully executed action {arn}"]
    target.cloudwatch.delete_alarms(AlarmNames=[alarm])


def test_scheduled_actions_move_the_bounds_and_what_is_beyond_them(target: Scaled) -> None:
    action, put = {"MinCapacity": 2, "MaxCapacity": 4}, target.scaling.put_scheduled_action
    put(**target.about, ScheduledActionName="up", Schedule="rate(1 hour)", ScalableTargetAction=action)
    put(**target.about, ScheduledActionName="up", EndTime=time.time() + 10**7)
    [held] = target.scaling.describe_scheduled_actions(**target.about)["ScheduledActions"]
    assert held["ScalableTargetAction"] == action and held["Schedule"] == "rate(1 hour)"
    assert f":resource/sagemaker/{target.resource}:scheduledActionName/up" in held["ScheduledActionARN"]
    target.advance("61m")
    assert target.counts == (2, 2)
    [moved, bounds] = target.activities()[:2]
    assert (bounds["Description"], bounds["Cause"]) == (
        "Setting min capacity to 2 and max capacity to 4",
        "scheduled action name up was triggered",
    )
    assert bounds["StatusMessage"] == "Successfully set min capacity to 2 and max capacity to 4"
    assert (moved["Cause"], moved["StatusCode"]) == ("minimum capacity was set to 2", "Successful")
    assert target.bounds == (2, 4)

    target.register(1, 4, SuspendedState={"ScheduledScalingSuspended": True})
    target.advance("1h")
    assert target.bounds == (1, 4)  # it was to occur, and did not
    target.scaling.delete_scheduled_action(**target.about, ScheduledActionName="up")
    assert target.scaling.describe_scheduled_actions(**target.about)["ScheduledActions"] == []


def test_suspended_scaling_goes_on_when_it_is_resumed(target: Scaled) -> None:
    metric = {"Namespace": unique("Suspended"), "MetricName": "Load", "Statistic": "Average"}
    target.put("load", "TargetTrackingScaling", {"TargetValue": 10, "CustomizedMetricSpecification": metric})
    target.register(1, 3, SuspendedState={"DynamicScalingOutSuspended": True})
    for _ in range(4):
        target.cloudwatch.put_metric_data(
            Namespace=metric["Namespace"], MetricData=[{"MetricName": "Load", "Value": 15}]
        )
        target.advance("1m")
    assert target.counts == (1, 1)
    target.register(1, 3, SuspendedState={"DynamicScalingOutSuspended": False})
    target.minute(metric["Namespace"], 15)
    assert target.counts == (2, 2)


def test_a_bound_waits_out_an_update_that_waits_for_time(target: Scaled, hosting: Hosting) -> None:
    """And time does not wait for it."""
    serving = hosting.described(target.name)["EndpointConfigName"]
    [variant] = hosting.sagemaker.describe_endpoint_config(EndpointConfigName=serving)["ProductionVariants"]
    other = hosting.config({name: variant[name] for name in ("VariantName", "ModelName")})
    size = {"Type": "CAPACITY_PERCENT", "Value": 50}
    routing = {"Type": "CANARY", "CanarySize": size, "WaitIntervalInSeconds": 1200}
    hosting.sagemaker.update_endpoint(
        EndpointName=target.name,
        EndpointConfigName=other,
        DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
    )
    target.register(2, 3)
    target.advance("10m")
    assert (target.activities()[0]["StatusCode"], hosting.described(target.name)["EndpointStatus"]) == (
        "Pending",
        "Updating",
    )
    target.advance("20m")
    assert target.counts == (2, 2)
    assert hosting.described(target.name)["EndpointConfigName"] == other


def test_metric_maths_and_a_capacity_the_service_refuses(target: Scaled) -> None:
    """Cloche runs four instances of a variant at most, and says so; AWS has quotas."""
    namespace = unique("Maths")
    metric = {"Metric": {"Namespace": namespace, "MetricName": "Load"}, "Stat": "Sum"}
    queries = [
        {"Id": "load", "MetricStat": metric, "ReturnData": False},
        {"Id": "share", "Expression": "load / 2", "ReturnData": True},
    ]
    target.register(1, 9)
    target.put(
        "maths", "TargetTrackingScaling", {"TargetValue": 1, "CustomizedMetricSpecification": {"Metrics": queries}}
    )
    for _ in range(3):
        target.minute(namespace, 14)
    failed = target.activities()[0]
    assert (failed["Description"], failed["StatusCode"]) == ("Setting desired instance count to 7.", "Failed")
    assert failed["StatusMessage"].startswith("Failed to set desired instance count to 7. Reason: ")
    assert "(Service: AmazonSageMaker; Status Code: 400; Error Code: " in failed["StatusMessage"]
    assert target.counts == (1, 1)


def test_a_component_goes_to_none_and_comes_back(still_server: ServerProcess, hosting: Hosting) -> None:
    """docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html, with its two policies."""
    endpoint, name = unique("shared"), unique("component")
    variant = {"VariantName": "All", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=endpoint, ExecutionRoleArn=ROLE, ProductionVariants=[variant]
    )
    hosting.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=endpoint)
    hosting.settled(endpoint)
    container = {"Image": XGBOOST, "ArtifactUrl": hosting.put(trained(1)[0])}
    needs = {"MinMemoryRequiredInMb": 1024, "NumberOfCpuCoresRequired": 0.25}
    hosting.sagemaker.create_inference_component(
        InferenceComponentName=name,
        EndpointName=endpoint,
        VariantName="All",
        Specification={"Container": container, "ComputeResourceRequirements": needs},
        RuntimeConfig={"CopyCount": 1},
    )
    target = scaled(still_server, hosting, endpoint)
    target.resource, target.dimension = f"inference-component/{name}", COMPONENT
    end = time.monotonic() + 60
    while target.counts != (1, 1):
        assert time.monotonic() < end
        time.sleep(0.05)
    target.register(0, 2)
    metric = {"PredefinedMetricType": "SageMakerInferenceComponentInvocationsPerCopy"}
    target.put("track", "TargetTrackingScaling", {"TargetValue": 5, "PredefinedMetricSpecification": metric})
    step = {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}
    config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [step], "Cooldown": 60}
    alarm = unique("none")
    target.cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        AlarmActions=[target.put("from-none", "StepScaling", config)],
        Namespace="AWS/SageMaker",
        MetricName="NoCapacityInvocationFailures",
        Dimensions=[{"Name": "InferenceComponentName", "Value": name}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    target.advance("14m")
    assert target.counts == (1, 1)  # not before there have been no requests for a quarter of an hour
    target.advance("2m")
    assert target.counts == (0, 0)
    with pytest.raises(hosting.runtime.exceptions.ClientError, match="no copies"):
        hosting.ask(endpoint, InferenceComponentName=name)
    target.advance("1m")
    assert target.counts == (1, 1)
    assert hosting.ask(endpoint, InferenceComponentName=name) == pytest.approx(trained(1)[1], abs=1e-6)
    assert [each["Description"] for each in target.activities()] == [
        "Setting desired copy count to 1.",
        "Setting desired copy count to 0.",
    ]
    target.cloudwatch.delete_alarms(AlarmNames=[alarm])

    hosting.sagemaker.delete_inference_component(InferenceComponentName=name)
    end = time.monotonic() + 60
    while target.scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target.resource])[
        "ScalableTargets"
    ]:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert target.scaling.describe_scaling_policies(**target.about)["ScalingPolicies"] == []
    named = f"TargetTracking-{target.resource}"
    assert target.cloudwatch.describe_alarms(AlarmNamePrefix=named)["MetricAlarms"] == []
    hosting.gone(endpoint)


@pytest.mark.slow
def test_an_activity_is_carried_out_once_whatever_is_killed_when(start_server: Any) -> None:
    server = start_server()
    hosting = hosting_of(server)
    target = scaled(server, hosting, hosting.endpoint(hosting.put(trained(1)[0])))
    for count, high in ((2, 4), (1, 1)):
        target.register(count, high)
        if high == 1:  # when the service has been asked already
            while target.activities()[0]["StatusCode"] == "Pending":
                time.sleep(0.005)
        server.stop(signal.SIGKILL)
        server.start()
        target.settled(count)
    told = [(each["Description"], each["Cause"], each["StatusCode"]) for each in target.activities()]
    assert told == [
        ("Setting desired instance count to 1.", "maximum capacity was set to 1", "Successful"),
        ("Setting desired instance count to 2.", "minimum capacity was set to 2", "Successful"),
    ]
    assert target.hosting.ask(target.name) == pytest.approx(trained(1)[1], abs=1e-6)
