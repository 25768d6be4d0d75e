"""Signature Version 4 in the query string: a link that is good for one method, one path, one while.

Source: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.aws.signing.canonical import REMEMBERED_CHARACTERS_MAX
from cloche.aws.signing.keys import signing_key
from cloche.aws.signing.refusals import Family
from cloche.aws.signing.scope import ALGORITHM, ALGORITHM_V4A, Malformed, Scope, parse_credential, parse_date
from cloche.aws.signing.sigv4 import (
    EMPTY_SHA256,
    UNSIGNED,
    Seal,
    Verified,
    caller_of,
    canonical_request,
    check_scope,
    check_signature,
    check_token,
    is_signed,
    unsupported,
)
from cloche.foundation.clock import from_epoch, to_iso
from cloche.foundation.limits import CLOCK_SKEW_SECONDS_MAX, PRESIGNED_SECONDS_MAX

if TYPE_CHECKING:
    from cloche.aws.signing.sigv4 import Verifier

_NEEDED: Final = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
_LISTED: Final = (
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
    "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
)


def verify_presigned(verifier: Verifier, request: HttpRequest, family: Family, now: float) -> Verified:
    """Who made this link. Raises ``AwsError`` where it is expired, not yet valid, too long or altered."""
    try:
        fields = _fields(request.query)
    except Malformed as error:
        raise _wrong(family, str(error)) from None
    algorithm = fields["X-Amz-Algorithm"]
    if algorithm == ALGORITHM_V4A:
        raise unsupported(family, "AWS Signature Version 4A (asymmetric)")
    if algorithm != ALGORITHM:
        raise _wrong(family, f"X-Amz-Algorithm only supports {ALGORITHM}")
    date, signature = fields["X-Amz-Date"], fields["X-Amz-Signature"]
    try:
        scope = parse_credential(fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"])
        signed_at = parse_date(date)
    except Malformed as error:
        raise _wrong(family, f"Error parsing the query: {error}") from None
    seconds = _lifetime(fields["X-Amz-Expires"], family)
    credentials = verifier.find(scope.access_key, family)
    check_scope(scope, date, request, family)
    payload = _payload(request, scope, family)
    if credentials is None:
        assert verifier.open_as is not None
        caller = verifier.open_as(scope.access_key)
        return Verified(caller, scope.region, payload, Seal(None, date, scope.text, signature))
    _check_lifetime(signed_at, seconds, now, family)
    key = signing_key(credentials.secret_key, scope.day, scope.region, scope.service)
    without: tuple[str, ...] = ("X-Amz-Signature",)
    canonical = canonical_request(request, scope, payload, s3=family.s3, without=without)
    if not family.s3 and "X-Amz-Security-Token" in fields and not is_signed(key, date, scope, canonical, signature):
        # Some services' signers add the token to the link after signing it; it is compared below in any case.
        without = ("X-Amz-Signature", "X-Amz-Security-Token")
        canonical = canonical_request(request, scope, payload, s3=False, without=without)
    check_signature(key, date, scope, canonical, signature, family, request)
    token = fields.get("X-Amz-Security-Token") or request.headers.get("x-amz-security-token")
    check_token(verifier, credentials, token, now, family)
    return Verified(caller_of(credentials), scope.region, payload, Seal(key, date, scope.text, signature))


def _fields(query: str) -> Mapping[str, str]:
    return _fields_of_link(query) if len(query) <= REMEMBERED_CHARACTERS_MAX else _read_fields(query)


def _read_fields(query: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        name = unquote(name)
        if name.startswith("X-Amz-"):
            if name in fields:
                raise Malformed(f"{name} is given more than once")
            fields[name] = unquote(value)
    if any(not fields.get(name) for name in _NEEDED):
        raise Malformed(_LISTED)
    return fields


_fields_of_link = lru_cache(maxsize=1024)(_read_fields)
"""Links are made to be used more than once."""


def _lifetime(text: str, family: Family) -> int:
    negative = text.startswith("-")
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12):
        raise _wrong(family, "X-Amz-Expires should be a number")
    if negative:
        raise _wrong(family, "X-Amz-Expires must be non-negative")
    if int(digits) > PRESIGNED_SECONDS_MAX:
        raise _wrong(
            family,
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{PRESIGNED_SECONDS_MAX} seconds",
        )
    return int(digits)


def _check_lifetime(signed_at: int, seconds: int, now: float, family: Family) -> None:
    if signed_at > now + CLOCK_SKEW_SECONDS_MAX:
        text = "Request is not yet valid"
        raise AwsError("AccessDenied", text, 403) if family.s3 else family.refuse(family.skewed, text)
    expires_at = signed_at + seconds
    if now >= expires_at:
        if not family.s3:
            raise family.refuse(
                family.skewed, f"Signature expired: the request expired at {to_iso(from_epoch(expires_at))}"
            )
        times = {"Expires": to_iso(from_epoch(expires_at)), "ServerTime": to_iso(from_epoch(now))}
        raise AwsError("AccessDenied", "Request has expired", 403, fields=times)


def _payload(request: HttpRequest, scope: Scope, family: Family) -> str:
    """S3's links leave the body free unless they bind a hash of it; other services' links cover it."""
    if family.s3:
        if "x-amz-content-sha256" in scope.signed:
            return request.headers.get("x-amz-content-sha256") or UNSIGNED
        return UNSIGNED
    return sha256(request.body).hexdigest() if request.body else EMPTY_SHA256


def _wrong(family: Family, detail: str) -> AwsError:
    if family.s3:
        return family.refuse(family.presigned, detail)
    return family.refuse(family.incomplete, detail)
