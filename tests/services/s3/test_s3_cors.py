"""Pages of other origins: what a bucket's CORS configuration lets in, and that nothing else comes in with it."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

PAGE = "https://app.example.com"
RULES = [
    {
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": ["https://*.example.com"],
        "AllowedHeaders": ["x-amz-*", "content-type"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 600,
    },
    {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]},
]


def ask(server: Any, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, named)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.fixture
def crossed(s3: Any, bucket: str) -> str:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    return bucket


def test_the_configuration_is_kept(s3, bucket, refused) -> None:
    assert refused(s3.get_bucket_cors, Bucket=bucket).code == "NoSuchCORSConfiguration"
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES
    s3.delete_bucket_cors(Bucket=bucket)
    assert refused(s3.get_bucket_cors, Bucket=bucket).status == 404
    for rule, words in (
        ({"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}, "Unsupported method is PATCH"),
        ({"AllowedMethods": ["GET"], "AllowedOrigins": ["*.*"]}, "more than one wildcard"),
        ({"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposeHeaders": ["x-*"]}, "contains wildcard"),
    ):
        refusal = refused(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
        assert (refusal.code, words in refusal.message) == ("InvalidRequest", True)


def test_preflights(server, crossed) -> None:
    asks = {"Origin": PAGE, "Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "X-Amz-Date"}
    status, headers, _ = ask(server, "OPTIONS", f"/{crossed}/key", **asks)
    assert status == 200
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["access-control-allow-methods"] == "GET, PUT"
    assert headers["access-control-allow-headers"] == "x-amz-date"
    assert headers["access-control-expose-headers"] == "ETag"
    assert headers["access-control-max-age"] == "600"
    assert headers["access-control-allow-credentials"] == "true"
    for change, wanted, code in (
        ({"Origin": "https://elsewhere.net"}, 403, b"AccessForbidden"),
        ({"Access_Control_Request_Headers": "x-secret"}, 403, b"AccessForbidden"),
        ({"Access_Control_Request_Method": "DELETE"}, 403, b"AccessForbidden"),
        ({"Access_Control_Request_Method": "TRACE"}, 400, b"BadRequest"),
    ):
        status, headers, body = ask(server, "OPTIONS", f"/{crossed}/key", **{**asks, **change})
        assert (status, code in body) == (wanted, True)
        assert "access-control-allow-origin" not in headers
    assert ask(server, "OPTIONS", f"/{crossed}/key")[0] == 400
    status, _, body = ask(server, "OPTIONS", "/no-such-bucket/key", **asks)
    assert (status, b"CORS is not enabled for this bucket" in body) == (403, True)


def test_answers_to_pages(server, s3, crossed) -> None:
    s3.put_object(Bucket=crossed, Key="key", Body=b"x")
    link = s3.generate_presigned_url("get_object", {"Bucket": crossed, "Key": "key"}).partition(str(server.port))[2]
    status, headers, body = ask(server, "GET", link, Origin=PAGE, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors")
    assert (status, body, headers["access-control-allow-origin"]) == (200, b"x", PAGE)
    assert "Origin" in headers["vary"]
    assert ask(server, "GET", link, Origin="https://elsewhere.net")[1]["access-control-allow-origin"] == "*"
    status, headers, _ = ask(server, "GET", f"/{crossed}/key", Origin=PAGE)
    assert (status, headers["access-control-allow-origin"]) == (403, PAGE), "unsigned, and the page may read why"
    link = s3.generate_presigned_url("put_object", {"Bucket": crossed, "Key": "put"}).partition(str(server.port))[2]
    assert ask(server, "PUT", link, b"from a page", Origin=PAGE)[0] == 200
    assert s3.get_object(Bucket=crossed, Key="put")["Body"].read() == b"from a page"
    status, headers, _ = ask(server, "GET", f"/{crossed}/key")
    assert "access-control-allow-origin" not in headers


def test_nothing_else_comes_in(server, s3, bucket, crossed) -> None:
    """Other buckets, other services, the console and Cloche's own routes stay closed to foreign pages."""
    s3.create_bucket(Bucket="uncrossed")
    s3.put_object(Bucket="uncrossed", Key="key", Body=b"x")
    link = s3.generate_presigned_url("get_object", {"Bucket": "uncrossed", "Key": "key"}).partition(str(server.port))[2]
    foreign = {"Origin": PAGE, "Sec_Fetch_Site": "cross-site"}
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    target = {"X_Amz_Target": "SageMaker.ListModels", "Content_Type": "application/x-amz-json-1.1"}
    for method, path, more in (
        ("GET", link, {}),
        ("GET", "/", {}),
        ("GET", "/_cloche/health", {}),
        ("POST", "/_cloche/reset", {}),
        ("POST", f"/{crossed}", form),
        ("POST", f"/{crossed}", target),
        ("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", {}),
        ("POST", "/endpoints/name/invocations", {}),
        ("GET", "/v20180820/accesspoint", {}),
    ):
        status, headers, _ = ask(server, method, path, b"Action=GetCallerIdentity", **foreign, **more)
        assert status == 403, path
        assert "access-control-allow-origin" not in headers
