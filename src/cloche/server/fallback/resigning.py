"""Signing a request anew, in the name of keys that the user gave to Cloche (``--fallback-keys env``).

The scope stays as the client signed it: day and region are the client's choice, and so is the service. Only the key
changes, with the headers that depend on it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.signing.keys import sign, signing_key
from cloche.aws.signing.scope import ALGORITHM, Malformed, Scope, parse_authorization
from cloche.aws.signing.sigv4 import canonical_request
from cloche.foundation.errors import Invalid

_OF_THE_CLIENT: Final = ("authorization", "x-amz-security-token")


@dataclass(frozen=True, slots=True)
class Keys:
    access_key: str
    secret_key: str
    session_token: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Keys:
        """Those of the environment. Raises ``Invalid`` where there are none."""
        access_key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
        if not access_key or not secret:
            raise Invalid(
                "--fallback-keys env needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where Cloche is started",
                field="fallback_keys",
            )
        return cls(access_key, secret, environment.get("AWS_SESSION_TOKEN", ""))


def signed_anew(request: HttpRequest, path: str, host: str, keys: Keys) -> HttpRequest:
    """``request`` (its body whole) for ``host`` and ``path``, signed with ``keys`` in its header. Raises
    ``Malformed`` for a request that was not signed in its header."""
    said = request.headers.get("authorization")
    if not said:
        raise Malformed("only a signature in the Authorization header can be made anew")
    scope, _ = parse_authorization(said)
    items = [(name, value) for name, value in request.headers if name not in (*_OF_THE_CLIENT, "host")]
    items.insert(0, ("host", host))
    if keys.session_token:
        items.append(("x-amz-security-token", keys.session_token))
    if not request.headers.get("x-amz-date"):
        raise Malformed("only a signature with an x-amz-date can be made anew")
    date = request.headers.get("x-amz-date")
    names = {name for name, _ in items if name in ("host", "content-type") or name.startswith("x-amz-")}
    ours = Scope(keys.access_key, scope.day, scope.region, scope.service, tuple(sorted(names)))
    unsigned = replace(request, path=path, headers=Headers(items))
    payload = request.headers.get("x-amz-content-sha256") or sha256(request.body).hexdigest()
    canonical = canonical_request(unsigned, ours, payload, s3=False)
    to_sign = f"{ALGORITHM}\n{date}\n{ours.text}\n{sha256(canonical.encode('latin-1')).hexdigest()}"
    signature = sign(signing_key(keys.secret_key, ours.day, ours.region, ours.service), to_sign)
    authorization = (
        f"{ALGORITHM} Credential={keys.access_key}/{ours.text}, SignedHeaders={';'.join(ours.signed)}, "
        f"Signature={signature}"
    )
    return replace(request, headers=Headers([*items, ("authorization", authorization)]))
