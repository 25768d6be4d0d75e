"""What coverage-guided fuzzing, and botocore as the judge of every service, found; each stays mended."""

from __future__ import annotations

import pytest
from spoken import invented, operation, request

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers
from cloche.aws.protocols import parse_request, scalars
from cloche.aws.signing.canonical import canonical_headers, canonical_path
from cloche.aws.signing.refusals import QUERY
from cloche.aws.signing.scope import Malformed, parse_date
from cloche.aws.signing.sigv4 import Verifier


def test_a_documents_null_is_a_value() -> None:
    shapes = {
        "In": {"type": "structure", "members": {"U": {"shape": "U"}, "S": {"shape": "S"}}},
        "U": {"type": "structure", "union": True, "members": {"D": {"shape": "D"}, "S": {"shape": "S"}}},
        "D": {"type": "structure", "members": {}, "document": True},
        "S": {"type": "string"},
    }
    model, do = invented(shapes)
    assert parse_request(model, do, "json", request(body=b'{"U": {"D": null}, "S": null}')) == {"U": {"D": None}}
    with pytest.raises(AwsError):
        parse_request(model, do, "json", request(body=b'{"U": {"S": null}}'))


def test_maps_of_the_query_without_what_is_bound_elsewhere() -> None:
    model, do = operation("apigateway", "PutRestApi")
    asked = request("PUT", "/restapis/a?mode=merge&failonwarnings=true&basepath=prepend", b"{}")
    seen = parse_request(model, do, "rest-json", asked)
    assert seen["parameters"] == {"basepath": "prepend"}
    assert (seen["mode"], seen["failOnWarnings"]) == ("merge", True)


@pytest.mark.parametrize(("path", "canonical"), [("/a/.", "/a"), ("/a/b/..", "/a"), ("/a/", "/a/"), ("/..", "/")])
def test_a_last_dot_as_botocore_signs_it(path: str, canonical: str) -> None:
    assert canonical_path(path, s3=False) == canonical


def test_the_year_0() -> None:
    with pytest.raises(Malformed):
        parse_date("00001125T120000Z")


def test_a_header_that_is_not_there_is_not_one_that_is_empty() -> None:
    empty, absent = Headers([("h", "")]), Headers([])
    assert canonical_headers(empty, ["h"]) != canonical_headers(absent, ["h"])


@pytest.mark.parametrize("text", ["2147483648", "-2147483649", "\uff11"])
def test_texts_have_ranges_too(text: str) -> None:
    model, do = operation("iam", "ListRoles")
    with pytest.raises(AwsError) as caught:
        parse_request(model, do, "query", request(body=f"Action=ListRoles&MaxItems={text}".encode()))
    assert caught.value.code == "MalformedInput"


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1 Jan 0001 00:00:00 +2359"]
)
def test_zones_that_lead_out_of_time(text: str) -> None:
    with pytest.raises(ValueError):
        scalars.moment_from_text(text)


def test_a_date_header_of_a_year_beyond_all() -> None:
    authorization = "AWS4-HMAC-SHA256 Credential=K/20261125/eu-west-1/iam/aws4_request, SignedHeaders=host, Signature=0"
    asked = request("GET", "/", date="Wed, 25 Nov 99999999999999999999 12:00:00 GMT", authorization=authorization)
    with pytest.raises(AwsError) as caught:
        Verifier({}.get).verify(asked, QUERY, 0)
    assert caught.value.code == "IncompleteSignature"
