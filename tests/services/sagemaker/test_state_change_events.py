"""State changes as EventBridge's rules see them: real jobs, pipelines, packages and models, read from a queue.

The forms are those of docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pipeline_requests import PipelineBench, condition, equals, fail

SPECIFICATION = {
    "Containers": [{"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
ROOT = "arn:aws:sagemaker:us-east-1:123456789012:"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    return PipelineBench(server)


class Heard:
    """A queue that a rule sends all of SageMaker's events about things of one name to."""

    def __init__(self, bench: PipelineBench, name: str) -> None:
        self.name = name
        self._sqs, self._events = bench.server.client("sqs"), bench.server.client("events")
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = {"source": ["aws.sagemaker"], "resources": [{"wildcard": f"*/{name}*"}]}
        self._events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        self._events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    def until(self, count: int, seconds: float = 60) -> list[dict[str, Any]]:
        """The first ``count`` events, oldest first."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        while len(found) < count:
            assert time.monotonic() < deadline, [each["detail"] for each in found]
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
            found += [json.loads(each["Body"]) for each in answer.get("Messages", [])]
        for event in found:
            assert (event["source"], event["version"], event["account"]) == ("aws.sagemaker", "0", "123456789012")
            assert MOMENT.fullmatch(event["time"])
        return found

    def close(self) -> None:
        self._events.remove_targets(Rule=self.name, Ids=["queue"])
        self._events.delete_rule(Name=self.name)
        self._sqs.delete_queue(QueueUrl=self._url)


@pytest.fixture
def heard(bench: PipelineBench, request: pytest.FixtureRequest) -> Iterator[Heard]:
    made = Heard(bench, f"told-{request.node.name.removeprefix('test_')[:18].replace('_', '-').strip('-')}")
    yield made
    made.close()


def test_jobs_tell_of_every_step(bench: PipelineBench, heard: Heard) -> None:
    bench.create(heard.name, "exit 3", Tags=[{"Key": "team", "Value": "glass"}])
    job = bench.ended(heard.name)
    events: list[dict[str, Any]] = []
    while not events or events[-1]["detail"]["TrainingJobStatus"] == "InProgress":
        events += heard.until(1)
    assert {event["detail-type"] for event in events} == {"SageMaker Training Job State Change"}
    assert [event["detail"]["SecondaryStatus"] for event in events][-2:] == ["Uploading", "Failed"]
    last = events[-1]
    assert last["resources"] == [ROOT + f"training-job/{heard.name}"]
    detail = last["detail"]
    assert detail["TrainingJobStatus"] == "Failed"
    assert detail["FailureReason"] == job["FailureReason"]
    assert detail["CreationTime"] == round(job["CreationTime"].timestamp() * 1000)
    assert detail["TrainingEndTime"] == round(job["TrainingEndTime"].timestamp() * 1000)
    assert detail["AlgorithmSpecification"]["TrainingInputMode"] == "File"
    assert detail["Tags"] == {"team": "glass"}


@pytest.mark.slow
def test_models_and_configurations_come_and_go(bench: PipelineBench, heard: Heard) -> None:
    sagemaker = bench.sagemaker
    image = SPECIFICATION["Containers"][0]
    sagemaker.create_model(ModelName=heard.name, PrimaryContainer=image, ExecutionRoleArn=bench.role)
    variant = {"VariantName": "A", "ModelName": heard.name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=heard.name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=heard.name, EndpointConfigName=heard.name)
    model, config, endpoint = heard.until(3)
    assert endpoint["detail-type"] == "SageMaker Endpoint State Change"
    assert endpoint["detail"]["EndpointStatus"] == "CREATING"  # where Describe says "Creating"
    assert endpoint["detail"]["EndpointConfigName"] == heard.name
    (ended,) = heard.until(1, 120)
    assert ended["detail"]["EndpointStatus"] == "FAILED"  # there is no model in it
    assert ended["detail"]["FailureReason"]
    sagemaker.delete_endpoint(EndpointName=heard.name)
    sagemaker.delete_endpoint_config(EndpointConfigName=heard.name)
    sagemaker.delete_model(ModelName=heard.name)
    gone = {event["detail-type"]: event for event in heard.until(3)}
    assert gone["SageMaker Endpoint State Change"]["detail"]["EndpointStatus"] == "DELETING"
    config_gone, model_gone = gone["SageMaker Endpoint Config State Change"], gone["SageMaker Model State Change"]
    assert model["detail-type"] == model_gone["detail-type"] == "SageMaker Model State Change"
    assert config["detail-type"] == config_gone["detail-type"] == "SageMaker Endpoint Config State Change"
    assert model["detail"]["ModelArn"] == model_gone["detail"]["ModelArn"] == ROOT + f"model/{heard.name}"
    assert config["detail"]["ProductionVariants"][0]["VariantName"] == "A"


def test_packages_tell_of_their_approval(bench: PipelineBench, heard: Heard) -> None:
    sagemaker = bench.sagemaker
    sagemaker.create_model_package_group(ModelPackageGroupName=heard.name)
    arn = sagemaker.create_model_package(ModelPackageGroupName=heard.name, InferenceSpecification=SPECIFICATION)[
        "ModelPackageArn"
    ]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    made, approved = heard.until(2)
    assert made["detail-type"] == approved["detail-type"] == "SageMaker Model Package State Change"
    assert approved["resources"] == [arn]
    assert made["detail"]["ModelApprovalStatus"] == "PendingManualApproval"
    detail = approved["detail"]
    assert (detail["ModelPackageGroupName"], detail["ModelPackageVersion"]) == (heard.name, 1)
    assert (detail["ModelPackageStatus"], detail["ModelApprovalStatus"]) == ("Completed", "Approved")
    assert detail["UpdatedModelPackageFields"] == ["ModelApprovalStatus", "ApprovalDescription"]
    assert MOMENT.fullmatch(detail["CreationTime"])


def test_pipelines_tell_of_executions_and_steps(bench: PipelineBench, heard: Heard) -> None:
    steps = (condition("Check", equals(1, 2), other=[fail("Refuse", "not good enough")]),)
    arn, ended = bench.run_pipeline(heard.name, *steps)
    assert ended["PipelineExecutionStatus"] == "Failed"
    found: dict[str, list[dict[str, Any]]] = {"Execution Status Change": [], "Execution Step Status Change": []}
    while not any("executionEndTime" in event["detail"] for event in found["Execution Status Change"]):
        for event in heard.until(1):
            found[event["detail-type"].removeprefix("SageMaker Model Building Pipeline ")].append(event)
    executions, told = found["Execution Status Change"], found["Execution Step Status Change"]
    pipeline = ROOT + f"pipeline/{heard.name}"
    assert executions[0]["resources"] == told[0]["resources"] == [pipeline, arn]
    assert executions[0]["detail"]["currentPipelineExecutionStatus"] == "Executing"
    last = executions[-1]["detail"]
    assert (last["previousPipelineExecutionStatus"], last["currentPipelineExecutionStatus"]) == ("Executing", "Failed")
    assert MOMENT.fullmatch(last["executionEndTime"])
    of_step = {(each["detail"]["stepName"], each["detail"]["currentStepStatus"]): each["detail"] for each in told}
    assert of_step["Check", "Succeeded"]["stepType"] == "Condition"
    assert of_step["Check", "Succeeded"]["metadata"]["condition"] == {"outcome": "False"}
    assert "not good enough" in of_step["Refuse", "Failed"]["failureReason"]
    assert of_step["Refuse", "Failed"]["pipelineExecutionArn"] == arn


def test_cards_tell_of_their_versions(bench: PipelineBench, heard: Heard) -> None:
    content = json.dumps({"model_overview": {"model_description": "of churn"}})
    bench.sagemaker.create_model_card(ModelCardName=heard.name, Content=content, ModelCardStatus="Draft")
    bench.sagemaker.update_model_card(ModelCardName=heard.name, ModelCardStatus="Approved")
    made, approved = heard.until(2)
    assert made["detail-type"] == "SageMaker Model Card State Change"
    assert (made["detail"]["ModelCardStatus"], approved["detail"]["ModelCardStatus"]) == ("Draft", "Approved")
    assert (made["detail"]["ModelCardVersion"], made["detail"]["AccountId"]) == (1, "123456789012")
