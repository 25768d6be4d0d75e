"""Keys, a moment, and requests signed by botocore: the reference these tests hold the verifier to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.signing.refusals import Family
from cloche.aws.signing.sigv4 import Verifier

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
KEY = "AKIAUNITTESTUNITTEST"
SECRET = "secret/of+the/unit/tests/aaaaaaaaaaaaaaa"
REGION = "eu-west-1"


@dataclass(frozen=True)
class Known:
    """Credentials as the identity engine gives them."""

    access_key: str = KEY
    secret_key: str = SECRET
    session_token: str | None = None
    account: str = "123456789012"
    principal_arn: str = "arn:aws:iam::123456789012:root"
    user_id: str = "123456789012"
    expires_at: datetime | None = None


TEMPORARY = Known("ASIAUNITTESTUNITTEST", "temporary-secret", "the-session-token", expires_at=NOW + timedelta(hours=1))


def verifier() -> Verifier:
    return Verifier({key.access_key: key for key in (Known(), TEMPORARY)}.get)


def refused(request: HttpRequest, family: Family, now: datetime = NOW) -> AwsError:
    with pytest.raises(AwsError) as caught:
        verifier().verify(request, family, now.timestamp())
    return caught.value


def request_of(method: str, url: str, headers: Any, body: bytes = b"") -> HttpRequest:
    parts = urlsplit(url)
    return HttpRequest(method, parts.path or "/", parts.query, Headers(list(headers.items())), body)


class _Frozen:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self, *_: Any, **__: Any) -> datetime:
        return self.at.replace(tzinfo=None)


def sign(signer: Any, request: AWSRequest, at: datetime) -> None:
    """Let botocore sign as if it were ``at``."""
    with patch("botocore.auth.get_current_datetime", _Frozen(at)):
        signer.add_auth(request)


def header_signed(
    method: str,
    url: str,
    service: str,
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    at: datetime = NOW,
    who: Known | None = None,
    key: str = KEY,
    secret: str = SECRET,
) -> HttpRequest:
    who = who or Known(key, secret)
    request = AWSRequest(method, url, data=body, headers={"Host": urlsplit(url).netloc, **(headers or {})})
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer = kind(Credentials(who.access_key, who.secret_key, who.session_token), service, REGION)
    sign(signer, request, at)
    return request_of(method, url, request.headers, body)


def link(
    method: str, url: str, service: str = "s3", *, seconds: Any = 3600, at: datetime = NOW, who: Known | None = None
) -> HttpRequest:
    """A presigned request."""
    who = who or Known()
    request = AWSRequest(method, url, headers={})
    kind = botocore.auth.S3SigV4QueryAuth if service == "s3" else botocore.auth.SigV4QueryAuth
    sign(kind(Credentials(who.access_key, who.secret_key, who.session_token), service, REGION, seconds), request, at)
    return request_of(method, request.url, {"Host": urlsplit(url).netloc})
