"""Identifiers in the forms AWS clients expect."""

from __future__ import annotations

import secrets
import uuid

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"


def request_id() -> str:
    return str(uuid.uuid4())


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
