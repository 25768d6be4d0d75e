"""Data capture through boto3: what an endpoint was asked and answered lies in S3, as AWS writes it."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime_requests import SKLEARN, Hosting, archive, hosting_of, unique

SCRIPT = """
def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    if isinstance(body, str):
        body = body.encode()
    if body == b"refuse":
        raise ValueError("I will not")
    if accept == "text/event-stream":
        return iter([body[:3], body[3:]]), accept
    return body[::-1], accept
"""
VARIABLES = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
CAPTURE: dict[str, Any] = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://hosting-models/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
}
KEY = re.compile(
    r"(?P<prefix>.+)/(?P<endpoint>[^/]+)/(?P<variant>[^/]+)/(\d{4}/\d\d/\d\d/\d\d)/\d\d-\d\d-\d{3}-[0-9a-f]{8}(-[0-9a-f]{4}){3}"
    r"-[0-9a-f]{12}\.jsonl"
)
CASES = Path(__file__).parents[3].parent / "shared" / "reference" / "cases" / "capture-01-jsonl" / "expected"


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.fixture(scope="module")
def model(hosting: Hosting) -> str:
    url = hosting.put(archive({"code/inference.py": SCRIPT.encode()}))
    return hosting.model(url, image=SKLEARN, environment=VARIABLES)


def config_of(hosting: Hosting, model: str, **capture: Any) -> str:
    name = unique("config")
    variant = {"VariantName": "AllTraffic", "ModelName": model, "InstanceType": "ml.m5.large"}
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{**variant, "InitialInstanceCount": 1}],
        DataCaptureConfig={**CAPTURE, **capture},
    )
    return name


@pytest.fixture(scope="module")
def endpoint(hosting: Hosting, model: str) -> Iterator[str]:
    name = unique("endpoint")
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config_of(hosting, model))
    assert hosting.settled(name)["EndpointStatus"] == "InService"
    yield name
    hosting.gone(name)


@pytest.fixture
def asked(hosting: Hosting, endpoint: str) -> Callable[..., str]:
    """Ask the endpoint; the id that the answer's record must have."""

    def ask(body: bytes, content_type: str, accept: str = "text/csv", **others: Any) -> str:
        answer = hosting.runtime.invoke_endpoint(
            EndpointName=endpoint, Body=body, ContentType=content_type, Accept=accept, **others
        )
        assert answer["Body"].read() == body[::-1]
        return str(answer["ResponseMetadata"]["RequestId"])

    return ask


def captured(hosting: Hosting, endpoint: str, prefix: str = "captured") -> dict[str, tuple[str, str]]:
    """Event id → the key and the line that it is in."""
    found: dict[str, tuple[str, str]] = {}
    pages = hosting.s3.get_paginator("list_objects_v2").paginate(
        Bucket="hosting-models", Prefix=f"{prefix}/{endpoint}/"
    )
    for key in [each["Key"] for page in pages for each in page.get("Contents", ())]:
        text = hosting.s3.get_object(Bucket="hosting-models", Key=key)["Body"].read().decode()
        assert text.endswith("\n")
        for line in text[:-1].split("\n"):
            id = json.loads(line)["eventMetadata"]["eventId"]
            assert id not in found, "captured twice"
            found[id] = key, line
    return found


def record(hosting: Hosting, endpoint: str, id: str, **others: Any) -> tuple[str, str]:
    end = time.monotonic() + 30
    while id not in (found := captured(hosting, endpoint, **others)):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found[id]


@pytest.mark.parametrize(
    "case", ["csv.jsonl", "csv_request_with_newline.jsonl", "csv_with_inference_id.jsonl", "json.jsonl"]
)
def test_a_record_is_what_aws_wrote_of_the_same_request(
    hosting: Hosting, endpoint: str, asked: Callable[..., str], case: str
) -> None:
    if not CASES.is_dir():
        pytest.skip(f"the reference cases are not at {CASES}")
    line = (CASES / case).read_text().splitlines()[0]
    theirs = json.loads(line)
    given, id = theirs["captureData"]["endpointInput"], theirs["eventMetadata"].get("inferenceId")
    body = given["data"].encode()
    type = given["observedContentType"]
    event = asked(body, type, type, **({"InferenceId": id} if id else {}))
    key, ours = record(hosting, endpoint, event)
    place = KEY.fullmatch(key)
    assert place is not None and place["prefix"] == "captured" and place["variant"] == "AllTraffic"
    at = json.loads(ours)["eventMetadata"]["inferenceTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", at)
    assert place[4] == time.strftime("%Y/%m/%d/%H", time.strptime(at, "%Y-%m-%dT%H:%M:%SZ"))
    expected = (
        line.replace(theirs["eventMetadata"]["eventId"], event)
        .replace(theirs["eventMetadata"]["inferenceTime"], at)
        .replace(
            json.dumps(theirs["captureData"]["endpointOutput"]["data"], ensure_ascii=False),
            json.dumps(body[::-1].decode(), ensure_ascii=False),
        )
    )
    if "charset" in theirs["captureData"]["endpointOutput"]["observedContentType"]:
        output = json.loads(ours)["captureData"]["endpointOutput"]["observedContentType"]
        assert output.startswith("text/csv")
        expected = expected.replace("text/csv; charset=utf-8", output)
    assert ours == expected


