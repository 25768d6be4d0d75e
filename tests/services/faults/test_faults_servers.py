"""A server that is killed, or told to end, while endpoints of every kind answer: no model is loaded anew for it."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "sagemaker"))

from hosting_requests import ROLE, SKLEARN, Hosting, archive, unique

SCRIPT = """
import os, time

def model_fn(model_dir):
    return os.urandom(8).hex()

def transform_fn(model, body, content_type, accept):
    body = body.decode() if isinstance(body, bytes) else body
    if body.startswith("slowly"):
        time.sleep(3)
    return body + " " + model, "text/csv"
"""
VARIABLES = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


class Kinds:
    """An endpoint of each kind; whoever answers tells which loading of the model he is of."""

    def __init__(self, hosting: Hosting) -> None:
        self.hosting = hosting
        self.url = hosting.put(archive({"code/inference.py": SCRIPT.encode()}))
        self.container = {"Image": SKLEARN, "ModelDataUrl": self.url, "Environment": VARIABLES}
        model = hosting.model(self.url, image=SKLEARN, environment=VARIABLES)
        self.variants = self._endpoint(*({"VariantName": name, "ModelName": model} for name in ("a", "b")))
        self.row = self._endpoint({"VariantName": "a", "ModelName": self._several("Serial")})
        self.direct = self._endpoint({"VariantName": "a", "ModelName": self._several("Direct")})
        self.shared = unique("shared")
        host = {"VariantName": "a", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        hosting.sagemaker.create_endpoint_config(
            EndpointConfigName=self.shared, ExecutionRoleArn=ROLE, ProductionVariants=[host]
        )
        hosting.sagemaker.create_endpoint(EndpointName=self.shared, EndpointConfigName=self.shared)
        for each in (self.variants, self.row, self.direct, self.shared):
            assert hosting.settled(each)["EndpointStatus"] == "InService"
        self.component = self._component()

    def _endpoint(self, *variants: dict[str, Any]) -> str:
        name = unique("kind")
        self.hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=self.hosting.config(*variants))
        return name

    def _several(self, mode: str) -> str:
        name = unique("several")
        self.hosting.sagemaker.create_model(
            ModelName=name,
            Containers=[{**self.container, "ContainerHostname": each} for each in ("first", "second")],
            InferenceExecutionConfig={"Mode": mode},
            ExecutionRoleArn=ROLE,
        )
        return name

    def _component(self) -> str:
        name = unique("component")
        held = {"Image": SKLEARN, "ArtifactUrl": self.url, "Environment": VARIABLES}
        needs = {"MinMemoryRequiredInMb": 1024, "NumberOfCpuCoresRequired": 0.25}
        self.hosting.sagemaker.create_inference_component(
            InferenceComponentName=name,
            EndpointName=self.shared,
            VariantName="a",
            Specification={"Container": held, "ComputeResourceRequirements": needs},
            RuntimeConfig={"CopyCount": 1},
        )
        end = time.monotonic() + 100
        while self._status(name) == "Creating":
            assert time.monotonic() < end
            time.sleep(0.1)
        assert self._status(name) == "InService"
        return name

    def _status(self, name: str) -> str:
        described = self.hosting.sagemaker.describe_inference_component(InferenceComponentName=name)
        return str(described["InferenceComponentStatus"])

    def ways(self) -> Iterator[dict[str, str]]:
        """How each model there is is asked."""
        for name in ("a", "b"):
            yield {"EndpointName": self.variants, "TargetVariant": name}
        yield {"EndpointName": self.row}
        for name in ("first", "second"):
            yield {"EndpointName": self.direct, "TargetContainerHostname": name}
        yield {"EndpointName": self.shared, "InferenceComponentName": self.component}


def ask(client: Callable[..., Any], way: dict[str, str], body: str = "x") -> str:
    answer = client("sagemaker-runtime").invoke_endpoint(Body=body, ContentType="text/csv", **way)
    return str(answer["Body"].read().decode())


@pytest.mark.slow
def test_every_kind_of_endpoint_answers_on_without_loading_anew(start_server: Callable[..., Any]) -> None:
    server = start_server()
    kinds = Kinds(Hosting(server.client))
    before = [ask(server.client, way) for way in kinds.ways()]
    assert len(set(before)) == len(before), "each is a loading of its own"
    server.stop(signal.SIGKILL)
    server.start()
    assert [ask(server.client, way) for way in kinds.ways()] == before

    answers: dict[int, str] = {}

    def slowly(number: int, way: dict[str, str]) -> None:
        answers[number] = ask(server.client, way, "slowly")

    threads = [threading.Thread(target=slowly, args=each) for each in enumerate(kinds.ways())]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    server.stop(signal.SIGTERM)
    for thread in threads:
        thread.join()
    told = [answers.get(number, "").removeprefix("slowly") for number in range(len(threads))]
    assert told == [text.removeprefix("x") for text in before], "what was asked before the end was answered"
    server.start()
    assert [ask(server.client, way) for way in kinds.ways()] == before
