"""Inference components through boto3: models that share an endpoint's instances, called by name."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import ROLE, XGBOOST, Hosting, hosting_of, refused, trained, unique


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


def hosts(hosting: Hosting, instance_type: str = "ml.m5.large") -> str:
    """An endpoint of one instance (two cores, 8,192 MB) without a model."""
    name = unique("shared")
    variant = {"VariantName": "All", "InstanceType": instance_type, "InitialInstanceCount": 1}
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ExecutionRoleArn=ROLE, ProductionVariants=[variant]
    )
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert hosting.settled(name)["EndpointStatus"] == "InService"
    return name


@pytest.fixture(scope="module")
def endpoint(hosting: Hosting) -> Iterator[str]:
    name = hosts(hosting)
    yield name
    hosting.gone(name)


def container(hosting: Hosting, factor: int) -> dict[str, Any]:
    return {"Container": {"Image": XGBOOST, "ArtifactUrl": hosting.put(trained(factor)[0])}}


def request(endpoint: str, source: dict[str, Any], copies: int = 1, **needs: Any) -> dict[str, Any]:
    needs = {"MinMemoryRequiredInMb": 1024, "NumberOfCpuCoresRequired": 0.25, **needs}
    return {
        "InferenceComponentName": unique("component"),
        "EndpointName": endpoint,
        "VariantName": "All",
        "Specification": {**source, "ComputeResourceRequirements": needs},
        "RuntimeConfig": {"CopyCount": copies},
    }


def created(hosting: Hosting, asked: dict[str, Any]) -> str:
    name = str(asked["InferenceComponentName"])
    answer = hosting.sagemaker.create_inference_component(**asked)
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:inference-component/{name}"
    assert answer["InferenceComponentArn"] == arn
    assert settled(hosting, name)["InferenceComponentStatus"] == "InService"
    return name


def settled(hosting: Hosting, name: str) -> dict[str, Any]:
    end = time.monotonic() + 100
    while True:
        found: dict[str, Any] = hosting.sagemaker.describe_inference_component(InferenceComponentName=name)
        if found["InferenceComponentStatus"] not in ("Creating", "Updating"):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


def gone(hosting: Hosting, name: str) -> None:
    hosting.sagemaker.delete_inference_component(InferenceComponentName=name)
    end = time.monotonic() + 60
    while True:
        try:
            found = hosting.sagemaker.describe_inference_component(InferenceComponentName=name)
        except ClientError as error:
            assert "Could not find inference component" in str(error)
            return
        assert found["InferenceComponentStatus"] == "Deleting"
        assert time.monotonic() < end
        time.sleep(0.05)


def assert_logged(logs: Any, group: str, words: str) -> None:
    """What a model server writes is taken over some moments later."""
    end = time.monotonic() + 30
    while words not in "\n".join(event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]):
        assert time.monotonic() < end, f"{words!r} is not in {group}"
        time.sleep(0.1)


def ask(hosting: Hosting, endpoint: str, component: str) -> float:
    return hosting.ask(endpoint, InferenceComponentName=component)


def test_two_models_on_one_instance(hosting: Hosting, endpoint: str, client: Any) -> None:
    first = created(hosting, request(endpoint, container(hosting, 1)))
    model = hosting.model(hosting.put(trained(2)[0]))
    second = created(hosting, request(endpoint, {"ModelName": model}))
    assert ask(hosting, endpoint, first) == pytest.approx(trained(1)[1], abs=1e-6)
    assert ask(hosting, endpoint, second) == pytest.approx(trained(2)[1], abs=1e-6)
    stream = hosting.runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, InferenceComponentName=first, Body="0.5,1.0", ContentType="text/csv"
    )
    assert b"".join(event["PayloadPart"]["Bytes"] for event in stream["Body"])
    stream["Body"].close()

    found = hosting.sagemaker.describe_inference_component(InferenceComponentName=first)
    assert (found["EndpointName"], found["VariantName"]) == (endpoint, "All")
    assert found["EndpointArn"].endswith(f":endpoint/{endpoint}")
    assert found["RuntimeConfig"] == {"DesiredCopyCount": 1, "CurrentCopyCount": 1}
    deployed = found["Specification"]["Container"]["DeployedImage"]
    assert deployed["SpecifiedImage"] == deployed["ResolvedImage"] == XGBOOST
    assert found["Specification"]["ComputeResourceRequirements"]["MinMemoryRequiredInMb"] == 1024
    described = hosting.described(endpoint)["ProductionVariants"][0]
    assert described["CurrentInstanceCount"] == 1 and "DeployedImages" not in described

    def listed(**filters: Any) -> set[str]:
        pages = hosting.sagemaker.get_paginator("list_inference_components").paginate(**filters)
        return {each["InferenceComponentName"] for page in pages for each in page["InferenceComponents"]}

    assert listed(EndpointNameEquals=endpoint, StatusEquals="InService") == {first, second}
    assert listed(EndpointNameEquals="none") == set()
    assert listed(EndpointNameEquals=endpoint, NameContains=second) == {second}

    with pytest.raises(hosting.runtime.exceptions.ModelError) as error:
        hosting.ask(endpoint, "a,b", InferenceComponentName=first)
    assert error.value.response["LogStreamArn"].endswith(f":log-group:/aws/sagemaker/InferenceComponents/{first}")
    assert_logged(client("logs"), f"/aws/sagemaker/InferenceComponents/{first}", "could not convert")

    with pytest.raises(ClientError) as busy:
        hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    assert "inference components" in refused(busy)[1]
    gone(hosting, first)
    with pytest.raises(ClientError) as away:
        ask(hosting, endpoint, first)
    assert refused(away)[0] == "ValidationError"
    assert ask(hosting, endpoint, second) == pytest.approx(trained(2)[1], abs=1e-6)
    gone(hosting, second)


def test_an_endpoint_of_components_wants_a_name(hosting: Hosting, endpoint: str) -> None:
    with pytest.raises(ClientError) as error:
        hosting.ask(endpoint)
    assert refused(error) == (
        "ValidationError",
        "Inference Component Name header is required for endpoints to which you plan to deploy inference components. "
        "Please include Inference Component Name header or consider using SageMaker models.",
    )
    with pytest.raises(ClientError) as error:
        ask(hosting, endpoint, "none")
    assert "no inference component none" in refused(error)[1]


def test_copies_come_and_go_and_the_model_is_replaced(hosting: Hosting, endpoint: str) -> None:
    name = created(hosting, request(endpoint, container(hosting, 1)))
    scale = hosting.sagemaker.update_inference_component_runtime_config
    scale(InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 2})
    with pytest.raises(ClientError) as busy:
        scale(InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 1})
    assert "in-progress" in refused(busy)[1]
    assert settled(hosting, name)["RuntimeConfig"] == {"DesiredCopyCount": 2, "CurrentCopyCount": 2}
    specification = request(endpoint, container(hosting, 3))["Specification"]
    hosting.sagemaker.update_inference_component(InferenceComponentName=name, Specification=specification)
    assert settled(hosting, name)["RuntimeConfig"]["CurrentCopyCount"] == 2
    assert ask(hosting, endpoint, name) == pytest.approx(trained(3)[1], abs=1e-6)
    scale(InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 0})
    assert settled(hosting, name)["RuntimeConfig"] == {"DesiredCopyCount": 0, "CurrentCopyCount": 0}
    with pytest.raises(ClientError) as none:
        ask(hosting, endpoint, name)
    assert "no copies" in refused(none)[1]
    gone(hosting, name)


def test_what_does_not_fit_is_refused(hosting: Hosting, endpoint: str) -> None:
    large = request(endpoint, container(hosting, 1), MinMemoryRequiredInMb=5000)
    name = created(hosting, large)
    for needs in ({"MinMemoryRequiredInMb": 4000}, {"NumberOfCpuCoresRequired": 2.0}):
        with pytest.raises(ClientError) as error:
            hosting.sagemaker.create_inference_component(**request(endpoint, container(hosting, 1), **needs))
        assert refused(error)[0] == "ValidationException" and "do not fit" in refused(error)[1]
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.update_inference_component_runtime_config(
            InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 2}
        )
    assert "do not fit" in refused(error)[1]
    gone(hosting, name)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"EndpointName": "none"}, "Could not find endpoint"),
        ({"VariantName": "Other"}, "has no variant Other"),
        ({"Specification": {"ModelName": "none"}}, "Could not find model"),
        ({"Specification": {"BaseInferenceComponentName": "other"}}, "BaseInferenceComponentName"),
        ({"Specification": {"ModelName": "m", "Container": {"Image": XGBOOST}}}, "either a ModelName or a Container"),
        ({"Specification": {"Container": {"Image": "mine:1"}}}, "not the address of an image"),
        ({"Specification": {"SchedulingConfig": {"PlacementStrategy": "SPREAD"}}}, "SchedulingConfig"),
        ({"RuntimeConfig": {"CopyCount": 99}}, "99"),
    ],
)
def test_what_is_not_there_or_not_done_is_said(
    hosting: Hosting, endpoint: str, changes: dict[str, Any], said: str
) -> None:
    asked = request(endpoint, {"Container": {"Image": XGBOOST}})
    if "Specification" in changes:
        needs = asked["Specification"]["ComputeResourceRequirements"]
        changes = {"Specification": {**changes["Specification"], "ComputeResourceRequirements": needs}}
    with pytest.raises(ClientError) as error:
        hosting.sagemaker.create_inference_component(**{**asked, **changes})
    assert said in refused(error)[1]


def test_a_component_needs_an_endpoint_without_models(hosting: Hosting) -> None:
    with pytest.raises(ClientError) as error:
        hosts(hosting, "ml.g4dn.xlarge")
    assert "ml.g4dn.xlarge" in refused(error)[1]
    with pytest.raises(ClientError) as error:
        hosting.config({"VariantName": "All"})
    assert "ExecutionRoleArn" in refused(error)[1]


@pytest.mark.slow
def test_a_component_outlives_the_server(start_server: Callable[..., Any]) -> None:
    server = start_server()
    hosting = Hosting(server.client)
    endpoint = hosts(hosting)
    name = created(hosting, request(endpoint, container(hosting, 1)))
    expected = pytest.approx(trained(1)[1], abs=1e-6)
    assert ask(hosting, endpoint, name) == expected

    def processes() -> set[str]:
        return {path.name for path in (server.data / "run" / "processes").glob("endpoint-*")}

    before = processes()
    server.stop(signal.SIGKILL)
    server.start()
    hosting = Hosting(server.client)
    assert ask(hosting, endpoint, name) == expected
    assert processes() == before and len(before) == 1, "the model was loaded anew"
    gone(hosting, name)
    hosting.gone(endpoint)
    assert processes() == set()
