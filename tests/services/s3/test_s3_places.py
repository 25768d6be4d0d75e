"""Regions and names: where a bucket is, and by which host it is found."""

from __future__ import annotations

import http.client
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def test_a_client_of_another_region_is_led_there(server, s3, refused) -> None:
    west = server.client("s3", region_name="eu-west-1")
    west.create_bucket(Bucket="places-west", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket="places-west")["LocationConstraint"] == "eu-west-1"
    s3.put_object(Bucket="places-west", Key="key", Body=b"x")  # boto3 follows the redirect
    assert server.client("s3").get_object(Bucket="places-west", Key="key")["Body"].read() == b"x"
    s3.create_bucket(Bucket="places-east")
    assert west.list_objects_v2(Bucket="places-east")["KeyCount"] == 0
    assert (
        server.client("s3", region_name="ap-south-1").head_bucket(Bucket="places-west")["BucketRegion"] == "eu-west-1"
    )


def signed(server: Any, method: str, host: str, path: str, region: str) -> tuple[int, dict[str, str], bytes]:
    """A request signed for ``host`` and ``region``, sent to this machine."""
    keys = server.keys
    request = AWSRequest(method, f"http://{host}{path}")
    credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    S3SigV4Auth(credentials, "s3", region).add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, headers={"Host": host, **dict(request.headers.items())})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_how_the_wrong_region_is_told(server, s3) -> None:
    if "places-far" not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="places-far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    status, headers, body = signed(server, "GET", f"127.0.0.1:{server.port}", "/places-far", "us-east-1")
    assert (status, headers["x-amz-bucket-region"]) == (301, "eu-west-1")
    assert b"<Code>PermanentRedirect</Code>" in body
    status, headers, body = signed(server, "HEAD", f"127.0.0.1:{server.port}", "/places-far", "us-east-1")
    assert (status, headers["x-amz-bucket-region"], body) == (301, "eu-west-1", b"")
    status, headers, body = signed(server, "GET", f"places-far.localhost:{server.port}", "/", "us-east-1")
    assert (status, headers["x-amz-bucket-region"]) == (400, "eu-west-1")
    assert b"<Code>AuthorizationHeaderMalformed</Code>" in body
    assert b"<Region>eu-west-1</Region>" in body
    assert signed(server, "GET", f"places-far.localhost:{server.port}", "/", "eu-west-1")[0] == 200
    assert signed(server, "GET", f"127.0.0.1:{server.port}", "/places-far?location", "us-east-1")[0] == 200


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("places.with.dots", "places.with.dots.localhost"),
        ("places.with.dots", "places.with.dots.s3.us-east-1.amazonaws.com"),
        ("places.with.dots", "places.with.dots.s3.localhost"),
        ("s3-places", "s3-places.localhost"),
        ("s3-places", "s3-places.s3.amazonaws.com"),
        ("logs", "logs.localhost"),
        ("monitoring", "monitoring.s3.localhost"),
        ("places-plain", "places-plain.s3-us-east-1.amazonaws.com"),
        ("places-plain", "places-plain.s3.dualstack.us-east-1.amazonaws.com"),
    ],
)
def test_buckets_by_their_own_host(server, s3, name, host) -> None:
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="key", Body=name.encode())
    status, _, body = signed(server, "GET", host, "/key", "us-east-1")
    assert (status, body) == (200, name.encode())
