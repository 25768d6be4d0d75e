"""Secrets and the keys derived from them.

Deriving takes four HMACs and is the same all day long, so derived keys are kept, a bounded number of them. A
deleted or disabled access key is refused at once all the same: the look-up of credentials comes first.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, Protocol

_BLOCK_BYTES: Final = 64
"""Of SHA-256; keys that are derived here are half as long."""


class Credentials(Protocol):
    """What verifying needs to know of an access key (the identity engine's ``Credentials`` are such)."""

    @property
    def access_key(self) -> str: ...
    @property
    def secret_key(self) -> str: ...
    @property
    def session_token(self) -> str | None: ...
    @property
    def account(self) -> str: ...
    @property
    def principal_arn(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def expires_at(self) -> datetime | None: ...


Lookup = Callable[[str], Credentials | None]


@lru_cache(maxsize=512)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key that signs for one day, region and service."""
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode("latin-1"), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """The signature of ``text`` (latin-1) in hex."""
    return hmac.digest(key, text.encode("latin-1"), "sha256").hex()


def signer(key: bytes) -> Callable[[str], str]:
    """``sign`` by that key, again and again: what HMAC (RFC 2104) does with the key alone is done once."""
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in padded))
    outer = sha256(bytes(byte ^ 0x5C for byte in padded))

    def signed(text: str) -> str:
        inside, outside = inner.copy(), outer.copy()
        inside.update(text.encode("latin-1"))
        outside.update(inside.digest())
        return outside.hexdigest()

    return signed


def same(one: str, other: str) -> bool:
    """Are these equal? Takes as long for a near miss as for a far one."""
    return hmac.compare_digest(one.encode("latin-1", "replace"), other.encode("latin-1", "replace"))
