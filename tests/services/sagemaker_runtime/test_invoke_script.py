"""Script mode behind an endpoint: the four functions, and how their errors come out."""

from __future__ import annotations

import errno
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from runtime_requests import SKLEARN, Hosting, archive, hosting_of

SCRIPT = """
import json

def model_fn(model_dir):
    with open(model_dir + "/factor.json") as file:
        return json.load(file)

def input_fn(body, content_type):
    if content_type != "application/json":
        raise ValueError("I only read JSON, not " + content_type)
    return json.loads(body)

def predict_fn(data, model):
    return [value * model["factor"] for value in data]

def output_fn(prediction, accept, context):
    heard = context.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes")
    context.set_response_header(0, "X-Amzn-SageMaker-Custom-Attributes", f"heard {heard}")
    return json.dumps(prediction), "application/json"
"""
SLEEPER = """
import os, time

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    time.sleep(0.3)
    return str(os.getpid()), "text/plain"
"""
ENDING = """
import os, signal, time

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    print("asked", body, flush=True)
    if body == b"end":
        os.kill(os.getpid(), signal.SIGKILL)
    if body == b"block":
        time.sleep(600)
    return body, "text/plain"
"""
BROKEN = """
def model_fn(model_dir):
    raise RuntimeError("the drawer is empty")
"""
VARIABLES = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


def deployed(hosting: Hosting, script: str, **variables: str) -> str:
    packed = archive({"code/inference.py": script.encode(), "factor.json": b'{"factor": 3}'})
    return hosting.endpoint(hosting.put(packed), image=SKLEARN, environment={**VARIABLES, **variables})


def test_the_scripts_functions_answer_and_their_errors_are_model_errors(hosting: Hosting) -> None:
    name = deployed(hosting, SCRIPT)
    assert hosting.described(name)["EndpointStatus"] == "InService", hosting.described(name)
    answer = hosting.runtime.invoke_endpoint(
        EndpointName=name, Body=b"[1, 2]", ContentType="application/json", CustomAttributes="trace=1"
    )
    assert (answer["Body"].read(), answer["CustomAttributes"]) == (b"[3, 6]", "heard trace=1")
    with pytest.raises(hosting.runtime.exceptions.ModelError) as error:
        hosting.runtime.invoke_endpoint(EndpointName=name, Body=b"1", ContentType="text/plain")
    assert error.value.response["OriginalStatusCode"] >= 400
    assert "I only read JSON, not text/plain" in error.value.response["OriginalMessage"]
    hosting.gone(name)


def test_a_model_fn_that_raises_fails_the_endpoint_and_is_in_its_log(hosting: Hosting, server: Any) -> None:
    name = deployed(hosting, BROKEN)
    found = hosting.described(name)
    assert found["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in found["FailureReason"]
    events = server.client("logs").filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{name}")["events"]
    assert any("the drawer is empty" in event["message"] for event in events)
    hosting.gone(name)


LEAVING = """
import os

def model_fn(model_dir):
    if os.path.exists("/tmp/loaded") or os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"] == "1":
        os.kill(os.getpid(), 11)
    open("/tmp/loaded", "w").close()
"""


@pytest.mark.parametrize(
    ("workers", "words"),
    [("1", "The container was ended by SIGSEGV."), ("2", "was ended by SIGSEGV before it could answer")],
)
def test_a_process_that_cannot_say_why_it_ended_is_spoken_for_in_the_log(
    hosting: Hosting, server: Any, workers: str, words: str
) -> None:
    name = deployed(hosting, LEAVING, SAGEMAKER_MODEL_SERVER_WORKERS=workers)
    assert hosting.described(name)["EndpointStatus"] == "Failed"
    events = server.client("logs").filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{name}")["events"]
    assert any(event["message"].endswith(words) for event in events)
    hosting.gone(name)


PACKED = """
import json, os, pathlib, shutil

def model_fn(model_dir):
    libraries = pathlib.Path(model_dir, "shared_libs")
    if libraries.exists():
        shutil.copytree(libraries, "/lib", dirs_exist_ok=True)

def transform_fn(model, body, content_type, accept):
    systems = next(path for path in sorted(pathlib.Path("/lib").glob("*/*")) if path.is_file())
    try:
        systems.open("a").close()
        refused = 0
    except OSError as error:
        refused = error.errno
    return json.dumps([os.path.exists("/lib/libmine.so.1"), refused]), "application/json"
"""


def test_shared_libraries_are_copied_where_modelbuilder_wants_them(hosting: Hosting) -> None:
    """What SDK 3 packs begins so (``sagemaker/serve/model_server/torchserve/inference.py``). The system's own files
    stay as they are."""
    files = {"code/inference.py": PACKED.encode(), "shared_libs/libmine.so.1": b"elf"}
    name = hosting.endpoint(hosting.put(archive(files)), image=SKLEARN, environment=VARIABLES)
    assert hosting.described(name)["EndpointStatus"] == "InService"
    answer = hosting.runtime.invoke_endpoint(EndpointName=name, Body=b"x", ContentType="text/csv")
    assert json.loads(answer["Body"].read()) == [True, errno.EROFS]
    hosting.gone(name)


def test_a_model_that_ends_or_blocks_costs_that_request_and_is_not_asked_again(hosting: Hosting, server: Any) -> None:
    name = deployed(hosting, ENDING, SAGEMAKER_MODEL_SERVER_TIMEOUT="1")

    def ask(body: bytes) -> bytes:
        answer = hosting.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="text/plain")
        said: bytes = answer["Body"].read()
        return said

    for body in (b"end", b"block"):
        with pytest.raises(hosting.runtime.exceptions.ModelError) as error:
            ask(body)
        said = error.value.response
        assert (said["ResponseMetadata"]["HTTPStatusCode"], said["OriginalStatusCode"]) == (424, 0)
        assert said["OriginalMessage"].startswith(
            f"Amazon SageMaker could not get a response from the {name} endpoint."
        )
        assert said["Error"]["Message"].startswith("Received server error (0) from primary with message ")
        assert ask(b"after " + body) == b"after " + body, "it waits until the model is there again"
    hosting.gone(name)
    events = server.client("logs").filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{name}")["events"]
    lines = [event["message"] for event in events]
    asked = [b"end", b"after end", b"block", b"after block"]
    assert [lines.count(f"asked {word!r}") for word in asked] == [1, 1, 1, 1], lines


def test_as_many_workers_as_asked_for_answer_at_once(hosting: Hosting) -> None:
    name = deployed(hosting, SLEEPER, SAGEMAKER_MODEL_SERVER_WORKERS="2")

    def ask(_: int) -> bytes:
        answer = hosting.runtime.invoke_endpoint(EndpointName=name, Body=b"1", ContentType="application/json")
        said: bytes = answer["Body"].read()
        return said

    end = time.monotonic() + 30
    with ThreadPoolExecutor(2) as pool:
        while len(set(pool.map(ask, range(2)))) < 2:
            assert time.monotonic() < end
    hosting.gone(name)
