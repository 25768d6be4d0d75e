"""Page tokens that carry the whole scan, so that the server keeps nothing.

A token holds the last key of the page before and a digest of the question it answered (operation, owner,
filters, order). It is signed with the store's own secret: one that was altered, made by hand, or used with
another question is refused, not misread. It does not expire; a key whose row has gone is still a position.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import orjson

from cloche.foundation.errors import Invalid

_MAC_BYTES = 16


def seal(secret: bytes, question: Any, after: tuple[Any, ...]) -> str:
    """The token that goes on after the key ``after`` in the answer to ``question`` (any JSON document)."""
    body = orjson.dumps([_digest(question), list(after)])
    return base64.urlsafe_b64encode(_mac(secret, body) + body).decode()


def unseal(secret: bytes, question: Any, token: str) -> tuple[Any, ...]:
    """The key to go on after. Raises ``Invalid`` unless ``token`` was made here for the same ``question``."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _invalid() from None
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(secret, body)):
        raise _invalid()
    digest, after = orjson.loads(body)
    if digest != _digest(question):
        raise Invalid("NextToken was made for a request with other parameters", field="NextToken")
    return tuple(after)


def _invalid() -> Invalid:
    return Invalid("NextToken is not valid", field="NextToken")


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, body, "sha256")[:_MAC_BYTES]


def _digest(question: Any) -> str:
    return hashlib.sha256(orjson.dumps(question, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
