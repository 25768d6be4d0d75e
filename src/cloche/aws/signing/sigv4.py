"""Verifying Signature Version 4, header form, and choosing between the forms.

The order matters. The scope is read, the key looked up (a key that was deleted is refused here), the date
checked, then the signature is computed over what really came and compared in constant time; only after it holds
are token and expiry judged, so that nobody without the secret learns about a key's state.

A request with a whole body is covered entirely by its signature. One whose body streams (S3) is covered but for
its body: ``Verified.payload`` and ``Verified.seal`` tell ``chunked`` how to check that while it arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.aws.operation import Caller
from cloche.aws.signing.canonical import canonical_headers, canonical_path, canonical_query
from cloche.aws.signing.keys import Credentials, Lookup, same, sign, signing_key
from cloche.aws.signing.refusals import Family
from cloche.aws.signing.scope import ALGORITHM, ALGORITHM_V4A, Malformed, Scope, parse_authorization, parse_date
from cloche.foundation.limits import CLOCK_SKEW_SECONDS_MAX

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ANONYMOUS: Final = Caller("", "", "anonymous", "", anonymous=True)
SECRET_HEADERS: Final = ("x-amz-security-token", "x-amz-server-side-encryption-customer-key")


@dataclass(frozen=True, slots=True)
class Seal:
    """What the signatures of chunks are chained to."""

    key: bytes | None
    """``None`` where the caller's secret is unknown (``--any-credentials``): chunks are then not checked."""
    date: str
    scope: str
    signature: str


@dataclass(frozen=True, slots=True)
class Verified:
    caller: Caller
    region: str
    """The region the caller signed for; empty for an anonymous one."""
    payload: str = UNSIGNED
    """The body's SHA-256 in hex, ``UNSIGNED-PAYLOAD``, or a ``STREAMING-…`` name."""
    seal: Seal | None = None


class Verifier:
    """Verifies requests against the credentials that ``lookup`` knows.

    ``open_as`` is set for ``--any-credentials``: a key that ``lookup`` does not know is then taken for the
    caller that this makes of it, its signature unchecked. Keys it does know are verified as ever. ``old_header``:
    S3 takes Signature Version 2 in the header, too. ``has_expired``: whether a key is past its time, by whatever clock
    its time goes; without it by the clock that signatures are checked against.
    """

    def __init__(
        self,
        lookup: Lookup,
        *,
        open_as: Callable[[str], Caller] | None = None,
        old_header: bool = False,
        has_expired: Callable[[Any], bool] | None = None,
    ) -> None:
        self.lookup = lookup
        self.open_as = open_as
        self.old_header = old_header
        self._has_expired = has_expired

    def has_expired(self, credentials: Credentials, now: float) -> bool:
        if self._has_expired is not None:
            return self._has_expired(credentials)
        return credentials.expires_at is not None and credentials.expires_at.timestamp() <= now

    def verify(self, request: HttpRequest, family: Family, now: float, *, streams: bool = False) -> Verified:
        """Who signed ``request``. Raises ``AwsError`` in the family's words where nobody did, or not this.

        ``streams`` says that the body is yet to come, and that ``chunked`` will check it.
        """
        header = request.headers.get("authorization")
        if header:
            return self._header(request, family, now, header, streams)
        if "X-Amz-Algorithm=" in request.query or "X-Amz-Signature=" in request.query:
            from cloche.aws.signing.presigned import verify_presigned

            return verify_presigned(self, request, family, now)
        if "AWSAccessKeyId=" in request.query and "Signature=" in request.query:
            if not family.s3:
                raise unsupported(family, "AWS Signature Version 2")
            from cloche.aws.routing import bucket_of_host
            from cloche.aws.signing.sigv2 import verify_link

            return verify_link(self, request, bucket_of_host(request.host), family, now)
        if family.s3:
            return Verified(ANONYMOUS, "")
        raise family.refuse(family.missing)

    def _header(self, request: HttpRequest, family: Family, now: float, header: str, streams: bool) -> Verified:
        headers = request.headers
        if headers.repeats and len(headers.all("authorization")) > 1:
            raise family.refuse(family.incomplete, "A request carries one Authorization header; this has several.")
        if family.s3 and ("X-Amz-Algorithm=" in request.query or "X-Amz-Signature=" in request.query):
            raise AwsError("InvalidArgument", _ONE_MECHANISM)
        if self.old_header and family.s3 and header.startswith("AWS "):
            from cloche.aws.routing import bucket_of_host
            from cloche.aws.signing.sigv2 import verify_header

            return verify_header(self, request, bucket_of_host(request.host), family, now)
        refuse_other_algorithms(header, family)
        try:
            scope, signature = parse_authorization(header)
            date = headers.get("x-amz-date") or _from_http_date(headers.get("date"))
            signed_at = parse_date(date)
        except Malformed as error:
            raise family.refuse(family.incomplete, str(error)) from None
        credentials = self.find(scope.access_key, family)
        check_scope(scope, date, request, family)
        payload = _payload(request, family)
        if credentials is None:
            assert self.open_as is not None
            seal = Seal(None, date, scope.text, signature) if streams else None
            return Verified(self.open_as(scope.access_key), scope.region, payload, seal)
        check_skew(signed_at, date, now, family)
        key = signing_key(credentials.secret_key, scope.day, scope.region, scope.service)
        canonical = canonical_request(request, scope, payload, s3=family.s3)
        check_signature(key, date, scope, canonical, signature, family, request)
        if family.s3 and not streams:
            _check_whole_body(request, payload)
        check_token(self, credentials, headers.get("x-amz-security-token"), now, family)
        seal = Seal(key, date, scope.text, signature) if streams else None
        return Verified(caller_of(credentials), scope.region, payload, seal)

    def find(self, access_key: str, family: Family) -> Credentials | None:
        """The key's credentials; ``None`` only where unknown keys are welcome."""
        credentials = self.lookup(access_key)
        if credentials is None and self.open_as is None:
            raise family.refuse(family.unknown_key, fields={"AWSAccessKeyId": access_key} if family.s3 else None)
        return credentials


