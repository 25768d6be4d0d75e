"""Verifying the second and every further request of a client that sends alike ones.

An SDK that calls an operation again and again signs the same names for the same key, day, region and service; only a
few values and the body differ. What follows from the rest (the scope, the derived key, most of the canonical request)
is worked out once, from a request whose signature held. Whatever may have changed since is asked again: the key, its
expiry, the clock. ``verify`` never refuses: where it has doubts the request is verified in full, and refused in the
words for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Final

from cloche.aws.http import HttpRequest
from cloche.aws.signing.canonical import canonical_headers, canonical_path, canonical_query, trimmed
from cloche.aws.signing.keys import same, signer, signing_key
from cloche.aws.signing.scope import ALGORITHM, Malformed, parse_authorization, parse_date
from cloche.aws.signing.sigv4 import EMPTY_SHA256, UNSIGNED, Verifier
from cloche.foundation.limits import CLOCK_SKEW_SECONDS_MAX

DATE: Final = "x-amz-date"


class Alike:
    """Made of ``request``, which was verified: no S3 request, without repeated headers, dated by ``x-amz-date``.
    Of further ones the values of the headers ``varying`` and the signature may be others, and the body."""

    __slots__ = ("_access_key", "_credentials", "_day", "_parts", "_scope", "_sign", "_unsigned", "_verifier")

    def __init__(self, verifier: Verifier, request: HttpRequest, varying: Collection[str]) -> None:
        scope, _ = parse_authorization(request.headers.get("authorization"))
        self._verifier = verifier
        self._access_key = scope.access_key
        self._credentials = verifier.lookup(scope.access_key)
        self._day = scope.day
        self._scope = f"{scope.text}\n"
        secret = "" if self._credentials is None else self._credentials.secret_key
        self._sign = signer(signing_key(secret, scope.day, scope.region, scope.service))
        self._unsigned = request.headers.get("x-amz-content-sha256") == UNSIGNED
        self._parts = _parts(request, scope.signed, varying)

    def verify(self, values: Mapping[str, str], signature: str, body: bytes, now: float) -> bool:
        """Does the signature hold for these values of the varying headers, and for this body?"""
        credentials, verifier, date = self._credentials, self._verifier, values.get(DATE, "")
        if credentials is None or verifier.lookup(self._access_key) is not credentials or date[:8] != self._day:
            return False
        try:
            if abs(now - parse_date(date)) > CLOCK_SKEW_SECONDS_MAX:
                return False
        except Malformed:
            return False
        text = ""
        for before, name in self._parts:
            text += before
            if name:
                text += trimmed(values[name])
        payload = UNSIGNED if self._unsigned else sha256(body).hexdigest() if body else EMPTY_SHA256
        digest = sha256((text + payload).encode("latin-1")).hexdigest()
        if not same(self._sign(f"{ALGORITHM}\n{date}\n{self._scope}{digest}"), signature):
            return False
        return credentials.expires_at is None or not verifier.has_expired(credentials, now)


def _parts(request: HttpRequest, signed: Collection[str], varying: Collection[str]) -> list[tuple[str, str]]:
    """The canonical request but for the body's hash, cut where a varying value belongs: text, and the name of what
    follows it (empty after the last)."""
    parts = []
    text = f"{request.method}\n{canonical_path(request.path, s3=False)}\n{canonical_query(request.query)}\n"
    for name in signed:
        if name in varying and name in request.headers:
            parts.append((f"{text}{name}:", name))
            text = "\n"
        else:
            text += canonical_headers(request.headers, (name,))
    parts.append((f"{text}\n{';'.join(signed)}\n", ""))
    return parts
