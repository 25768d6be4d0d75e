"""One-time passwords of virtual MFA devices: RFC 6238 over the seed that CreateVirtualMFADevice gave out.

Six digits from HMAC-SHA-1 over the number of the 30 seconds that pass, as every authenticator app makes them. A
clock may be one step off either way, and a code is good once.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Final

STEP_SECONDS: Final = 30
DRIFT_STEPS: Final = 1
SEED_BYTES: Final = 40
"""64 characters in base32, as IAM gives."""


def new_seed() -> str:
    """A secret in base32."""
    return base64.b32encode(secrets.token_bytes(SEED_BYTES)).decode()


def code_at(seed: str, step: int) -> str:
    digest = hmac.digest(base64.b32decode(seed), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def step_of(seed: str, code: str, now: float, *, after: int = -1) -> int | None:
    """The step whose code this is, near ``now`` and behind ``after``; ``None`` for a wrong or used code."""
    present = int(now) // STEP_SECONDS
    found = None
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(seed, step), code.encode("ascii", "replace").decode()) and step > after:
            found = step
    return found


def consecutive(seed: str, first: str, second: str, now: float) -> int | None:
    """The later step of two codes that follow one another, not far from ``now``; ``None`` for others."""
    present = int(now) // STEP_SECONDS
    for step in range(present - 10, present + 10):
        if hmac.compare_digest(code_at(seed, step) + code_at(seed, step + 1), first + second):
            return step + 1
    return None
