"""Identifiers in the forms AWS clients expect."""

from __future__ import annotations

import random
import secrets

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"


_random = random.Random()  # noqa: S311 - request ids are to differ, not to be unguessable


def request_id() -> str:
    """In the form of a UUID of version 4, without asking the system for each."""
    digits = f"{_random.getrandbits(128):032x}"
    variant = "89ab"[_random.getrandbits(2)]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def access_key_id(prefix: str = "AKIA") -> str:
    """20 characters; ``AKIA`` for long-term keys, ``ASIA`` for temporary ones."""
    return prefix + "".join(secrets.choice(_UPPER) for _ in range(16))


def unique_id(prefix: str) -> str:
    """IAM's unique ids: ``AROA…`` role, ``AIDA…`` user, ``ANPA…`` managed policy; 21 characters."""
    return prefix + "".join(secrets.choice(_UPPER) for _ in range(17))


def secret_access_key() -> str:
    return secrets.token_urlsafe(30)


def short_id(length: int = 12) -> str:
    return "".join(secrets.choice(_LOWER) for _ in range(length))
