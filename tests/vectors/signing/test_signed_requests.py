"""Every way a signed request may look, in both forms; each is taken, and refused when anything in it is changed.

The cases are those of ``reference/signing.md``: duplicated, reordered and padded headers, any case of letters, the
order of queries by encoded name, empty names and values, unreserved and UTF-8 characters, normal paths for all but
S3, tokens. The signatures are made here, by ``plain_signer``; where botocore can send such a request, it must agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from plain_signer import DATE, KEY, SECRET, Case, scope, sent_query, signature_of

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.signing.refusals import JSON, QUERY, S3, Family
from cloche.aws.signing.sigv4 import Verifier

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
HOST = "service.example:4566"
TOKEN = "a-session-token/with+signs=="

CASES: dict[str, Case] = {
    "vanilla": Case(),
    "post": Case(method="POST"),
    "a body": Case(method="POST", body=b"Param1=value1&b=%20"),
    "header twice": Case(
        headers=(("My-Header", "v1"), ("Other", "x"), ("My-Header", "v2")),
        canonical_headers={"my-header": "v1,v2", "other": "x"},
    ),
    "header values keep their order": Case(
        headers=(("h", "v4"), ("h", "v1"), ("h", "v3")), canonical_headers={"h": "v4,v1,v3"}
    ),
    "padded": Case(headers=(("h", "  a   b  \t c  "),), canonical_headers={"h": "a b c"}),
    "padded and twice": Case(headers=(("h", " a "), ("h", " b  c ")), canonical_headers={"h": "a,b c"}),
    "quoted blanks": Case(headers=(("h", ' "a   b" '),), canonical_headers={"h": '"a b"'}),
    "any case of name": Case(
        headers=(("MY-header", "v"), ("ZOO", "z"), ("aNT", "a")),
        canonical_headers={"my-header": "v", "zoo": "z", "ant": "a"},
    ),
    "case of value": Case(headers=(("h", "VaLuE"),), canonical_headers={"h": "VaLuE"}),
    "empty value of a header": Case(headers=(("h", ""),), canonical_headers={"h": ""}),
    "a list in a header": Case(headers=(("h", "b, a,c"),), canonical_headers={"h": "b, a,c"}),
    "header in latin-1": Case(headers=(("h", "caf\xe9"),), canonical_headers={"h": "caf\xe9"}),
    "query in order of names": Case(query=(("b", "2"), ("a", "1"), ("B", "3"))),
    "query in order of values": Case(query=(("a", "b"), ("a", "B"), ("a", ""), ("a", "a"))),
    "query by encoded name": Case(query=(("é", "1"), ("~", "2"), ("a-b", "3"), ("a b", "4"), ("a", "5"))),
    "empty value": Case(query=(("a", ""), ("b", ""))),
    "no equals sign": Case(query=(("uploads", ""), ("b", "c")), raw_query="uploads&b=c"),
    "empty name": Case(query=(("", "v"), ("a", "b"))),
    "unreserved in the query": Case(query=(("-._~AZaz09", "-._~AZaz09"),)),
    "reserved in the query": Case(query=(("a&b=c+d", "/?:@!$'()*,; %"),)),
    "a plus is a blank": Case(query=(("a", "b c"),), raw_query="a=b+c"),
    "UTF-8 in the query": Case(query=(("ሴ", "漢字 🙂"),)),
    "small letters in escapes": Case(query=(("é", "/"),), raw_query="%c3%a9=%2f"),
    "escapes of the needless": Case(query=(("a", "b~"),), raw_query="%61=%62%7E"),
    "unreserved in the path": Case("/-._~0123456789ABCXYZabcxyz", "/-._~0123456789ABCXYZabcxyz"),
    "UTF-8 in the path": Case("/%E1%88%B4", "/%25E1%2588%25B4"),
    "a blank in the path": Case("/a%20b/c", "/a%2520b/c"),
    "a slash in a label": Case("/endpoints/a%2Fb/invocations", "/endpoints/a%252Fb/invocations"),
    "signs in the path": Case("/a+b&c=d,e:f@g$", "/a%2Bb%26c%3Dd%2Ce%3Af%40g%24"),
    "one up": Case("/example/..", "/"),
    "two up": Case("/example1/example2/../..", "/"),
    "up and down": Case("/a/b/../c/./d", "/a/c/d"),
    "up from the root": Case("/../../a", "/a"),
    "a dot": Case("/./", "/"),
    "a pointless dot": Case("/./example", "/example"),
    "a last dot": Case("/a/.", "/a"),
    "a last double dot": Case("/a/b/..", "/a"),
    "two slashes": Case("//", "/"),
    "slashes everywhere": Case("//example//", "/example/"),
    "a slash at the end": Case("/example/", "/example/"),
    "a token": Case(token=TOKEN),
    "a token, a body and a query": Case(method="POST", body=b"x", query=(("Action", "A"),), token=TOKEN),
}
"""Services other than S3."""

S3_CASES: dict[str, Case] = {
    "vanilla": Case("/b/k", "/b/k"),
    "encoded once": Case("/b/a%20b/%C3%A9%2B%25/..%2Fx~.txt", "/b/a%20b/%C3%A9%2B%25/../x~.txt"),
    "dots stay": Case("/b/a/../c/./d/..", "/b/a/../c/./d/.."),
    "slashes stay": Case("/b//lead//trail/", "/b//lead//trail/"),
    "a list": Case("/b", "/b", query=(("list-type", "2"), ("prefix", "a&b+c d"), ("delimiter", "/"))),
    "metadata": Case(
        "/b/k",
        "/b/k",
        headers=(("X-Amz-Meta-A", " a  b "), ("x-amz-acl", "private")),
        canonical_headers={"x-amz-meta-a": "a b", "x-amz-acl": "private"},
        method="PUT",
        body=b"content",
    ),
    "signs sent bare": Case("/b/a+b&c=d,e:f@g$!'()*", "/b/a%2Bb%26c%3Dd%2Ce%3Af%40g%24%21%27%28%29%2A"),
    "a token": Case("/b/k", "/b/k", token=TOKEN),
}


@dataclass(frozen=True)
class Known:
    session_token: str | None = None
    access_key: str = KEY
    secret_key: str = SECRET
    account: str = "123456789012"
    principal_arn: str = "arn:aws:iam::123456789012:root"
    user_id: str = "123456789012"
    expires_at: datetime | None = None


def verify(request: HttpRequest, family: Family, token: str, now: datetime = NOW) -> None:
    expires = NOW + timedelta(hours=1) if token else None
    Verifier({KEY: Known(token or None, expires_at=expires)}.get).verify(request, family, now.timestamp())


def header_form(case: Case, service: str) -> HttpRequest:
    payload = hashlib.sha256(case.body).hexdigest()
    more = {"x-amz-date": DATE}
    if service == "s3":
        more["x-amz-content-sha256"] = payload
    if case.token:
        more["x-amz-security-token"] = case.token
    names, signature = signature_of(case, service, HOST, [], more, payload)
    credential = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope(service)}, SignedHeaders={names}, Signature={signature}"
    lines = [*case.headers, ("Host", HOST), *more.items(), ("Authorization", credential), ("User-Agent", "unsigned")]
    return HttpRequest(case.method, case.path, sent_query(case), Headers(lines), case.body)


def query_form(case: Case, service: str) -> HttpRequest:
    payload = "UNSIGNED-PAYLOAD" if service == "s3" else hashlib.sha256(case.body).hexdigest()
    extra = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", f"{KEY}/{scope(service)}"),
        ("X-Amz-Date", DATE),
        ("X-Amz-Expires", "3600"),
        ("X-Amz-SignedHeaders", ";".join(sorted({"host", *case.canonical_headers}))),
    ]
    if case.token:
        extra.append(("X-Amz-Security-Token", case.token))
    _, signature = signature_of(case, service, HOST, extra, {}, payload)
    link = "&".join(
        f"{name}={value.replace('/', '%2F').replace('+', '%2B').replace(';', '%3B')}" for name, value in extra
    )
    query = "&".join(filter(None, [sent_query(case), link, f"X-Amz-Signature={signature}"]))
    return HttpRequest(case.method, case.path, query, Headers([*case.headers, ("Host", HOST)]), case.body)


FORMS = {"header": header_form, "query": query_form}
FAMILIES: dict[str, Family] = {"sagemaker": JSON, "iam": QUERY}
ALL = [(service, form, name) for service in FAMILIES for form in FORMS for name in CASES]
ALL += [("s3", form, name) for form in FORMS for name in S3_CASES]


def made(service: str, form: str, name: str) -> tuple[HttpRequest, Family, Case]:
    case = (S3_CASES if service == "s3" else CASES)[name]
    return FORMS[form](case, service), FAMILIES.get(service, S3), case


@pytest.mark.parametrize(("service", "form", "name"), ALL)
def test_taken(service: str, form: str, name: str) -> None:
    request, family, case = made(service, form, name)
    verify(request, family, case.token)


@pytest.mark.parametrize("service", [*FAMILIES, "s3"])
def test_headers_may_come_in_any_order_and_more_of_them(service: str) -> None:
    for name in S3_CASES if service == "s3" else CASES:
        request, family, case = made(service, "header", name)
        lines = sorted(request.headers.items, key=lambda line: hashlib.sha256(line[0].encode()).digest())
        lines += [("x-forwarded-for", "10.0.0.1"), ("accept", "*/*")]
        verify(replace(request, headers=Headers(lines)), family, case.token)


def turned(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def without(request: HttpRequest, name: str) -> HttpRequest:
    return replace(request, headers=Headers([line for line in request.headers if line[0] != name]))


def with_line(request: HttpRequest, name: str, value: str) -> HttpRequest:
    return replace(without(request, name), headers=Headers([*without(request, name).headers.items, (name, value)]))


def in_signature(request: HttpRequest) -> HttpRequest:
    if "authorization" in request.headers:
        return with_line(request, "authorization", turned(request.headers.get("authorization")))
    return replace(request, query=turned(request.query))


TAMPERED: dict[str, Callable[[HttpRequest], HttpRequest]] = {
    "signature": in_signature,
    "method": lambda r: replace(r, method="DELETE"),
    "path": lambda r: replace(r, path=r.path.rstrip("/.") + "/x"),
    "a parameter more": lambda r: replace(r, query="zz=1&" + r.query),
    "a nameless parameter more": lambda r: replace(r, query="=1&" + r.query),
    "host": lambda r: with_line(r, "host", "evil.example"),
    "host twice": lambda r: replace(r, headers=Headers([*r.headers.items, ("host", "evil.example")])),
    "host gone": lambda r: without(r, "host"),
}


@pytest.mark.parametrize("change", TAMPERED)
@pytest.mark.parametrize(("service", "form", "name"), ALL)
def test_tampered(service: str, form: str, name: str, change: str) -> None:
    request, family, case = made(service, form, name)
    with pytest.raises(AwsError) as caught:
        verify(TAMPERED[change](request), family, case.token)
    assert caught.value.code == family.mismatch[0]
    assert caught.value.status == 403


@pytest.mark.parametrize(("service", "form", "name"), [one for one in ALL if "header" in one[2] or "padded" in one[2]])
def test_a_signed_header_is_bound(service: str, form: str, name: str) -> None:
    request, family, case = made(service, form, name)
    for header in case.canonical_headers:
        for other in (without(request, header), with_line(request, header, "changed")):
            with pytest.raises(AwsError) as caught:
                verify(other, family, case.token)
            assert caught.value.code == family.mismatch[0]


@pytest.mark.parametrize(("service", "form", "name"), [one for one in ALL if "body" in one[2] and one[1] == "header"])
def test_the_body_is_bound(service: str, form: str, name: str) -> None:
    request, family, case = made(service, form, name)
    for body in (case.body + b" ", case.body[:-1], b""):
        with pytest.raises(AwsError):
            verify(replace(request, body=body), family, case.token)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, case in CASES.items()
        if not case.headers and case.raw_query is None and "" not in dict(case.query)
    ],
)
def test_botocore_signs_it_like_that(name: str) -> None:
    """The hand-written canonical forms are those of the client that matters most."""
    case = CASES[name]
    request = header_form(case, "sagemaker")
    url = f"http://{HOST}{case.path}" + (f"?{request.query}" if request.query else "")
    signing = AWSRequest(case.method, url, data=case.body, headers={"Host": HOST})
    signer = botocore.auth.SigV4Auth(Credentials(KEY, SECRET, case.token or None), "sagemaker", "eu-west-1")
    with patch("botocore.auth.get_current_datetime", lambda *_, **__: NOW.replace(tzinfo=None)):
        signer.add_auth(signing)
    theirs = signing.headers["Authorization"].rpartition("Signature=")[2]
    assert request.headers.get("authorization").rpartition("Signature=")[2] == theirs
