"""Signature Version 2 in the Authorization header: the examples of AWS's own page, and nothing that differs from them.

The page: docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html, "Authentication examples" (and its edition
of before 2019, whose bucket is called johnsmith).
"""

from __future__ import annotations

from calendar import timegm
from dataclasses import replace
from email.utils import parsedate

import pytest
from signing_world import NOW, TEMPORARY, Known, refused

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.signing.refusals import JSON, S3
from cloche.aws.signing.sigv2 import verify_header
from cloche.aws.signing.sigv4 import UNSIGNED, Verifier

EXAMPLE = Known("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
VERIFIER = Verifier({key.access_key: key for key in (EXAMPLE, TEMPORARY)}.get, old_header=True)
OF_TODAY, OLD = "awsexamplebucket1.s3.us-west-1.amazonaws.com", "johnsmith.s3.amazonaws.com"
EXAMPLES = {
    "get": ("GET", OF_TODAY, "/photos/puppy.jpg", "19:36:42", "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=", {}),
    "get, old": ("GET", OLD, "/photos/puppy.jpg", "19:36:42", "bWq2s1WEIj+Ydj0vQ697zp+IXMU=", {}),
    "put": (
        "PUT", OLD, "/photos/puppy.jpg", "21:15:45", "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
        {"content-type": "image/jpeg", "content-length": "94328"},
    ),
    "list": ("GET", OLD, "/?prefix=photos&max-keys=50&marker=puppy", "19:42:41", "htDYFYduRNen8P9ZfE/s9SuKy0U=", {}),
    "sub-resource": ("GET", OLD, "/?acl", "19:44:46", "c2WLPFtWHVgbEmeEG93a4cG37dM=", {}),
}  # fmt: skip


def example(name: str) -> HttpRequest:
    method, host, target, time, signature, more = EXAMPLES[name]
    path, _, query = target.partition("?")
    said = {"host": host, "date": f"Tue, 27 Mar 2007 {time} +0000", **more}
    return HttpRequest(method, path, query, Headers([*said.items(), ("authorization", authorization(signature))]))


def authorization(signature: str, key: str = EXAMPLE.access_key) -> str:
    return f"AWS {key}:{signature}"


def now_of(request: HttpRequest) -> float:
    date = parsedate(request.headers.get("date"))
    assert date is not None
    return timegm(date)


def with_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    return replace(request, headers=Headers([*((n, v) for n, v in request.headers if n != name), (name, value)]))


def refusal_of(request: HttpRequest, now: float | None = None) -> AwsError:
    with pytest.raises(AwsError) as caught:
        VERIFIER.verify(request, S3, now_of(request) if now is None else now)
    return caught.value


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_the_examples(name: str) -> None:
    request = example(name)
    verified = VERIFIER.verify(request, S3, now_of(request))
    assert (verified.caller.access_key, verified.region, verified.payload) == (EXAMPLE.access_key, "", UNSIGNED)


def test_an_upload_with_a_header_twice() -> None:
    """The page's "Upload": a bucket under its owner's name, x-amz-meta-reviewedby on two lines, Content-MD5."""
    said = [
        ("host", "static.johnsmith.net:8080"),
        ("date", "Tue, 27 Mar 2007 21:06:08 +0000"),
        ("x-amz-acl", "public-read"),
        ("content-type", "application/x-download"),
        ("content-md5", "4gJE4saaMU4BqNR0kLY+lw=="),
        ("x-amz-meta-reviewedby", "joe@johnsmith.net"),
        ("x-amz-meta-reviewedby", "jane@johnsmith.net"),
        ("x-amz-meta-filechecksum", "0x02661779"),
        ("x-amz-meta-checksumalgorithm", "crc32"),
        ("content-disposition", "attachment; filename=database.dat"),
        ("authorization", authorization("ilyl83RwaSoYIEdixDQcA4OnAnc=")),
    ]
    request = HttpRequest("PUT", "/db-backup.dat.gz", "", Headers(said))
    verify_header(VERIFIER, request, "static.johnsmith.net", S3, now_of(request))


@pytest.mark.parametrize(("path", "time", "signature"), [
    ("/", "01:29:59", "qGdzdERIC03wnaRNKh6OqZehG9s="),
    ("/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", "01:49:49", "DNEZGsoieTZ92F3bUfSPQcbGmlM="),
])  # fmt: skip
def test_a_path_that_names_the_bucket(path: str, time: str, signature: str) -> None:
    said = {"host": "s3.amazonaws.com", "date": f"Wed, 28 Mar 2007 {time} +0000"}
    signed = Headers([*said.items(), ("authorization", authorization(signature))])
    request = HttpRequest("GET", path, "", signed)
    VERIFIER.verify(request, S3, now_of(request))


@pytest.mark.parametrize(
    "change",
    [
        lambda request: replace(request, method="DELETE"),
        lambda request: replace(request, path="/photos/puppy.jpeg"),
        lambda request: replace(request, query="acl"),
        lambda request: with_header(request, "host", "another.s3.amazonaws.com"),
        lambda request: with_header(request, "x-amz-acl", "public-read"),
        lambda request: with_header(request, "content-type", "text/html"),
        lambda request: with_header(request, "date", "Tue, 27 Mar 2007 21:15:46 +0000"),
        lambda request: with_header(request, "authorization", authorization("MyyxeRY7whkBe+bq8fHCL/2kKUh=")),
    ],
    ids=["method", "path", "sub-resource", "bucket", "x-amz header", "content type", "date", "signature"],
)
def test_what_is_altered(change) -> None:
    error = refusal_of(change(example("put")))
    assert (error.code, error.status) == ("SignatureDoesNotMatch", 403)
    assert EXAMPLE.secret_key not in repr(error.fields)


def test_the_body_is_covered_by_its_md5_alone() -> None:
    request = replace(example("put"), body=b"another picture")
    VERIFIER.verify(request, S3, now_of(request))


@pytest.mark.parametrize("seconds", [-901, 901])
def test_the_clock(seconds: int) -> None:
    request = example("get")
    assert refusal_of(request, now_of(request) + seconds).code == "RequestTimeTooSkewed"
    VERIFIER.verify(request, S3, now_of(request) + seconds // abs(seconds) * 899)


@pytest.mark.parametrize("date", ["", "yesterday", "20070327T193642Z", "Tue, 99 Mar 2007 19:36:42 +0000"])
def test_no_date(date: str) -> None:
    error = refusal_of(with_header(example("get"), "date", date), NOW.timestamp())
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert "valid Date or x-amz-date" in error.message


def test_the_other_date_counts() -> None:
    """Where x-amz-date is there, it is signed as a header, and Date not at all."""
    base = with_header(example("get, old"), "x-amz-date", "Tue, 27 Mar 2007 19:36:42 +0000")
    request = with_header(base, "authorization", authorization("kGcdLpzPxzKsuMl2Pt9gKUNcTXc="))
    error = refusal_of(request, now_of(request))
    assert error.fields["StringToSign"] == (
        "GET\n\n\n\nx-amz-date:Tue, 27 Mar 2007 19:36:42 +0000\n/johnsmith/photos/puppy.jpg"
    )


@pytest.mark.parametrize("header", ["AWS ", "AWS key", "AWS :signature", "AWS key:"])
def test_half_a_header(header: str) -> None:
    assert refusal_of(with_header(example("get"), "authorization", header)).code == "InvalidArgument"


def test_an_unknown_key() -> None:
    request = with_header(example("get"), "authorization", authorization("x", key="AKIAUNKNOWN"))
    assert refusal_of(request).code == "InvalidAccessKeyId"


def test_a_token_is_wanted_and_shown_to_nobody() -> None:
    request = with_header(example("get"), "authorization", authorization("x", key=TEMPORARY.access_key))
    error = refusal_of(with_header(request, "x-amz-security-token", "the-session-token"))
    assert error.code == "SignatureDoesNotMatch"
    assert "the-session-token" not in repr(error.fields)


def test_other_services_and_other_verifiers_refuse_it() -> None:
    with pytest.raises(AwsError, match="Signature Version 2"):
        VERIFIER.verify(example("get"), JSON, now_of(example("get")))
    assert "Signature Version 2" in refused(example("get"), S3).message
