"""InvokeEndpointWithResponseStream through boto3: parts come while the model makes them, and every way to end."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError
from runtime_requests import SKLEARN, Hosting, archive, endpoint_that_serves, hosting_of, refused

SCRIPT = """
import json, os, time

def model_fn(model_dir):
    return {"closed": 0}

def transform_fn(model, body, content_type, accept):
    asked = json.loads(body)
    if asked.get("closed"):
        return json.dumps(model["closed"]), "application/json"
    if asked.get("refuse"):
        raise ValueError("I will not")
    return parts(model, asked), "text/event-stream"

def parts(model, asked):
    try:
        if asked.get("at_once"):
            raise ValueError("broken from the start")
        for number in range(asked["parts"]):
            if number == asked.get("break_at"):
                raise ValueError("half way")
            if number == asked.get("die_at"):
                os._exit(1)
            yield f"{number};" * asked.get("times", 1)
            time.sleep(asked.get("pause", 0))
    finally:
        model["closed"] += 1
"""
VARIABLES = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.fixture(scope="module")
def endpoint(hosting: Hosting) -> Iterator[str]:
    packed = archive({"code/inference.py": SCRIPT.encode()})
    name = hosting.endpoint(hosting.put(packed), image=SKLEARN, environment=VARIABLES)
    assert hosting.described(name)["EndpointStatus"] == "InService"
    yield name
    hosting.gone(name)


def streamed(hosting: Hosting, endpoint: str, **asked: Any) -> Any:
    return hosting.runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, Body=json.dumps(asked), ContentType="application/json"
    )


def parts_of(answer: Any) -> Generator[bytes, None, None]:
    try:
        for event in answer["Body"]:
            yield event["PayloadPart"]["Bytes"]
    finally:
        answer["Body"].close()


def test_parts_come_while_the_model_makes_them(hosting: Hosting, endpoint: str) -> None:
    answer = streamed(hosting, endpoint, parts=4, pause=0.6)
    assert answer["ContentType"] == "text/event-stream; charset=utf-8"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    came = []
    for part in parts_of(answer):
        came.append((part, time.monotonic()))
    assert b"".join(part for part, _ in came) == b"0;1;2;3;"
    assert len(came) == 4
    assert came[-1][1] - came[0][1] > 0.5, "they came together, at the end"


def test_long_parts_come_whole(hosting: Hosting, endpoint: str) -> None:
    answer = streamed(hosting, endpoint, parts=20, times=200_000)
    assert b"".join(parts_of(answer)) == b"".join(b"%d;" % number * 200_000 for number in range(20))


def test_invoke_endpoint_gives_the_same_answer_whole(hosting: Hosting, endpoint: str) -> None:
    answer = hosting.runtime.invoke_endpoint(
        EndpointName=endpoint, Body=json.dumps({"parts": 3}), ContentType="application/json"
    )
    assert answer["Body"].read() == b"0;1;2;"


def test_a_model_that_answers_whole_is_one_part(hosting: Hosting) -> None:
    name = endpoint_that_serves(hosting)
    answer = hosting.runtime.invoke_endpoint_with_response_stream(
        EndpointName=name, Body=b"0.5,1.0", ContentType="text/csv", Accept="application/json"
    )
    assert answer["ContentType"] == "application/json"
    (part,) = parts_of(answer)
    assert "predictions" in json.loads(part)
    hosting.gone(name)


@pytest.mark.parametrize(("asked", "said"), [({"refuse": True}, "I will not"), ({"at_once": True}, "from the start")])
def test_an_error_before_the_first_part_is_a_model_error(
    hosting: Hosting, endpoint: str, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(hosting.runtime.exceptions.ModelError) as error:
        streamed(hosting, endpoint, **asked)
    assert error.value.response["OriginalStatusCode"] == 500
    assert said in error.value.response["OriginalMessage"]


@pytest.mark.parametrize("way", ["break_at", "die_at"])
def test_an_answer_that_breaks_off_ends_the_stream_with_an_error(hosting: Hosting, endpoint: str, way: str) -> None:
    answer = streamed(hosting, endpoint, parts=5, pause=0.05, **{way: 2})
    came = []
    with pytest.raises(EventStreamError) as error:
        for part in parts_of(answer):
            came.append(part)
    assert b"".join(came) == b"0;1;"
    assert error.value.response["Error"]["Code"] == "ModelStreamError"
    assert str(error.value).endswith(
        "The model's answer broke off: the connection was closed before the answer was complete."
    )
    assert b"".join(parts_of(streamed(hosting, endpoint, parts=1))) == b"0;"


@pytest.mark.parametrize("way", ["break_at", "die_at"])
def test_an_answer_that_breaks_off_is_no_answer_where_it_was_to_come_whole(
    hosting: Hosting, endpoint: str, way: str
) -> None:
    def ask(**asked: Any) -> bytes:
        answer = hosting.runtime.invoke_endpoint(
            EndpointName=endpoint, Body=json.dumps(asked), ContentType="application/json"
        )
        said: bytes = answer["Body"].read()
        return said

    with pytest.raises(hosting.runtime.exceptions.ModelError) as error:
        ask(parts=5, pause=0.05, **{way: 2})
    assert error.value.response["OriginalStatusCode"] == 0
    assert "before the answer was complete" in error.value.response["OriginalMessage"]
    assert ask(parts=2) == b"0;1;"


def test_a_client_that_leaves_ends_the_models_work(hosting: Hosting, endpoint: str) -> None:
    def closed() -> int:
        answer = hosting.runtime.invoke_endpoint(
            EndpointName=endpoint, Body='{"closed": 1}', ContentType="application/json"
        )
        return int(answer["Body"].read())

    before = closed()
    answer = streamed(hosting, endpoint, parts=1_000, pause=0.02)
    reading = parts_of(answer)
    next(reading)
    reading.close()
    assert closed() == before + 1, "the generator went on without a reader"


def test_what_is_not_there_is_refused_before_anything_is_sent(hosting: Hosting) -> None:
    with pytest.raises(ClientError) as error:
        streamed(hosting, "none")
    assert refused(error) == ("ValidationError", "Endpoint none of account 123456789012 not found.")
