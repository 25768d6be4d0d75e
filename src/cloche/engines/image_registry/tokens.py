"""Authorization tokens: what ``docker login`` gives as the password of the user ``AWS``.

A token is Base64 of ``AWS:<password>`` and is good for twelve hours (API_GetAuthorizationToken.html). The password is
itself Base64 of a JSON object whose members clients have come to know: ``payload``, ``datakey``, ``version``, ``type``
and ``expiration``. Here the payload says openly for whom it was made, and ``datakey`` is its signature with a secret of
the store's, so nothing has to be remembered and a token outlives a restart. Times are Cloche's.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cloche.engines.image_registry.errors import TokenRefused

HOURS: Final = 12
USER: Final = "AWS"
_EXPIRED: Final = "Your authorization token has expired. Reauthenticate and try again."
"""As docker prints it after "denied: " (aws-samples/ecs-bg-external-controller#13)."""


@dataclass(frozen=True, slots=True)
class Holder:
    """For whom a token was made, and for which registry."""

    account: str
    """The caller's own."""
    arn: str
    user_id: str
    access_key: str
    registry: str
    """The account whose registry it opens where the address does not say."""
    region: str


def make(secret: bytes, holder: Holder, now: float) -> tuple[str, float]:
    """The token, and when it expires (seconds since 1970)."""
    until = now + HOURS * 3600
    payload = base64.b64encode(
        orjson.dumps({**{name: getattr(holder, name) for name in Holder.__slots__}, "until": until})
    )
    password = orjson.dumps(
        {
            "payload": payload.decode(),
            "datakey": base64.b64encode(_mac(secret, payload)).decode(),
            "version": "2",
            "type": "DATA_KEY",
            "expiration": int(until),
        }
    )
    return base64.b64encode(f"{USER}:".encode() + base64.b64encode(password)).decode(), until


def read(secret: bytes, authorization: str, now: float) -> Holder:
    """Whom an ``Authorization`` header speaks for. Raises ``TokenRefused``."""
    scheme, _, token = authorization.partition(" ")
    try:
        user, _, password = base64.b64decode(token.strip(), validate=True).partition(b":")
        document = orjson.loads(base64.b64decode(password, validate=True))
        payload, datakey = document["payload"].encode(), base64.b64decode(document["datakey"], validate=True)
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        raise TokenRefused("Not Authorized") from None
    if scheme.lower() != "basic" or user != USER.encode() or not hmac.compare_digest(datakey, _mac(secret, payload)):
        raise TokenRefused("Not Authorized")
    said: dict[str, Any] = orjson.loads(base64.b64decode(payload))
    if not said.pop("until") > now:
        raise TokenRefused(_EXPIRED)
    return Holder(**said)


def _mac(secret: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, b"image registry " + payload, "sha256")
