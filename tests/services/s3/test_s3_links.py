"""Links as an unmodified boto3 makes them: of Signature Version 2 in us-east-1, of Version 4 when asked."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.config import Config


def fetch(
    url: str, method: str = "GET", data: bytes | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), {n.lower(): v for n, v in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), {n.lower(): v for n, v in error.headers.items()}


@pytest.fixture(params=["old", "s3v4"])
def signer(request: Any, server: Any, s3: Any) -> Any:
    return s3 if request.param == "old" else server.client("s3", config=Config(signature_version="s3v4"))


def test_reading_with_overrides(s3, bucket, signer) -> None:
    key = "a b+c/ä&=?.txt"
    s3.put_object(Bucket=bucket, Key=key, Body=b"linked")
    asked = {
        "ResponseContentType": "text/html; charset=utf-8",
        "ResponseContentDisposition": 'attachment; filename="é +.txt"',
    }
    link = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key, **asked})
    status, body, headers = fetch(link)
    assert (status, body, headers["content-type"]) == (200, b"linked", "text/html; charset=utf-8")
    status, body, _ = fetch(link.replace("text%2Fhtml", "text%2Fplain"))
    assert (status, b"SignatureDoesNotMatch" in body) == (403, True), "overrides are signed"
    assert fetch(signer.generate_presigned_url("head_object", {"Bucket": bucket, "Key": key}), "HEAD")[0] == 200
    listed = signer.generate_presigned_url("list_objects_v2", {"Bucket": bucket, "Prefix": "a b"})
    assert b"<KeyCount>1</KeyCount>" in fetch(listed)[1]


@pytest.mark.parametrize(
    "bad",
    ["a\r\nSet-Cookie: b=1", "a\nb", "a\rb", "a\x00b", "a\x0bb", "a\x7fb", "a\u2014b", "\r\n\r\n<script>"],
    ids=["another header", "LF", "CR", "NUL", "VT", "DEL", "beyond ISO-8859-1", "a body"],
)
@pytest.mark.parametrize("name", ["CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage"])
def test_overrides_that_no_header_can_hold(s3, bucket, signer, name: str, bad: str) -> None:
    """Signed by who may, and yet a page of somebody else's: nothing of it comes near the answer's headers."""
    s3.put_object(Bucket=bucket, Key="key", Body=b"linked")
    link = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "key", f"Response{name}": bad})
    status, body, headers = fetch(link)
    assert (status, b"InvalidArgument" in body) == (400, True)
    assert b"Header value cannot be represented using ISO-8859-1." in body
    assert "set-cookie" not in headers
    assert b"linked" not in body
    status, body, headers = fetch(link.replace("/key?", "/none?"))
    assert status in (403, 404)
    assert "set-cookie" not in headers


def test_an_override_with_a_tab(s3, bucket, signer) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"linked")
    link = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "key", "ResponseCacheControl": "a\tb"})
    status, _, headers = fetch(link)
    assert (status, headers["cache-control"]) == (200, "a\tb")


def test_writing(s3, bucket, signer) -> None:
    link = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "put"})
    assert fetch(link, "PUT", b"from a link", Content_Type="")[0] == 200
    assert s3.get_object(Bucket=bucket, Key="put")["Body"].read() == b"from a link"
    assert fetch(link, "DELETE")[0] == 403
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    named = {"Bucket": bucket, "Key": "parts", "UploadId": upload, "PartNumber": 1}
    assert fetch(signer.generate_presigned_url("upload_part", named), "PUT", b"part", Content_Type="")[0] == 200
    gone = signer.generate_presigned_url("delete_object", {"Bucket": bucket, "Key": "put"})
    assert fetch(gone, "DELETE")[0] == 204


def test_what_an_old_link_says_in_place_of_headers(s3, bucket) -> None:
    said = {"Metadata": {"colour": "green"}, "ContentType": "text/plain", "ServerSideEncryption": "aws:kms"}
    link = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "said", **said})
    assert "x-amz-meta-colour=green" in link
    assert fetch(link, "PUT", b"x", Content_Type="text/plain")[0] == 200
    found = s3.head_object(Bucket=bucket, Key="said")
    assert (found["Metadata"], found["ContentType"]) == ({"colour": "green"}, "text/plain")
    assert found["ServerSideEncryption"] == "aws:kms"
    assert fetch(link.replace("=green", "=red"), "PUT", b"x", Content_Type="text/plain")[0] == 403
    assert fetch(link, "PUT", b"x", Content_Type="text/html")[0] == 403


def test_temporary_credentials(server, s3, bucket) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    given = server.client("sts").get_session_token()["Credentials"]
    temporary = server.client(
        "s3",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    link = temporary.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "key"})
    assert "x-amz-security-token=" in link
    assert fetch(link)[:2] == (200, b"x")
    front, _, rest = link.partition("x-amz-security-token=")
    without = front + rest.partition("&")[2]
    assert fetch(without)[0] == 403


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (lambda link: link.replace("Signature=", "Signature=A"), 403, b"SignatureDoesNotMatch"),
        (lambda link: link.replace("AWSAccessKeyId=", "AWSAccessKeyId=X"), 403, b"InvalidAccessKeyId"),
        (lambda link: link.replace("Expires=", "Expires=9"), 403, b"SignatureDoesNotMatch"),
        (lambda link: link.replace("Expires=", "Expires=x"), 403, b"AccessDenied"),
        (lambda link: link.replace("/key?", "/kay?"), 403, b"SignatureDoesNotMatch"),
        (lambda link: link + "&versionId=null", 403, b"SignatureDoesNotMatch"),
        (lambda link: link + "&x-amz-acl=public-read", 403, b"SignatureDoesNotMatch"),
    ],
    ids=["signature", "key id", "expiry", "no number", "path", "sub-resource", "header"],
)
def test_altered_links(s3, bucket, change, status, words) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    link = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "key"})
    assert fetch(link)[0] == 200
    found = fetch(change(link))
    assert (found[0], words in found[1]) == (status, True)
    assert b"secret" not in found[1].lower().replace(b"secret access key", b"").replace(b"check your key", b"")


def test_links_expire(s3, bucket) -> None:
    link = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "key"}, ExpiresIn=-1)
    status, body, _ = fetch(link)
    assert (status, b"Request has expired" in body) == (403, True)


def test_the_old_header_is_refused_by_name(server, bucket, refused) -> None:
    old = server.client("s3", config=Config(signature_version="s3"))
    refusal = refused(old.list_objects, Bucket=bucket)
    assert (refusal.code, "AWS Signature Version 2" in refusal.message) == ("InvalidRequest", True)
