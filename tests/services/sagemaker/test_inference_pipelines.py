"""Models of several containers: in a row (serial inference pipelines), each for itself, in endpoints and in batches."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import ROLE, SKLEARN, XGBOOST, Hosting, archive, hosting_of, refused, trained, unique
from transform_requests import Transforming

DOUBLING = """
import os

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    text = body.decode() if isinstance(body, bytes) else body
    if text.startswith("tell"):
        return "\\n".join([content_type, accept]), "text/plain"
    if text.startswith("die"):
        os._exit(7)
    rows = [",".join(str(2 * float(each)) for each in line.split(",")) for line in text.split("\\n") if line]
    print("doubled", len(rows), flush=True)
    return "\\n".join(rows) + "\\n", "text/csv"
"""
VARIABLES = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
HALF = b"0.25,0.5"
"""Half of the row that ``trained`` knows the answer to."""


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.fixture(scope="module")
def containers(hosting: Hosting) -> list[dict[str, Any]]:
    doubling = hosting.put(archive({"code/inference.py": DOUBLING.encode()}))
    return [
        {"Image": SKLEARN, "ModelDataUrl": doubling, "Environment": VARIABLES},
        {"Image": XGBOOST, "ModelDataUrl": hosting.put(trained(1)[0])},
    ]


@pytest.fixture(scope="module")
def pipeline(hosting: Hosting, containers: list[dict[str, Any]]) -> str:
    """A model of a package of two containers."""
    package = hosting.sagemaker.create_model_package(
        ModelPackageName=unique("package"),
        InferenceSpecification={
            "Containers": containers,
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedTransformInstanceTypes": ["ml.m5.large"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
        },
    )["ModelPackageArn"]
    name = unique("pipeline")
    holder = {"ModelPackageName": package}
    hosting.sagemaker.create_model(ModelName=name, PrimaryContainer=holder, ExecutionRoleArn=ROLE)
    return name


def endpoint_of(hosting: Hosting, model: str) -> str:
    name = unique("endpoint")
    config = hosting.config({"VariantName": "AllTraffic", "ModelName": model})
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    assert hosting.settled(name)["EndpointStatus"] == "InService", hosting.described(name)
    return name


def streams(server: Any, group: str) -> dict[str, list[str]]:
    logs = server.client("logs")
    found = {}
    for each in logs.describe_log_streams(logGroupName=group)["logStreams"]:
        name = each["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
        found[name] = [event["message"] for event in events]
    return found


def test_a_row_of_containers_answers_as_one(server: Any, hosting: Hosting, pipeline: str) -> None:
    described = hosting.sagemaker.describe_model(ModelName=pipeline)
    assert [each["Image"] for each in described["Containers"]] == [SKLEARN, XGBOOST]
    endpoint = endpoint_of(hosting, pipeline)
    answer = hosting.runtime.invoke_endpoint(EndpointName=endpoint, Body=HALF, ContentType="text/csv")
    assert float(answer["Body"].read()) == pytest.approx(trained(1)[1], abs=1e-6)
    json = hosting.runtime.invoke_endpoint(
        EndpointName=endpoint, Body=HALF, ContentType="text/csv", Accept="application/json"
    )
    assert json["ContentType"] == "application/json", "what is accepted is the last one's to give"
    assert json["Body"].read()

    with pytest.raises(hosting.runtime.exceptions.ModelError) as error:
        hosting.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"tell", ContentType="text/csv")
    assert error.value.response["OriginalStatusCode"] == 415, "the second is told what the first says it is"
    with pytest.raises(ClientError) as named:
        hosting.ask(endpoint, TargetContainerHostname="container-1")
    assert refused(named)[0] == "ValidationError"
    with pytest.raises(ClientError) as streamed:
        hosting.runtime.invoke_endpoint_with_response_stream(EndpointName=endpoint, Body=HALF, ContentType="text/csv")
    assert "inference pipeline" in refused(streamed)[1]

    def first_says_doubled() -> bool:
        found = streams(server, f"/aws/sagemaker/Endpoints/{endpoint}")
        assert {name.rpartition("/")[2] for name in found} <= {"container-1", "container-2"}
        lines = [line for name, lines in found.items() for line in lines if name.endswith("container-1")]
        return len(found) == 2 and any("doubled 1" in line for line in lines)

    until = time.monotonic() + 30
    while not first_says_doubled():  # logs are collected now and then
        assert time.monotonic() < until
        time.sleep(0.2)
    first, second, whole = (latency(server, endpoint, name, 3) for name in ("container-1", "container-2", ""))
    assert 0 < first < whole and 0 < second < whole and first + second <= whole
    hosting.gone(endpoint)


def latency(server: Any, endpoint: str, container: str, times: int) -> float:
    """What one container took for so many requests, or all of them as the model they are, once it is told."""
    metric = "ContainerLatency" if container else "ModelLatency"
    return measured(server, endpoint, metric, container, times, Unit="Microseconds")


def measured(server: Any, endpoint: str, metric: str, container: str, times: int, **which: Any) -> float:
    """The sum of a metric once it has so many values."""
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}]
    if container:
        dimensions.append({"Name": "ContainerName", "Value": container})
    until = time.monotonic() + 60
    cloudwatch = server.client("cloudwatch")
    while True:
        now = time.time()
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=dimensions,
            StartTime=now - 3600,
            EndTime=now + 3600,
            Period=7200,
            Statistics=["SampleCount", "Sum"],
            **which,
        )["Datapoints"]
        if sum(point["SampleCount"] for point in points) == times:
            return float(sum(point["Sum"] for point in points))
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_batch_passes_through_the_row(server: Any, hosting: Hosting, pipeline: str) -> None:
    batch = Transforming(hosting, server)
    uri = batch.put({"a": HALF + b"\n" + HALF, "b": HALF})
    job = batch.run(pipeline, uri, TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 2})
    assert job["TransformJobStatus"] == "Completed", job
    outputs = batch.outputs(job)
    assert sorted(outputs) == ["a.out", "b.out"]
    answers = [float(line) for line in outputs["a.out"].split()]
    assert answers == pytest.approx([trained(1)[1]] * 2, abs=1e-6)


COUNTED = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors")


def test_each_container_for_itself(server: Any, hosting: Hosting, containers: list[dict[str, Any]]) -> None:
    named = [{**each, "ContainerHostname": name} for each, name in zip(containers, ("first", "second"), strict=True)]
    model = unique("direct")
    hosting.sagemaker.create_model(
        ModelName=model,
        Containers=named,
        InferenceExecutionConfig={"Mode": "Direct"},
        ExecutionRoleArn=ROLE,
    )
    endpoint = endpoint_of(hosting, model)
    doubled = hosting.runtime.invoke_endpoint(
        EndpointName=endpoint, Body=HALF, ContentType="text/csv", TargetContainerHostname="first"
    )
    assert doubled["Body"].read() == b"0.5,1.0\n"
    assert hosting.ask(endpoint, TargetContainerHostname="second") == pytest.approx(trained(1)[1], abs=1e-6)
    for others, words in (({}, "must name one"), ({"TargetContainerHostname": "third"}, "no container")):
        with pytest.raises(ClientError) as error:
            hosting.ask(endpoint, **others)
        assert refused(error)[0] == "ValidationError" and words in refused(error)[1]

    with pytest.raises(hosting.runtime.exceptions.ModelError):
        hosting.ask(endpoint, b"tell", TargetContainerHostname="second")
    assert 0 < latency(server, endpoint, "second", 2) <= latency(server, endpoint, "", 3)
    told = {
        name: [measured(server, endpoint, metric, name, times) for metric in COUNTED]
        for name, times in (("first", 1), ("second", 2), ("", 3))
    }
    assert told == {"first": [1, 0, 0], "second": [2, 1, 0], "": [3, 1, 0]}
    assert measured(server, endpoint, "OverheadLatency", "second", 2) > 0

    with pytest.raises(ClientError):
        hosting.ask(endpoint, "die", TargetContainerHostname="first")
    end = time.monotonic() + 60
    while True:  # one that dies takes the instance along, which comes again whole
        try:
            assert hosting.ask(endpoint, TargetContainerHostname="second") == pytest.approx(trained(1)[1], abs=1e-6)
            break
        except hosting.runtime.exceptions.ModelError:
            assert time.monotonic() < end
    with pytest.raises(ClientError) as batch:
        hosting.sagemaker.create_transform_job(
            **Transforming.request(None, model, "s3://hosting-models/none")  # type: ignore[arg-type]
        )
    assert "invoked directly" in refused(batch)[1]
    hosting.gone(endpoint)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"InferenceExecutionConfig": {"Mode": "Direct"}}, "ContainerHostname of each"),
        ({"Containers": [{"Image": SKLEARN, "ContainerHostname": "same"}] * 2}, "more than one container"),
        ({"Containers": [{"Image": SKLEARN}] * 2, "PrimaryContainer": {"Image": SKLEARN}}, "Only one of"),
        ({"Containers": [{"Image": SKLEARN}, {"Image": "nothing/like:it"}]}, "nothing/like:it"),
    ],
)
def test_containers_that_contradict_each_other(hosting: Hosting, changes: dict[str, Any], words: str) -> None:
    request = {"Containers": [{"Image": SKLEARN}] * 2, **changes}
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_model(ModelName=unique("model"), ExecutionRoleArn=ROLE, **request)
    assert refused(error)[0] == "ValidationException" and words in refused(error)[1]