_ONE_MECHANISM: Final = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter "
    "or the Authorization header should be specified"
)


def refuse_other_algorithms(header: str, family: Family) -> None:
    if header.startswith(ALGORITHM):
        return
    if header.startswith(ALGORITHM_V4A):
        raise unsupported(family, "AWS Signature Version 4A (asymmetric)")
    if header.startswith(("AWS ", "AWS3")):
        raise unsupported(family, "AWS Signature Version 2")
    raise family.refuse(family.incomplete)


def unsupported(family: Family, name: str) -> AwsError:
    """S3's code and words for a mechanism it does not take, with the mechanism's name."""
    code = "InvalidRequest" if family.s3 else family.incomplete[0]
    return AwsError(
        code,
        f"The authorization mechanism you have provided, {name}, is not supported. Please use {ALGORITHM}.",
    )


def check_scope(scope: Scope, date: str, request: HttpRequest, family: Family) -> None:
    """The day is the date's; ``host`` and what steers the request are among the signed headers."""
    if not date.startswith(scope.day):
        raise family.refuse(family.incomplete, "Date in Credential scope does not match YYYYMMDD from the date.")
    if "host" not in scope.signed and ":authority" not in scope.signed:
        raise family.refuse(family.incomplete, "'Host' or ':authority' must be a 'SignedHeader'.")
    if family.s3:
        missing = [n for n, _ in request.headers.items if n.startswith("x-amz-") and n not in scope.signed]
        if missing:
            raise AwsError(
                "AccessDenied",
                "There were headers present in the request which were not signed",
                403,
                fields={"HeadersNotSigned": ", ".join(sorted(set(missing)))},
            )
    elif "x-amz-target" in request.headers and "x-amz-target" not in scope.signed:
        raise family.refuse(family.incomplete, "'x-amz-target' must be a 'SignedHeader'.")


