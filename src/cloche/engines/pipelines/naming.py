"""Names of what a pipeline makes: derived from execution, step and attempt, so that after a crash the child that was
made is found by its name, and none is made twice.

``pipelines-<execution>-<the step's first 20 characters>-<10 characters>``, and ``-<attempt>`` after a retry; models
have theirs in small letters (case ``pipe-03``: ``pipelines-is6ph1fp4go8-abalone-createmodel--m2fs0kxign``).
"""

from __future__ import annotations

import hashlib
import string
from typing import Final

STEP_CHARACTERS: Final = 20
TOKEN_CHARACTERS: Final = 10
NAME_CHARACTERS: Final = 63
_ALPHABET: Final = string.ascii_letters + string.digits


def token_of(execution_arn: str, step: str, purpose: str = "name") -> str:
    """Ten letters and digits: the same for the same, and for others others."""
    number = int.from_bytes(hashlib.sha256(f"{execution_arn}\n{step}\n{purpose}".encode()).digest(), "big")
    letters = []
    for _ in range(TOKEN_CHARACTERS):
        number, rest = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return "".join(letters)


def child_name(
    execution_arn: str, step: str, attempt: int, *, prefix: str = "", small: bool = False, most: int = NAME_CHARACTERS
) -> str:
    """``prefix`` is a job's base name from the step's arguments (custom prefixing), in place of the usual one. What is
    too long for ``most`` characters (tuning jobs have 32) goes without ``pipelines`` and is cut in the middle."""
    token, execution = token_of(execution_arn, step), execution_arn.rpartition("/")[2]
    end = f"-{token}-{attempt}" if attempt else f"-{token}"
    if prefix:
        start = prefix
    else:
        short = step[:STEP_CHARACTERS].replace("_", "-")
        start = f"pipelines-{execution}-{short}"
        if len(start) + len(end) > most:
            start = f"{execution}-{short}"
    name = start[: most - len(end)].rstrip("-") + end if len(start) + len(end) > most else start + end
    return name.lower() if small else name


def callback_token(execution_arn: str, step: str, attempt: int) -> str:
    return token_of(execution_arn, step, f"callback {attempt}")


def request_token(execution_arn: str, step: str, attempt: int) -> str:
    """An idempotency token for creates whose names are not ours to choose: 36 characters."""
    return hashlib.sha256(f"{execution_arn}\n{step}\n{attempt}".encode()).hexdigest()[:36]
