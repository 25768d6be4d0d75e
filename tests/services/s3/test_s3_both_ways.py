"""Small objects on the wire: the short way (``server/quick/objects``) and the ordinary one say the same.

The short way takes plain requests; a header that it does not expect sends the very same request the ordinary way.
``tests/unit/server/test_quick_objects`` holds which requests are plain.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ORDINARY = {"Sec-Way": "ordinary"}
VARYING = {"date", "x-amz-request-id", "x-amz-id-2", "x-amzn-requestid"}
UNREAD = ("connection", "close")
"""Said by the ordinary way where it refuses a request before it has read its body; the short way has read it."""
CRC32 = base64.b64encode(zlib.crc32(b"bytes").to_bytes(4, "big")).decode()
SHA256 = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
MD5 = base64.b64encode(hashlib.md5(b"bytes").digest()).decode()
CUSTOMER_KEY = {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": base64.b64encode(b"k" * 32).decode(),
    "x-amz-server-side-encryption-customer-key-md5": base64.b64encode(hashlib.md5(b"k" * 32).digest()).decode(),
}
Said = tuple[int, list[tuple[str, str]], bytes]


class Wire:
    """Signed requests to one server, sent as they are."""

    def __init__(self, server: Any) -> None:
        self.keys = Credentials(server.keys["aws_access_key_id"], server.keys["aws_secret_access_key"])
        self.host = f"127.0.0.1:{server.port}"
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def signed(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        given = {"Host": self.host, "X-Amz-Content-Sha256": hashlib.sha256(body).hexdigest(), **headers}
        request = AWSRequest(method, f"http://{self.host}{path}", headers=given, data=body)
        S3SigV4Auth(self.keys, "s3", "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def link(self, method: str, path: str, seconds: int = 600) -> str:
        request = AWSRequest(method, f"http://{self.host}{path}", headers={"Host": self.host})
        S3SigV4QueryAuth(self.keys, "s3", "us-east-1", seconds).add_auth(request)
        parts = urlsplit(request.url)
        return f"{parts.path}?{parts.query}"

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes, *, short: bool) -> Said:
        more = {} if short else ORDINARY
        length = {"Content-Length": str(len(body))} if method == "PUT" else {}
        self.connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, **length, **more}.items():
            self.connection.putheader(name, value)
        self.connection.endheaders(body or None)
        answer = self.connection.getresponse()
        data = answer.read()
        for name in ("x-amz-request-id", "x-amz-id-2"):
            if value := answer.getheader(name):
                data = data.replace(value.encode(), name.encode())
        shown = [(n, "" if n in VARYING else v) for n, v in answer.getheaders() if (n, v) != UNREAD]
        return answer.status, shown, data

    def both(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Said:
        """What both ways say, byte for byte but for what always varies."""
        signed = self.signed(method, path, body, headers or {})
        short, ordinary = (self.send(method, path, signed, body, short=way) for way in (True, False))
        assert short == ordinary
        return short


@pytest.fixture
def wire(server: Any) -> Iterator[Wire]:
    made = Wire(server)
    yield made
    made.connection.close()


PUTS = {
    "plain": ({}, 200),
    "described": ({"Content-Type": "text/csv", "Cache-Control": "no-cache", "x-amz-meta-a": "b", "Expires": "0"}, 200),
    "tags": ({"x-amz-tagging": "a=b&c=d"}, 200),
    "storage class": ({"x-amz-storage-class": "STANDARD_IA"}, 200),
    "kms": ({"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "k"}, 200),
    "customer key": (CUSTOMER_KEY, 200),
    "crc32": ({"x-amz-checksum-crc32": CRC32, "x-amz-sdk-checksum-algorithm": "CRC32"}, 200),
    "sha256": ({"x-amz-checksum-sha256": SHA256}, 200),
    "md5": ({"Content-MD5": MD5}, 200),
    "own ACL": ({"x-amz-acl": "bucket-owner-full-control"}, 200),
    "public ACL": ({"x-amz-acl": "public-read"}, 400),
    "owner": ({"x-amz-expected-bucket-owner": "999999999999"}, 403),
    "wrong crc32": ({"x-amz-checksum-crc32": "AAAAAA=="}, 400),
    "two sums": ({"x-amz-checksum-crc32": CRC32, "x-amz-checksum-sha256": SHA256}, 400),
    "sum without value": ({"x-amz-sdk-checksum-algorithm": "CRC32"}, 400),
    "wrong md5": ({"Content-MD5": base64.b64encode(b"0" * 16).decode()}, 400),
    "no md5": ({"Content-MD5": "x"}, 400),
    "only if absent": ({"If-None-Match": "*"}, 412),
    "only over another": ({"If-Match": '"00000000000000000000000000000000"'}, 412),
    "no such condition": ({"If-None-Match": '"x"'}, 501),
    "no such class": ({"x-amz-storage-class": "NONE"}, 400),
    "not offered": ({"x-amz-object-lock-event-hold": "ON"}, 501),
    "locks": ({"x-amz-object-lock-legal-hold": "ON"}, 400),
    "tags twice": ({"x-amz-tagging": "a=b&a=c"}, 400),
}


@pytest.mark.parametrize("name", PUTS)
def test_puts(wire: Wire, s3: Any, bucket: str, name: str) -> None:
    headers, status = PUTS[name]
    s3.put_object(Bucket=bucket, Key="key", Body=b"before")
    said = wire.both("PUT", f"/{bucket}/key", b"bytes", headers)
    assert said[0] == status, said
    customer = CUSTOMER_KEY if name == "customer key" else {}
    asked = {"x-amz-checksum-mode": "ENABLED", **customer}
    read = wire.both("GET", f"/{bucket}/key", headers=asked)
    assert read[2] == (b"bytes" if status == 200 else b"before")
    assert dict(wire.both("HEAD", f"/{bucket}/key", headers=asked)[1]).items() >= dict(read[1]).items()


def test_another_body_than_was_signed(wire: Wire, s3: Any, bucket: str) -> None:
    path = f"/{bucket}/key"
    for headers, body in (({}, b"other"), ({"If-None-Match": "*"}, b""), ({"x-amz-checksum-crc32": CRC32}, b"other")):
        signed = wire.signed("PUT", path, b"bytes", headers)
        short, ordinary = (wire.send("PUT", path, signed, body, short=way) for way in (True, False))
        assert short == ordinary
        assert (short[0], b"XAmzContentSHA256Mismatch" in short[2]) == (400, True)
    assert wire.both("GET", path)[0] == 404


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537])
def test_sizes(wire: Wire, bucket: str, size: int) -> None:
    body = b"s" * size
    assert wire.both("PUT", f"/{bucket}/key", body)[0] == 200
    assert wire.both("GET", f"/{bucket}/key")[2] == body
    length = dict(wire.both("HEAD", f"/{bucket}/key")[1])["content-length"]
    assert length == str(size)


@pytest.mark.parametrize(
    "path",
    [
        "/key",
        "/a%2Bb%3Ac%40",
        "/a/b//c",
        "/dt%3D2020/x",
        "/%C3%A4%20b",
        "/%2F",
        "/a%2Fb/../c",
        "//key",
        "/key/",
        "/%FF",
        "/+",
        "/a:b@c",
    ],
)
def test_keys(wire: Wire, bucket: str, path: str) -> None:
    put = wire.both("PUT", f"/{bucket}{path}", path.encode())
    got = wire.both("GET", f"/{bucket}{path}")
    assert got[2] == path.encode() or put[0] == got[0] >= 400  # not UTF-8, or signed as no client of S3 does
    target, plain = wire.link("GET", f"/{bucket}{path}"), {"Host": wire.host}
    assert wire.send("GET", target, plain, b"", short=True) == wire.send("GET", target, plain, b"", short=False)


GETS = {
    "plain": ({}, 200),
    "checksums": ({"x-amz-checksum-mode": "ENABLED"}, 200),
    "no such mode": ({"x-amz-checksum-mode": "enabled"}, 200),
    "a range": ({"Range": "bytes=1-2"}, 206),
    "no range": ({"Range": "bytes=9-"}, 416),
    "matching": ({"If-Match": "*"}, 200),
    "unchanged": ({"If-None-Match": "*"}, 304),
    "encryption": ({"x-amz-server-side-encryption": "AES256"}, 400),
    "a stranger's key": (CUSTOMER_KEY, 400),
    "owner": ({"x-amz-expected-bucket-owner": "999999999999"}, 403),
    "a page": ({"Sec-Fetch-Dest": "image"}, 200),
    "foreign page": ({"Origin": "https://example.com"}, 403),
}


@pytest.mark.parametrize("name", GETS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_gets(wire: Wire, s3: Any, bucket: str, method: str, name: str) -> None:
    headers, status = GETS[name]
    said = {
        "ContentType": "text/plain",
        "Metadata": {"a": "b", "c": "d"},
        "Tagging": "x=y&z=1",
        "CacheControl": "no-cache",
    }
    s3.put_object(Bucket=bucket, Key="key", Body=b"bytes", StorageClass="STANDARD_IA", **said)
    for path in (f"/{bucket}/key", f"/{bucket}/key?x-id=GetObject", f"/{bucket}/key?response-content-type=a%2Fb"):
        answer = wire.both(method, path, headers=headers)
        assert answer[0] == status, answer
        assert (answer[2] == b"") == (method == "HEAD" or status == 304)


def test_what_is_not_there(wire: Wire, bucket: str) -> None:
    for method in ("GET", "HEAD"):
        assert wire.both(method, f"/{bucket}/nothing")[0] == 404
        assert wire.both(method, "/no-such-bucket/nothing")[0] == 404
    assert wire.both("PUT", "/no-such-bucket/key", b"x")[0] == 404
    assert wire.both("PUT", f"/{bucket}/{'k' * 1025}", b"x")[0] == 400
    assert wire.both("PUT", "/service/key", b"x")[0] == 404


def test_versions_locks_lifecycle_and_encryption(wire: Wire, s3: Any, bucket: str) -> None:
    rule = {"ID": "gone soon", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [default]})
    said = dict(wire.both("PUT", f"/{bucket}/key", b"bytes")[1])
    assert "x-amz-version-id" not in said
    assert said["x-amz-expiration"].endswith('rule-id="gone%20soon"')
    assert said["x-amz-server-side-encryption"] == "aws:kms"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert dict(wire.both("GET", f"/{bucket}/key")[1])["x-amz-version-id"] == "null"
    made = []
    for short in (True, False):
        signed = wire.signed("PUT", f"/{bucket}/key", b"bytes", {})
        status, headers, _ = wire.send("PUT", f"/{bucket}/key", signed, b"bytes", short=short)
        assert status == 200
        made.append(dict(headers))
    assert made[0].pop("x-amz-version-id") != made[1]["x-amz-version-id"]
    latest = made[1].pop("x-amz-version-id")
    assert made[0] == made[1]
    assert dict(wire.both("GET", f"/{bucket}/key")[1])["x-amz-version-id"] == latest
    s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )
    signed = wire.signed("PUT", f"/{bucket}/key", b"locked", {})
    wire.send("PUT", f"/{bucket}/key", signed, b"locked", short=True)
    assert dict(wire.both("GET", f"/{bucket}/key")[1])["x-amz-object-lock-mode"] == "GOVERNANCE"
    s3.delete_object(Bucket=bucket, Key="key")
    assert dict(wire.both("GET", f"/{bucket}/key")[1])["x-amz-delete-marker"] == "true"
    assert wire.both("GET", f"/{bucket}/key?versionId={latest}")[2] == b"bytes"


def test_what_is_remembered_is_what_is_there(wire: Wire, s3: Any, bucket: str) -> None:
    """Every change of the object or of its bucket shows in the very next answer."""
    path = f"/{bucket}/key"
    s3.put_object(Bucket=bucket, Key="key", Body=b"one")
    assert wire.both("GET", path)[2] == b"one"
    s3.put_object(Bucket=bucket, Key="key", Body=b"two", ContentType="text/plain")
    assert dict(wire.both("GET", path)[1])["content-type"] == "text/plain"
    s3.put_object_tagging(Bucket=bucket, Key="key", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert dict(wire.both("GET", path)[1])["x-amz-tagging-count"] == "1"
    s3.copy_object(Bucket=bucket, Key="key", CopySource=f"{bucket}/key", StorageClass="ONEZONE_IA")
    assert dict(wire.both("GET", path)[1])["x-amz-storage-class"] == "ONEZONE_IA"
    policy = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": policy}))
    assert wire.both("GET", path)[0] == 403
    s3.delete_bucket_policy(Bucket=bucket)
    assert wire.both("GET", path)[0] == 200
    s3.delete_object(Bucket=bucket, Key="key")
    assert wire.both("GET", path)[0] == 404


@pytest.mark.parametrize("short", [True, False])
class TestForged:
    """Nobody gets to an object without a signature that holds."""

    def test_headers(self, wire: Wire, s3: Any, bucket: str, short: bool) -> None:
        s3.put_object(Bucket=bucket, Key="key", Body=b"secret")
        path = f"/{bucket}/key"
        for method, body in (("GET", b""), ("HEAD", b""), ("PUT", b"x")):
            good = wire.signed(method, path, body, {})
            forged = [
                {**good, "Authorization": good["Authorization"][:-4] + "0000"},
                {**good, "X-Amz-Date": "20200101T000000Z"},
                {**good, "Authorization": good["Authorization"].replace(wire.keys.access_key, "AKIAAAAAAAAAAAAAAAAA")},
                {**good, "Authorization": good["Authorization"].replace("/us-east-1/", "/eu-west-1/")},
                {**good, "x-amz-meta-more": "unsigned"},
                {**good, "Host": "evil.example"},
                {"Host": wire.host},
                {**good, "X-Amz-Security-Token": "none"},
            ]
            for headers in forged:
                status, _, data = wire.send(method, path, headers, body, short=short)
                assert status in (400, 403), headers
                assert b"secret" not in data
        assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"secret"

    def test_links(self, wire: Wire, s3: Any, bucket: str, short: bool) -> None:
        s3.put_object(Bucket=bucket, Key="key", Body=b"secret")
        good = wire.link("GET", f"/{bucket}/key")
        plain = {"Host": wire.host}
        assert wire.send("GET", good, plain, b"", short=short)[2] == b"secret"
        s3.put_object(Bucket=bucket, Key="other", Body=b"secret")
        for method, target in (
            ("GET", good[:-4] + "0000"),
            ("GET", good.replace("/key?", "/other?")),
            ("PUT", good),
            ("HEAD", good),
            ("GET", good.replace("X-Amz-Expires=600", "X-Amz-Expires=601")),
            ("GET", good + "&X-Amz-Expires=600"),
            ("GET", wire.link("GET", f"/{bucket}/key", seconds=-1)),
            ("GET", good + "&response-content-type=text%2Fhtml"),
        ):
            status, _, data = wire.send(method, target, plain, b"", short=short)
            assert status in (400, 403), target
            assert b"secret" not in data


def test_links_to_put(wire: Wire, s3: Any, bucket: str) -> None:
    target = wire.link("PUT", f"/{bucket}/key")
    for headers in ({}, {"Content-Type": "text/plain", "Cache-Control": "no-store"}, {"x-amz-meta-a": "unsigned"}):
        given = {"Host": wire.host, **headers}
        short, ordinary = (wire.send("PUT", target, given, b"linked", short=way) for way in (True, False))
        assert short == ordinary
        assert wire.both("GET", f"/{bucket}/key")[2] == b"linked"
