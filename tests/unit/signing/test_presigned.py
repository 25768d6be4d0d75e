"""Presigned links: bound to method, path, each parameter and time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from signing_world import KEY, NOW, TEMPORARY, Known, link, refused, verifier

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.signing.refusals import JSON, QUERY, S3
from cloche.aws.signing.sigv4 import Verifier

URL = "http://localhost:4566/bucket/a%20b/%C3%A9%2B%25~.txt?response-content-type=text%2Fplain"


def test_the_documented_example() -> None:
    """docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, "Example"."""
    example = Known(access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    request = HttpRequest("GET", "/test.txt", query, Headers([("host", "examplebucket.s3.amazonaws.com")]))
    at = datetime(2013, 5, 24, 12, tzinfo=UTC).timestamp()
    assert Verifier({example.access_key: example}.get).verify(request, S3, at).region == "us-east-1"


def test_a_good_link() -> None:
    verified = verifier().verify(link("GET", URL), S3, (NOW + timedelta(minutes=59)).timestamp())
    assert (verified.caller.access_key, verified.region) == (KEY, "eu-west-1")
    verifier().verify(link("PUT", URL, who=TEMPORARY), S3, NOW.timestamp())
    verifier().verify(link("GET", URL, seconds=7 * 24 * 3600), S3, NOW.timestamp())


def test_a_link_of_another_service() -> None:
    """What the EKS authenticator sends: a presigned GetCallerIdentity."""
    url = "http://localhost/?Action=GetCallerIdentity&Version=2011-06-15"
    verifier().verify(link("GET", url, "sts"), QUERY, NOW.timestamp())
    assert refused(replace(link("GET", url, "sts"), body=b"x"), QUERY).code == "SignatureDoesNotMatch"
    late = NOW + timedelta(hours=2)
    assert refused(link("GET", url, "sts"), QUERY, late).message.startswith("Signature expired")


@pytest.mark.parametrize(
    ("after", "message"),
    [(timedelta(hours=1), "Request has expired"), (timedelta(minutes=-20), "Request is not yet valid")],
)
def test_time(after: timedelta, message: str) -> None:
    error = refused(link("GET", URL), S3, NOW + after)
    assert (error.code, error.status, error.message) == ("AccessDenied", 403, message)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (7 * 24 * 3600 + 1, "less than a week"),
        (8 * 24 * 3600, "less than a week"),
        (-1, "non-negative"),
        ("soon", "should be a number"),
        ("1e3", "should be a number"),
        ("9" * 5000, "should be a number"),
    ],
)
def test_lifetimes_that_are_refused(seconds: Any, words: str) -> None:
    error = refused(link("GET", URL, seconds=seconds), S3)
    assert (error.code, error.status) == ("AuthorizationQueryParametersError", 400)
    assert words in error.message


@pytest.mark.parametrize("field", ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders"])
def test_each_parameter_is_bound_and_needed(field: str) -> None:
    good = link("GET", URL)
    parts = good.query.split("&")
    without = "&".join(part for part in parts if not part.startswith(f"X-Amz-{field}="))
    assert refused(replace(good, query=without), S3).status in (400, 403)
    other = {"Expires": "7200", "Date": "20261125T120001Z", "SignedHeaders": "host%3Brange"}.get(field, "x")
    changed = "&".join(f"X-Amz-{field}={other}" if part.startswith(f"X-Amz-{field}=") else part for part in parts)
    assert refused(replace(good, query=changed), S3).status in (400, 403)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "PUT"},
        {"path": "/bucket/other"},
        {"headers": Headers([("host", "elsewhere")])},
    ],
)
def test_what_else_is_bound(changes: dict[str, Any]) -> None:
    assert refused(replace(link("GET", URL), **changes), S3).code == "SignatureDoesNotMatch"


def test_added_and_doubled_parameters() -> None:
    good = link("GET", URL)
    assert refused(replace(good, query=good.query + "&versionId=1"), S3).code == "SignatureDoesNotMatch"
    doubled = replace(good, query=good.query + "&X-Amz-Expires=604800")
    assert refused(doubled, S3).code == "AuthorizationQueryParametersError"


def test_a_token_added_after_signing() -> None:
    """As some services' signers do it; S3's never."""
    url = "http://localhost/?Action=GetCallerIdentity&Version=2011-06-15"
    bare = link("GET", url, "sts", who=replace(TEMPORARY, session_token=None))
    token = "&X-Amz-Security-Token=the-session-token"
    verifier().verify(replace(bare, query=bare.query + token), QUERY, NOW.timestamp())
    assert refused(replace(bare, query=bare.query + token[:-1]), QUERY).code == "InvalidClientTokenId"
    of_s3 = link("GET", URL, who=replace(TEMPORARY, session_token=None))
    assert refused(replace(of_s3, query=of_s3.query + token), S3).code == "SignatureDoesNotMatch"


def test_a_wrong_token() -> None:
    good = link("GET", URL, who=TEMPORARY)
    assert refused(replace(good, query=good.query.replace("the-session-token", "other")), S3).status in (400, 403)


def test_both_mechanisms_at_once() -> None:
    good = link("GET", URL)
    both = replace(good, headers=Headers([*good.headers.items, ("authorization", "AWS4-HMAC-SHA256 x")]))
    assert refused(both, S3).code == "InvalidArgument"


def test_asymmetric_links_are_refused_by_name() -> None:
    good = link("GET", URL)
    other = replace(good, query=good.query.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"))
    assert "4A" in refused(other, S3).message


def test_half_a_link() -> None:
    request = HttpRequest("GET", "/", "X-Amz-Algorithm=AWS4-HMAC-SHA256", Headers([("host", "h")]))
    assert refused(request, JSON).code == "IncompleteSignatureException"
    assert refused(request, S3).code == "AuthorizationQueryParametersError"
