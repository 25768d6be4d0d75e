"""What would write a header of its own into a later answer: CR LF, NUL and their like, by every way that is no header.

A header line cannot hold them, but fields of a form, the query of an old link and documents can. They are refused when
they come, so that nothing is stored that could not be told again.
"""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

BAD = {"CR LF": "a\r\nSet-Cookie: b=1", "LF": "a\nb", "NUL": "a\x00b", "SOH": "a\x01b", "DEL": "a\x7fb"}


def posted(post: dict[str, Any], more: dict[str, str]) -> tuple[int, bytes]:
    """The answer to a form with these fields besides."""
    lines = b""
    for name, value in {**post["fields"], **more}.items():
        lines += b'--zz\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value.encode())
    lines += b'--zz\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--zz--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=zz"}
    return answered(urllib.request.Request(post["url"], lines, headers))


def answered(request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("bad", list(BAD.values()), ids=list(BAD))
@pytest.mark.parametrize(
    "field", ["x-amz-meta-m", "content-type", "cache-control", "content-disposition", "x-amz-website-redirect-location"]
)
def test_in_a_form(s3, bucket, refused, field: str, bad: str) -> None:
    post = s3.generate_presigned_post(bucket, "key", Conditions=[["starts-with", f"${field}", ""]])
    status, body = posted(post, {field: bad})
    assert (status, b"InvalidArgument" in body) == (400, True)
    assert refused(s3.head_object, Bucket=bucket, Key="key").status == 404


@pytest.mark.parametrize(
    "name", ["x-amz-meta-a\r\n\r\nset-cookie: b", "x-amz-meta-a b", "x-amz-meta-é", "x-amz-meta-:"]
)
def test_in_a_forms_names(s3, bucket, refused, name: str) -> None:
    post = s3.generate_presigned_post(bucket, "key", Conditions=[["starts-with", f"${name}", ""]])
    assert 400 <= posted(post, {name: "v"})[0] < 500
    assert refused(s3.head_object, Bucket=bucket, Key="key").status == 404


@pytest.mark.parametrize("bad", list(BAD.values()), ids=list(BAD))
@pytest.mark.parametrize(
    "asks", [{"Metadata": {"m": None}}, {"WebsiteRedirectLocation": None}], ids=["meta", "redirect"]
)
def test_in_an_old_link(s3, bucket, refused, asks: dict[str, Any], bad: str) -> None:
    said = {name: bad if value is None else {"m": bad} for name, value in asks.items()}
    link = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "key", **said})
    assert "AWSAccessKeyId=" in link
    request = urllib.request.Request(link, b"x", {"content-type": ""}, method="PUT")
    assert answered(request)[0] in (400, 403)
    assert refused(s3.head_object, Bucket=bucket, Key="key").status == 404


@pytest.mark.parametrize("bad", ["a\r\nb", "a\tb", "a\nb"])
def test_in_tags(s3, bucket, refused, bad: str) -> None:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html: letters, spaces, digits and + - = . _ : / @"""
    s3.put_object(Bucket=bucket, Key="key", Body=b"")
    for tag in ({"Key": bad, "Value": ""}, {"Key": "k", "Value": bad}):
        refusal = refused(s3.put_object_tagging, Bucket=bucket, Key="key", Tagging={"TagSet": [tag]})
        assert refusal.code == "InvalidTag"
    s3.put_object_tagging(Bucket=bucket, Key="key", Tagging={"TagSet": [{"Key": "a\xa0b", "Value": "ä c"}]})


def test_in_configurations_that_headers_tell(s3, bucket, refused) -> None:
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposeHeaders": ["x\nset-cookie: a"]}
    refusal = refused(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert refusal.status == 400
    abort = {
        "ID": "a\nb",
        "Status": "Enabled",
        "Filter": {},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    configuration = {"Rules": [abort]}
    assert (
        refused(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration=configuration).status
        == 400
    )
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key\n"}
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    refusal = refused(s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration=encryption)
    assert refusal.status == 400
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"


@pytest.mark.parametrize("name", [b"x-amz-meta-m", b"Content-Type", b"If-Match", b"If-None-Match"])
@pytest.mark.parametrize("control", [b"\x00", b"\x01", b"\x0b", b"\x7f", b"\r", b"\n"])
def test_in_a_header_line(server, bucket, name: bytes, control: bytes) -> None:
    """The reader of requests knows them for no headers: before any signature, and once only."""
    parts = urlsplit(server.url)
    head = b"GET /%b/key HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%b: a%bb\r\n\r\n" % (
        bucket.encode(), name, control,
    )  # fmt: skip
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(head)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1


def test_with_the_new_links_too(server, s3, bucket, refused) -> None:
    """A link of Version 4 names headers and does not carry them: what its query says of metadata is no metadata."""
    client = server.client("s3", config=Config(signature_version="s3v4"))
    link = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "key"})
    request = urllib.request.Request(link + "&x-amz-meta-m=a%0d%0ab", b"x", method="PUT")
    assert answered(request)[0] == 403
    assert refused(s3.head_object, Bucket=bucket, Key="key").status == 404