@pytest.mark.parametrize(
    ("body", "type"),
    [
        (b"1,2\n3,4\n", "text/csv"),
        ('{"name": "Müller \\u2028 \N{PILE OF POO}"}'.encode(), "application/json; charset=utf-8"),
        (b'\x00\x01\t\x7f\r\n,"\\', "text/csv"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"x" * 6_000_000, "text/csv"),
    ],
    ids=["lines", "unicode", "controls", "not UTF-8 under CSV", "huge"],
)
def test_both_ways_of_a_request_capture_every_byte(
    hosting: Hosting, endpoint: str, asked: Callable[..., str], body: bytes, type: str
) -> None:
    told = {"InferenceId": 'an "id"', "CustomAttributes": "trace=1"}
    ids = asked(body, type, "text/csv", **told), asked(body, type, "text/csv", SessionId="NEW_SESSION", **told)
    lines = [json.loads(record(hosting, endpoint, id)[1]) for id in ids]
    for line in lines:
        input, output = line["captureData"]["endpointInput"], line["captureData"]["endpointOutput"]
        assert input["observedContentType"] == type
        for side, sent in ((input, body), (output, body[::-1])):
            text = side["data"]
            assert (base64.b64decode(text) if side["encoding"] == "BASE64" else text.encode()) == sent
        assert input["encoding"] == {"text/csv": "CSV", "image/png": "BASE64"}.get(type, "JSON")
        assert (output["encoding"] == "CSV") == (type == "text/csv"), "the others are no UTF-8 backwards"
        assert list(line["eventMetadata"]) == ["eventId", "customAttributes", "inferenceId", "inferenceTime"]
        assert line["eventMetadata"]["inferenceId"] == 'an "id"'
        assert line["eventMetadata"]["customAttributes"] == ["trace=1"]
        del line["eventMetadata"]
    assert lines[0] == lines[1]


def test_a_refusal_of_the_model_is_not_captured_and_a_stream_is(
    hosting: Hosting, endpoint: str, asked: Callable[..., str]
) -> None:
    with pytest.raises(hosting.runtime.exceptions.ModelError) as error:
        asked(b"refuse", "text/csv")
    answer = hosting.runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, Body=b"1,2,3", ContentType="text/csv", Accept="text/event-stream"
    )
    assert b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"]) == b"1,2,3"
    answer["Body"].close()
    line = json.loads(record(hosting, endpoint, answer["ResponseMetadata"]["RequestId"])[1])
    output = line["captureData"]["endpointOutput"]
    assert base64.b64decode(output["data"]) == b"1,2,3"
    assert error.value.response["ResponseMetadata"]["RequestId"] not in captured(hosting, endpoint)


def test_capture_is_described_changed_and_switched_off(hosting: Hosting, model: str) -> None:
    name = unique("endpoint")
    capture = {"DestinationS3Uri": "s3://hosting-models/other/", "CaptureOptions": [{"CaptureMode": "InputAndOutput"}]}
    config = config_of(hosting, model, **capture, KmsKeyId="alias/mine", InitialSamplingPercentage=0)
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    assert hosting.settled(name)["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 0,
        "DestinationS3Uri": "s3://hosting-models/other/",
        "KmsKeyId": "alias/mine",
    }

    def ask() -> str:
        answer = hosting.runtime.invoke_endpoint(
            EndpointName=name, Body=b"1,2", ContentType="text/csv", Accept="text/csv"
        )
        return str(answer["ResponseMetadata"]["RequestId"])

    def update(**changed: Any) -> dict[str, Any]:
        new = config_of(hosting, model, **{**capture, **changed})
        hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=new)
        settled = hosting.settled(name)
        assert settled["EndpointConfigName"] == new
        summary: dict[str, Any] = settled["DataCaptureConfig"]
        return summary

    never = [ask()]
    only_output = {
        "CaptureOptions": [{"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["a/b"]},
    }
    assert update(**only_output)["KmsKeyId"] == ""
    line = json.loads(record(hosting, name, ask(), prefix="other")[1])
    assert list(line["captureData"]) == ["endpointOutput"]
    assert line["captureData"]["endpointOutput"]["encoding"] == "BASE64"
    summary = update(EnableCapture=False)
    assert (summary["EnableCapture"], summary["CaptureStatus"]) == (False, "Stopped")
    never.append(ask())
    assert update()["CaptureStatus"] == "Started"
    last = ask()
    hosting.gone(name)
    assert record(hosting, name, last, prefix="other"), "captured before the endpoint was deleted"
    assert not set(never) & set(captured(hosting, name, prefix="other"))
