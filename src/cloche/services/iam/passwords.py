"""Passwords of users: what the account's policy asks of them, and how they are kept (scrypt, never as text).

There is no AWS console to sign in to; login profiles are kept because tools make, audit and rotate them.
Without a policy of its own an account has IAM's default one: eight characters, three of the four kinds of
characters, and not the user's own name
(docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html).
The code is IAM's; what is wrong with a password is said in our own words.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloche.aws.errors import AwsError

LENGTH_MIN: Final = 8
SYMBOLS: Final = "!@#$%^&*()_+-=[]{}|'"
_KINDS: Final = (
    ("RequireUppercaseCharacters", "uppercase letter", str.isupper),
    ("RequireLowercaseCharacters", "lowercase letter", str.islower),
    ("RequireNumbers", "number", str.isdigit),
    ("RequireSymbols", "symbol", SYMBOLS.__contains__),
)


def check(password: str, policy: Mapping[str, Any] | None, user: str) -> None:
    """Raises ``PasswordPolicyViolation`` for a password that the account's policy does not let through."""
    shortest = LENGTH_MIN if policy is None else policy["MinimumPasswordLength"]
    if len(password) < shortest:
        raise _violation(f"Password should have a minimum length of {shortest}")
    kinds = {name for name, _, holds in _KINDS if any(holds(character) for character in password)}
    if policy is None:
        if len(kinds) < 3:
            raise _violation("Password should have at least three of: uppercase, lowercase, numbers, symbols")
        if password.lower() == user.lower():
            raise _violation("Password should not be identical to the user name")
        return
    for name, said, _ in _KINDS:
        if policy.get(name) and name not in kinds:
            raise _violation(f"Password should have at least one {said}")


def kept(password: str) -> str:
    """What is stored of a password."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${_derived(password, salt)}"


def is_same(password: str, stored: str) -> bool:
    salt, _, digest = stored.partition("$")
    return hmac.compare_digest(_derived(password, bytes.fromhex(salt)), digest)


def was_used(password: str, earlier: Sequence[str]) -> bool:
    return any(is_same(password, each) for each in earlier)


def _derived(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1).hex()


def _violation(message: str) -> AwsError:
    return AwsError("PasswordPolicyViolation", message, 400)
