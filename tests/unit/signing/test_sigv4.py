"""Signature Version 4, header form: what botocore signs is taken, and nothing that differs from it by a byte."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from signing_world import KEY, NOW, SECRET, TEMPORARY, Known, header_signed, refused, request_of, verifier

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.operation import Caller
from cloche.aws.signing.refusals import JSON, QUERY, S3, family_of
from cloche.aws.signing.sigv4 import Verifier

BODY = b'{"TrainingJobName":"churn"}'
JSON_HEADERS = {
    "X-Amz-Target": "SageMaker.DescribeTrainingJob",
    "Content-Type": "application/x-amz-json-1.1",
    "User-Agent": "Boto3",
}

Change = Callable[[HttpRequest], HttpRequest]


def signed_json(**more: Any) -> HttpRequest:
    return header_signed("POST", "http://localhost:4566/", "sagemaker", body=BODY, headers=JSON_HEADERS, **more)


def with_header(name: str, value: str | None) -> Change:
    def change(request: HttpRequest) -> HttpRequest:
        items = [(n, v) for n, v in request.headers.items if n != name]
        return replace(request, headers=Headers(items if value is None else [*items, (name, value)]))

    return change


def rewritten(old: str, new: str) -> Change:
    def change(request: HttpRequest) -> HttpRequest:
        value = request.headers.get("authorization")
        assert old in value
        return with_header("authorization", value.replace(old, new))(request)

    return change


def test_the_callers_name_and_region() -> None:
    verified = verifier().verify(signed_json(), JSON, NOW.timestamp())
    assert verified.caller == Caller("123456789012", "arn:aws:iam::123456789012:root", "123456789012", KEY)
    assert verified.region == "eu-west-1"


@pytest.mark.parametrize(
    ("method", "url", "service", "body"),
    [
        ("POST", "http://localhost/", "sts", b"Action=GetCallerIdentity&Version=2011-06-15"),
        ("POST", "http://localhost/endpoints/a%2Fb%20c/invocations", "sagemaker", b"1,2"),
        ("GET", "http://localhost/a/b/../c//d/./e/", "execute-api", b""),
        ("GET", "http://localhost/..", "execute-api", b""),
        ("GET", "http://localhost/?b=2&a=1&a=0&A=&%C3%A9=%2B%20x&c", "execute-api", b""),
        ("GET", "http://localhost/?a=x~y-._z", "execute-api", b""),
        ("GET", "http://localhost/%E1%88%B4", "execute-api", b""),
        ("PUT", "http://localhost/bucket/a%20b/%C3%A9%2B%25/../x~.txt", "s3", b"content"),
        ("GET", "http://localhost/bucket//lead/./../%252F", "s3", b""),
        ("GET", "http://localhost/bucket?list-type=2&prefix=a%26b%2Bc%20d&delimiter=%2F", "s3", b""),
        ("DELETE", "http://bucket.localhost/k", "s3", b""),
    ],
)
def test_paths_queries_and_services(method: str, url: str, service: str, body: bytes) -> None:
    request = header_signed(method, url, service, body=body)
    verifier().verify(request, family_of(service, "json"), NOW.timestamp())


def test_the_documented_example() -> None:
    """docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "Example: GET Object"."""
    example = Known(access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = [
        ("Host", "examplebucket.s3.amazonaws.com"),
        ("Range", "bytes=0-9"),
        ("x-amz-content-sha256", empty),
        ("x-amz-date", "20130524T000000Z"),
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    ]
    request = HttpRequest("GET", "/test.txt", "", Headers(headers))
    at = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
    assert Verifier({example.access_key: example}.get).verify(request, S3, at).region == "us-east-1"


def test_headers_reordered_doubled_padded_and_in_any_case() -> None:
    signed = header_signed("GET", "http://localhost/", "execute-api", headers={"My-Header": "a  b", "Other": "one,two"})
    items = [(n, v) for n, v in signed.headers.items if n not in ("my-header", "other")]
    on_the_wire = [("OTHER", "one"), ("my-HEADER", "  a   b "), *reversed(items), ("Other", "two")]
    verifier().verify(replace(signed, headers=Headers(on_the_wire)), JSON, NOW.timestamp())


def test_unsigned_extra_headers_are_welcome() -> None:
    verifier().verify(with_header("x-forwarded-for", "10.0.0.1")(signed_json()), JSON, NOW.timestamp())


TAMPERED: dict[str, Change] = {
    "body": lambda r: replace(r, body=r.body + b" "),
    "method": lambda r: replace(r, method="PUT"),
    "path": lambda r: replace(r, path="/x"),
    "query": lambda r: replace(r, query="a=b"),
    "target": with_header("x-amz-target", "SageMaker.DeleteEndpoint"),
    "host": with_header("host", "other"),
    "a signed header gone": with_header("content-type", None),
    "region": rewritten("/eu-west-1/", "/us-east-1/"),
    "service": rewritten("/sagemaker/", "/iam/"),
    "one character of the signature": lambda r: rewritten(
        r.headers.get("authorization")[-1:], "0" if r.headers.get("authorization")[-1] != "0" else "1"
    )(r),
    "signature cut short": lambda r: with_header("authorization", r.headers.get("authorization")[:-1])(r),
    "signature empty": lambda r: with_header(
        "authorization", r.headers.get("authorization").partition("Signature=")[0] + "Signature="
    )(r),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_tampered(change: Change) -> None:
    error = refused(change(signed_json()), JSON)
    assert (error.code, error.status) in (("InvalidSignatureException", 403), ("IncompleteSignatureException", 400))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (rewritten("/20261125/", "/20261124/"), "IncompleteSignatureException"),
        (with_header("x-amz-date", "20261125T120000"), "IncompleteSignatureException"),
        (with_header("x-amz-date", "20261345T120000Z"), "IncompleteSignatureException"),
        (with_header("x-amz-date", None), "IncompleteSignatureException"),
        (rewritten("content-type;host;", "content-type;"), "IncompleteSignatureException"),
        (rewritten(";x-amz-target", ""), "IncompleteSignatureException"),
        (rewritten("Credential=", "Credentials="), "IncompleteSignatureException"),
        (rewritten("/aws4_request", ""), "IncompleteSignatureException"),
        (with_header("authorization", "AWS4-HMAC-SHA256"), "IncompleteSignatureException"),
        (with_header("authorization", "Bearer x"), "IncompleteSignatureException"),
        (with_header("authorization", None), "MissingAuthenticationTokenException"),
    ],
)
def test_malformed(change: Change, code: str) -> None:
    assert refused(change(signed_json()), JSON).code == code


def test_two_authorizations_are_refused() -> None:
    request = signed_json()
    doubled = [*request.headers.items, ("authorization", request.headers.get("authorization"))]
    assert refused(replace(request, headers=Headers(doubled)), JSON).code == "IncompleteSignatureException"


def test_other_mechanisms_are_refused_by_name() -> None:
    second = with_header("authorization", f"AWS {KEY}:c2lnbmF0dXJl")(signed_json())
    assert "Signature Version 2" in refused(second, S3).message
    asymmetric = with_header("authorization", "AWS4-ECDSA-P256-SHA256 Credential=x")(signed_json())
    assert "4A" in refused(asymmetric, JSON).message
    in_query = HttpRequest("GET", "/b/k", f"AWSAccessKeyId={KEY}&Expires=1&Signature=x", Headers([("host", "h")]))
    assert "Signature Version 2" in refused(in_query, JSON).message


@pytest.mark.parametrize("minutes", [-14, 0, 14])
def test_clocks_that_differ_a_little(minutes: int) -> None:
    verifier().verify(signed_json(at=NOW + timedelta(minutes=minutes)), JSON, NOW.timestamp())


@pytest.mark.parametrize("minutes", [-20, 20])
def test_clocks_that_differ_too_much(minutes: int) -> None:
    at = NOW + timedelta(minutes=minutes)
    error = refused(signed_json(at=at), JSON)
    assert error.code == "InvalidSignatureException"
    assert ("Signature expired" if minutes < 0 else "Signature not yet current") in error.message
    assert refused(header_signed("POST", "http://localhost/", "sts", at=at), QUERY).code == "SignatureDoesNotMatch"
    assert refused(header_signed("GET", "http://localhost/b", "s3", at=at), S3).code == "RequestTimeTooSkewed"


def test_unknown_keys_and_wrong_secrets() -> None:
    for service, family, unknown, mismatch in (
        ("sagemaker", JSON, "UnrecognizedClientException", "InvalidSignatureException"),
        ("sts", QUERY, "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("s3", S3, "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    ):
        stranger = header_signed("GET", "http://localhost/", service, key="AKIASTRANGER0000000A", secret="x")
        assert (refused(stranger, family).code, refused(stranger, family).status) == (unknown, 403)
        liar = header_signed("GET", "http://localhost/", service, secret="wrong")
        assert (refused(liar, family).code, refused(liar, family).status) == (mismatch, 403)


@pytest.mark.parametrize("key", ["test", "minioadmin", "admin", "AKIAIOSFODNN7EXAMPLE"])
def test_well_known_keys_are_nobodys(key: str) -> None:
    request = header_signed("GET", "http://localhost/", "sts", key=key, secret=key)
    assert refused(request, QUERY).code == "InvalidClientTokenId"


def test_temporary_keys() -> None:
    good = header_signed("GET", "http://localhost/", "sts", who=TEMPORARY)
    assert verifier().verify(good, QUERY, NOW.timestamp()).caller.access_key == TEMPORARY.access_key
    after = header_signed("GET", "http://localhost/", "sts", who=TEMPORARY, at=NOW + timedelta(hours=2))
    late = refused(after, QUERY, NOW + timedelta(hours=2))
    assert (late.code, late.status) == ("ExpiredToken", 403)
    wrong = header_signed("GET", "http://localhost/", "sts", who=replace(TEMPORARY, session_token="other"))
    assert refused(wrong, QUERY).code == "InvalidClientTokenId"
    none = header_signed("GET", "http://localhost/", "sts", who=replace(TEMPORARY, session_token=None))
    assert refused(none, QUERY).code == "InvalidClientTokenId"
    needless = header_signed("GET", "http://localhost/", "sts", who=Known(session_token="t"))
    assert refused(needless, QUERY).code == "InvalidClientTokenId"


def test_a_deleted_key_is_refused_at_once() -> None:
    keys = {KEY: Known()}
    checking = Verifier(keys.get)
    checking.verify(signed_json(), JSON, NOW.timestamp())
    del keys[KEY]
    with pytest.raises(AwsError) as caught:
        checking.verify(signed_json(), JSON, NOW.timestamp())
    assert caught.value.code == "UnrecognizedClientException"


def test_s3s_body_must_be_what_its_header_says() -> None:
    request = header_signed("PUT", "http://localhost/b/k", "s3", body=b"content")
    assert refused(replace(request, body=b"Content"), S3).code == "XAmzContentSHA256Mismatch"
    assert refused(with_header("x-amz-content-sha256", None)(request), S3).code in ("InvalidRequest", "AccessDenied")


def test_s3s_own_headers_must_be_signed() -> None:
    request = with_header("x-amz-acl", "public-read")(header_signed("PUT", "http://localhost/b/k", "s3"))
    assert refused(request, S3).code == "AccessDenied"
    assert refused(request, S3).fields["HeadersNotSigned"] == "x-amz-acl"


def test_s3_without_a_signature_is_anonymous() -> None:
    verified = verifier().verify(HttpRequest("GET", "/b/k", "", Headers([("host", "h")])), S3, NOW.timestamp())
    assert verified.caller.anonymous
    assert not verified.caller.arn


def test_any_credentials_takes_unknown_keys_only() -> None:
    root = Caller("1", "arn:aws:iam::1:root", "1", "root")
    lenient = Verifier({KEY: Known()}.get, open_as=lambda _: root)
    stranger = header_signed("GET", "http://localhost/", "sts", key="test", secret="test")
    assert lenient.verify(stranger, QUERY, NOW.timestamp()).caller == root
    with pytest.raises(AwsError):
        lenient.verify(header_signed("GET", "http://localhost/", "sts", secret="wrong"), QUERY, NOW.timestamp())
    with pytest.raises(AwsError):
        lenient.verify(request_of("GET", "http://localhost/", {}), QUERY, NOW.timestamp())


def test_no_refusal_tells_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for service, family in (("sagemaker", JSON), ("sts", QUERY), ("s3", S3)):
        request = header_signed("GET", "http://localhost/", service, who=TEMPORARY)
        signature = request.headers.get("authorization").rpartition("=")[2]
        for changed in (replace(request, method="PUT"), with_header("x-amz-security-token", "wrong")(request)):
            error = refused(changed, family)
            logged = [r.getMessage() for r in caplog.records if r.name.startswith("cloche")]
            told = f"{error!s} {error.fields} {logged}"
            for secret in (SECRET, TEMPORARY.secret_key, TEMPORARY.session_token, signature):
                assert secret not in told


def test_a_mismatch_of_s3_shows_what_was_to_be_signed() -> None:
    request = replace(header_signed("GET", "http://localhost/b/k", "s3"), path="/b/other")
    fields = refused(request, S3).fields
    assert fields["StringToSign"].startswith("AWS4-HMAC-SHA256\n20261125T120000Z\n20261125/eu-west-1/s3/aws4_request")
    assert "/b/other" in fields["CanonicalRequest"]
