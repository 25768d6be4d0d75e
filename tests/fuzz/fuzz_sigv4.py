"""Signatures: noise is refused in words, and what botocore signs is taken, however odd the request.

The signed request goes through the verifier once as it is and once with one byte of its signature turned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from wire_request import refused_in_words, request_of

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.signing.refusals import JSON, QUERY, S3
from cloche.aws.signing.sigv4 import Verifier

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
KEY, SECRET = "AKIAFUZZFUZZFUZZFUZZ", "the-secret-of-the-harness"
FAMILIES = ((S3, "s3"), (JSON, "sagemaker"), (QUERY, "iam"))


@dataclass(frozen=True)
class Known:
    access_key: str = KEY
    secret_key: str = SECRET
    session_token: str | None = None
    account: str = "123456789012"
    principal_arn: str = "arn:aws:iam::123456789012:root"
    user_id: str = "123456789012"
    expires_at: datetime | None = None


VERIFIER = Verifier({KEY: Known()}.get)


def one(data: bytes) -> None:
    family, service = FAMILIES[data[0] % 3] if data else FAMILIES[0]
    request = request_of(data[1:])
    refused_in_words(lambda: VERIFIER.verify(request, family, NOW.timestamp()))
    signed = botocore_signs(request, service)
    if signed is None:
        return
    VERIFIER.verify(signed, family, NOW.timestamp())
    turned = [(n, v[:-1] + ("0" if v[-1] != "0" else "1") if n == "authorization" else v) for n, v in signed.headers]
    other = replace(signed, headers=Headers(turned))
    assert refused_in_words(lambda: VERIFIER.verify(other, family, NOW.timestamp())) is None


def botocore_signs(request: HttpRequest, service: str) -> HttpRequest | None:
    """A request with the fuzzed path, query and one header, as a client would send it; ``None`` where none could."""
    path = quote(request.path.encode("latin-1"), safe="/~-._")
    names = [part.partition("=") for part in request.query.split("&") if part]
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, _, value in names)
    if "X-Amz-" in query or "AWSAccessKeyId" in query:
        return None
    url = f"http://localhost:4566{path}" + (f"?{query}" if query else "")
    value = "".join(c for c in request.headers.get("x-fuzz") if c.isprintable() and c.isascii())
    headers = {"Host": "localhost:4566", "X-Fuzz": value}
    signing = AWSRequest("PUT", url, data=request.body, headers=headers)
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    with patch("botocore.auth.get_current_datetime", lambda *_, **__: NOW.replace(tzinfo=None)):
        kind(Credentials(KEY, SECRET), service, "eu-west-1").add_auth(signing)
    return HttpRequest("PUT", path, query, Headers(list(signing.headers.items())), request.body)
