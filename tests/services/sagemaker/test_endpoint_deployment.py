"""``DeploymentConfig``: what is refused of it, and guarded updates with real models by a clock that is turned."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import Hosting, archive, hosting_of, refused, trained, unique

PERCENT, COUNT = "CAPACITY_PERCENT", "INSTANCE_COUNT"


def size(kind: str, value: int) -> dict[str, Any]:
    return {"Type": kind, "Value": value}


def blue_green(kind: str, wait: int = 60, **others: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait}
    routing |= {name: others.pop(name) for name in ("CanarySize", "LinearStepSize") if name in others}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **others}}


def rolling(**members: Any) -> dict[str, Any]:
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size(PERCENT, 50), "WaitIntervalInSeconds": 60, **members}}


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.mark.parametrize(
    ("deployment", "said"),
    [
        ({**blue_green("ALL_AT_ONCE"), **rolling()}, "RollingUpdatePolicy: only one update policy may be given"),
        (blue_green("CANARY"), "CanarySize: traffic routing CANARY needs it"),
        (blue_green("LINEAR"), "LinearStepSize: traffic routing LINEAR needs it"),
        (blue_green("ALL_AT_ONCE", CanarySize=size(PERCENT, 10)), "CanarySize: it is for traffic routing CANARY"),
        (blue_green("CANARY", LinearStepSize=size(PERCENT, 10)), "LinearStepSize: it is for traffic routing LINEAR"),
        (blue_green("CANARY", CanarySize=size(PERCENT, 51)), "CanarySize: 51% of the capacity; it must be 1-50%"),
        (
            blue_green("LINEAR", LinearStepSize=size(PERCENT, 9)),
            "LinearStepSize: 9% of the capacity; it must be 10-50%",
        ),
        (rolling(MaximumBatchSize=size(PERCENT, 4)), "MaximumBatchSize: 4% of the capacity; it must be 5-50%"),
        (rolling(RollbackMaximumBatchSize=size(PERCENT, 101)), "RollbackMaximumBatchSize: 101% of the capacity"),
        (
            {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}, {"AlarmName": "a"}]}},
            "AutoRollbackConfiguration.Alarms: an alarm is named twice",
        ),
        (blue_green("CANARY", 3601, CanarySize=size(PERCENT, 10)), "less than or equal to 3600"),
    ],
)
def test_deployments_that_contradict_themselves_are_refused_at_creation(
    hosting: Hosting, deployment: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_endpoint(
            EndpointName=unique("endpoint"), EndpointConfigName="any", DeploymentConfig=deployment
        )
    code, message = refused(error)
    assert code == "ValidationException" and said in message


@pytest.fixture(scope="module")
def two(hosting: Hosting) -> Iterator[str]:
    """An endpoint of two instances, kept with a deployment configuration to be retained."""
    packed, _ = trained(1)
    name = unique("endpoint")
    model = hosting.model(hosting.put(packed))
    config = hosting.config({"VariantName": "AllTraffic", "ModelName": model, "InitialInstanceCount": 2})
    hosting.sagemaker.create_endpoint(
        EndpointName=name, EndpointConfigName=config, DeploymentConfig=blue_green("CANARY", CanarySize=size(COUNT, 2))
    )
    hosting.settled(name)
    yield name
    hosting.gone(name)


@pytest.mark.parametrize(
    ("deployment", "said"),
    [
        (
            blue_green("CANARY", CanarySize=size(COUNT, 2)),
            "CanarySize: 2 of the 2 instance(s) of variant AllTraffic; it must be 1-50% of them",
        ),
        (rolling(MaximumBatchSize=size(COUNT, 3)), "MaximumBatchSize: 3 of the 2 instance(s)"),
        (
            blue_green(
                "LINEAR",
                200,
                LinearStepSize=size(PERCENT, 25),
                TerminationWaitInSeconds=100,
                MaximumExecutionTimeoutInSeconds=700,
            ),
            "MaximumExecutionTimeoutInSeconds: 700 is not larger than the total waiting time, which is 700 seconds",
        ),
        (
            {
                **blue_green("CANARY", CanarySize=size(PERCENT, 50)),
                "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "nobody-made-it"}]},
            },
            "AutoRollbackConfiguration.Alarms: there is no CloudWatch alarm nobody-made-it",
        ),
        (None, "CanarySize: 2 of the 2 instance(s)"),  # what was given at the creation, retained
    ],
)
def test_deployments_that_do_not_fit_the_fleet_are_refused(
    hosting: Hosting, two: str, deployment: dict[str, Any] | None, said: str
) -> None:
    config = hosting.described(two)["EndpointConfigName"]
    how: dict[str, Any] = {"RetainDeploymentConfig": True} if deployment is None else {"DeploymentConfig": deployment}
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.update_endpoint(EndpointName=two, EndpointConfigName=config, **how)
    code, message = refused(error)
    assert code == "ValidationException" and said in message
    assert hosting.described(two)["EndpointStatus"] == "InService"


def test_shifting_traffic_needs_the_variants_of_before(hosting: Hosting, two: str) -> None:
    model = hosting.model(hosting.put(archive({})))
    several = [{"VariantName": name, "ModelName": model} for name in ("AllTraffic", "Other")]
    config = hosting.config(*several)
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.update_endpoint(EndpointName=two, EndpointConfigName=config, DeploymentConfig=rolling())
    assert "must have the variant names of the old one" in refused(error)[1]


class Turned:
    """A server whose clock stands still, with an endpoint that answers as the model of factor 1."""

    def __init__(self, server: Any) -> None:
        self.server = server
        server.turn_clock("freeze")
        self.hosting = Hosting(server.client)
        self.name = unique("endpoint")
        self.hosting.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=self.config(1))
        self.hosting.settled(self.name)

    def config(self, factor: int) -> str:
        packed, _ = trained(factor)
        model = self.hosting.model(self.hosting.put(packed))
        return self.hosting.config({"VariantName": "AllTraffic", "ModelName": model})

    def shares(self, times: int = 20) -> dict[float, int]:
        return dict(Counter(round(self.hosting.ask(self.name), 3) for _ in range(times)))


@pytest.fixture(scope="module")
def turned(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turned]:
    running = type(server)(tmp_path_factory.mktemp("deployment") / "data").start()
    yield Turned(running)
    running.stop(signal.SIGKILL)
    running.end_what_runs()


OLD, NEW, NEWER = 1, 3, 2
"""Factors of the models."""


def said(factor: int) -> float:
    return round(trained(factor)[1], 3)


def test_a_canary_passes_in_seconds_when_the_clock_is_turned(turned: Turned) -> None:
    hosting, name = turned.hosting, turned.name
    heard = _listen(turned.server, name)
    config = turned.config(NEW)
    canary = blue_green(
        "CANARY",
        1800,
        CanarySize=size(PERCENT, 10),
        TerminationWaitInSeconds=600,
        MaximumExecutionTimeoutInSeconds=3600,
    )
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config, DeploymentConfig=canary)
    turned.server.turn_clock("advance", "10m")  # waits for the new instance, then lets ten minutes of 30 pass
    found = hosting.described(name)
    assert (found["EndpointStatus"], found["LastDeploymentConfig"]) == ("Updating", canary)
    (pending,) = found["PendingDeploymentSummary"]["ProductionVariants"]
    (status,) = pending["VariantStatus"]
    assert found["PendingDeploymentSummary"]["EndpointConfigName"] == config
    assert (status["Status"], pending["CurrentInstanceCount"], pending["DesiredInstanceCount"]) == ("Baking", 1, 1)
    assert status["StatusMessage"].startswith("Baking for 1800 seconds (WaitIntervalInSeconds)")
    assert turned.shares() == {said(OLD): 18, said(NEW): 2}
    turned.server.turn_clock("advance", "31m")
    found = hosting.settled(name)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", config)
    assert "PendingDeploymentSummary" not in found and found["LastDeploymentConfig"] == canary
    assert turned.shares(5) == {said(NEW): 5}
    phases = heard()
    assert [phase for phase, _ in phases] == ["Creating", "ActivatingTraffic", "Baking", "ActivatingTraffic", "Baking"]
    assert phases[2][1] == status["StatusMessage"]


def test_an_alarm_over_the_new_fleet_alone_takes_the_update_back(turned: Turned) -> None:
    hosting, name = turned.hosting, turned.name
    before, config = hosting.described(name)["EndpointConfigName"], turned.config(NEWER)
    answers = turned.shares(4)
    dimensions = {"EndpointName": name, "VariantName": "AllTraffic", "EndpointConfigName": config}
    turned.server.client("cloudwatch").put_metric_alarm(
        AlarmName="asked-too-much",
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    guarded = blue_green("LINEAR", 300, LinearStepSize=size(PERCENT, 50), TerminationWaitInSeconds=300)
    guarded["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": "asked-too-much"}]}
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config, DeploymentConfig=guarded)
    turned.server.turn_clock("advance", "3m")
    found = hosting.described(name)
    assert found["EndpointStatus"] == "Updating", "nothing was asked of the new fleet"
    assert turned.shares(10)[said(NEWER)] == 5
    turned.server.turn_clock("advance", "10m")  # to the alarm's evaluation and beyond: the way back is waited for
    found = hosting.settled(name)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", before)
    assert found["FailureReason"] == "The deployment was rolled back by CloudWatch alarm asked-too-much."
    assert turned.shares(4) == answers


def _listen(server: Any, name: str) -> Callable[[], list[tuple[str, str]]]:
    """Have deployment events of an endpoint sent to a queue; a function that tells the phases that were told."""
    sqs, events = server.client("sqs"), server.client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Endpoint Deployment State Change"],
        "detail": {"EndpointName": [name]},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    def told() -> list[tuple[str, str]]:
        found: list[dict[str, Any]] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
            found += [json.loads(each["Body"])["detail"] for each in messages]
        assert {detail["EndpointStatus"] for detail in found} == {"UPDATING"}
        phases = [each["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0] for each in found]
        assert all(isinstance(each["StartTime"], int) for each in phases)
        return [(each["Status"], each["StatusMessage"]) for each in phases]

    return told