def check_skew(signed_at: float, date: str, now: float, family: Family) -> None:
    if abs(now - signed_at) <= CLOCK_SKEW_SECONDS_MAX:
        return
    if family.s3:
        raise family.refuse(family.skewed)
    if signed_at < now:
        edge = _iso_basic(now - CLOCK_SKEW_SECONDS_MAX)
        text = f"Signature expired: {date} is now earlier than {edge} ({_iso_basic(now)} - 15 min.)"
    else:
        edge = _iso_basic(now + CLOCK_SKEW_SECONDS_MAX)
        text = f"Signature not yet current: {date} is still later than {edge} ({_iso_basic(now)} + 15 min.)"
    raise family.refuse(family.skewed, text)


def canonical_request(
    request: HttpRequest, scope: Scope, payload: str, *, s3: bool, without: tuple[str, ...] = ()
) -> str:
    return (
        f"{request.method}\n{canonical_path(request.path, s3=s3)}\n{canonical_query(request.query, without=without)}"
        f"\n{canonical_headers(request.headers, scope.signed)}\n{';'.join(scope.signed)}\n{payload}"
    )


def check_signature(
    key: bytes, date: str, scope: Scope, canonical: str, signature: str, family: Family, request: HttpRequest
) -> None:
    if not is_signed(key, date, scope, canonical, signature):
        to_sign = _string_to_sign(date, scope, canonical)
        raise family.refuse(family.mismatch, fields=_shown(scope, to_sign, canonical, request) if family.s3 else None)


def is_signed(key: bytes, date: str, scope: Scope, canonical: str, signature: str) -> bool:
    """Is ``signature`` this canonical request's? In constant time."""
    return same(sign(key, _string_to_sign(date, scope, canonical)), signature)


def _string_to_sign(date: str, scope: Scope, canonical: str) -> str:
    digest = sha256(canonical.encode("latin-1")).hexdigest()
    return f"{ALGORITHM}\n{date}\n{scope.text}\n{digest}"


def _shown(scope: Scope, to_sign: str, canonical: str, request: HttpRequest) -> Mapping[str, str]:
    """What S3 shows so that a signer's author can compare. The canonical request only if it holds no secret."""
    shown = {"AWSAccessKeyId": scope.access_key, "StringToSign": to_sign}
    secret = any(name in request.headers for name in SECRET_HEADERS) or "X-Amz-Security-Token" in request.query
    return shown if secret else shown | {"CanonicalRequest": canonical}


def check_token(verifier: Verifier, credentials: Credentials, given: str, now: float, family: Family) -> None:
    """A temporary key comes with its token, unexpired; a long-term key comes with none."""
    wanted = credentials.session_token
    if wanted is None:
        if given:
            raise family.refuse(family.wrong_token)
        return
    if not given:
        raise family.refuse(family.unknown_key)
    if not same(given, wanted):
        raise family.refuse(family.wrong_token)
    if verifier.has_expired(credentials, now):
        raise family.refuse(family.expired_token)


def caller_of(credentials: Credentials) -> Caller:
    return Caller(credentials.account, credentials.principal_arn, credentials.user_id, credentials.access_key)


def _payload(request: HttpRequest, family: Family) -> str:
    """What the client's canonical request has in the place of the body's hash."""
    said = request.headers.get("x-amz-content-sha256")
    if family.s3:
        if not said:
            raise AwsError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        return said
    if said == UNSIGNED:
        return said
    return sha256(request.body).hexdigest() if request.body else EMPTY_SHA256


def _check_whole_body(request: HttpRequest, payload: str) -> None:
    """S3 names the hash in a header, which is what was signed: it must also be the body's."""
    if payload == UNSIGNED or payload.startswith("STREAMING-"):
        return
    computed = sha256(request.body).hexdigest()
    if not same(computed, payload):
        raise content_mismatch(payload, computed)


def content_mismatch(said: str, computed: str) -> AwsError:
    return AwsError(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        fields={"ClientComputedContentSHA256": said, "S3ComputedContentSHA256": computed},
    )


def _from_http_date(value: str) -> str:
    """Old clients send ``Date`` alone, in either form."""
    if not value:
        raise Malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if value.endswith("Z"):
        return value
    try:
        return parsedate_to_datetime(value).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, TypeError, OverflowError):
        raise Malformed("the Date header is not a date") from None


def _iso_basic(seconds: float) -> str:
    from cloche.foundation.clock import from_epoch

    return from_epoch(seconds).strftime("%Y%m%dT%H%M%SZ")
