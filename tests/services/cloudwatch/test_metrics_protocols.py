"""PutMetricData as older and newer SDKs send it: query, JSON and CBOR, plain and compressed."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

NOW = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)


def send(server: Any, headers: dict[str, str], body: bytes, path: str = "/") -> tuple[int, bytes]:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    keys = server.keys
    request = AWSRequest("POST", server.url + path, headers, body)
    SigV4Auth(
        Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"]), "monitoring", "us-east-1"
    ).add_auth(request)
    sent = urllib.request.Request(server.url + path, body, dict(request.headers.items()), method="POST")
    try:
        with urllib.request.urlopen(sent) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def query(namespace: str) -> tuple[dict[str, str], bytes, str]:
    form = {
        "Action": "PutMetricData",
        "Version": "2010-08-01",
        "Namespace": namespace,
        "MetricData.member.1.MetricName": "m",
        "MetricData.member.1.Timestamp": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "MetricData.member.1.Dimensions.member.1.Name": "d",
        "MetricData.member.1.Dimensions.member.1.Value": "v",
        "MetricData.member.1.Values.member.1": "1.5",
        "MetricData.member.1.Values.member.2": "2.5",
        "MetricData.member.1.Counts.member.1": "3",
        "MetricData.member.1.Counts.member.2": "1",
        "MetricData.member.1.Unit": "Count",
    }
    return {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, urlencode(form).encode(), "/"


def members(namespace: str, at: Any) -> dict[str, Any]:
    datum = {
        "MetricName": "m",
        "Timestamp": at,
        "Dimensions": [{"Name": "d", "Value": "v"}],
        "Values": [1.5, 2.5],
        "Counts": [3.0, 1.0],
        "Unit": "Count",
    }
    return {"Namespace": namespace, "MetricData": [datum]}


def as_json(namespace: str) -> tuple[dict[str, str], bytes, str]:
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData",
    }
    return headers, json.dumps(members(namespace, NOW.timestamp())).encode(), "/"


def as_cbor(namespace: str) -> tuple[dict[str, str], bytes, str]:
    from botocore.serialize import create_serializer
    from botocore.session import get_session

    operation = get_session().get_service_model("cloudwatch").operation_model("PutMetricData")
    made = create_serializer("smithy-rpc-v2-cbor", False).serialize_to_request(members(namespace, NOW), operation)
    return dict(made["headers"]), bytes(made["body"]), made["url_path"]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("protocol", [query, as_json, as_cbor])
def test_each_protocol(server: Any, protocol: Any, compressed: bool) -> None:
    namespace = f"protocols/{protocol.__name__}/{compressed}"
    headers, body, path = protocol(namespace)
    if compressed:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body)
    status, answer = send(server, headers, body, path)
    assert status == 200, answer
    (point,) = server.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName="m",
        Dimensions=[{"Name": "d", "Value": "v"}],
        StartTime=NOW,
        EndTime=NOW + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum", "SampleCount", "Maximum"],
    )["Datapoints"]
    assert (point["Sum"], point["SampleCount"], point["Maximum"], point["Unit"]) == (7.0, 4.0, 2.5, "Count")


def test_a_request_may_have_a_megabyte(server: Any) -> None:
    given = members("protocols/large", NOW.timestamp())
    given["MetricData"][0]["Dimensions"] = [{"Name": f"d{number}", "Value": "v" * 1000} for number in range(30)]
    given["MetricData"] *= 40
    headers, _, path = as_json("x")
    status, answer = send(server, headers, json.dumps(given).encode(), path)
    assert status == 413 and b"RequestEntityTooLarge" in answer
    headers["Content-Encoding"] = "gzip"
    status, answer = send(server, headers, gzip.compress(json.dumps(given).encode()), path)
    assert status == 200, answer
