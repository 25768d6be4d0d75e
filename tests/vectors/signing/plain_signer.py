"""Signature Version 4 by the book, written a second time: no line is shared with the verifier it judges.

docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. What goes over the wire and what
is signed are given apart, so that a case may send a header in three pieces and sign it in one.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import quote

DATE, DAY = "20261125T120000Z", "20261125"
KEY, SECRET, REGION = "AKIAVECTORVECTORVECT", "secret/of+the/vectors/aaaaaaaaaaaaaaaaaa", "eu-west-1"


@dataclass(frozen=True)
class Case:
    """What a client sends, and the canonical form that AWS's pages give it, written by hand."""

    path: str = "/"
    """As it is sent."""
    canonical_path: str = "/"
    query: tuple[tuple[str, str], ...] = ()
    """Name and value as meant; sent strictly encoded in this order unless ``raw_query`` says otherwise."""
    raw_query: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    canonical_headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: bytes = b""
    token: str = ""


def strict(text: str) -> str:
    return quote(text, safe="-_.~")


def sent_query(case: Case) -> str:
    if case.raw_query is not None:
        return case.raw_query
    return "&".join(f"{strict(name)}={strict(value)}" for name, value in case.query)


def scope(service: str) -> str:
    return f"{DAY}/{REGION}/{service}/aws4_request"


def signature_of(
    case: Case, service: str, host: str, extra_query: list[tuple[str, str]], headers: dict[str, str], payload: str
) -> tuple[str, str]:
    """The names of the signed headers and the signature."""
    pairs = sorted((strict(name), strict(value)) for name, value in [*case.query, *extra_query])
    lines = {"host": host, **headers, **case.canonical_headers}
    names = ";".join(sorted(lines))
    canonical = "\n".join(
        [
            case.method,
            case.canonical_path,
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{lines[name]}" for name in sorted(lines)),
            "",
            names,
            payload,
        ]
    )
    hashed = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", DATE, scope(service), hashed])
    key = f"AWS4{SECRET}".encode()
    for part in (DAY, REGION, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return names, hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
