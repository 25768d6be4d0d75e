"""What was acknowledged, what was under way at a kill, and so what may be found afterwards."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

GONE: Final = None
UNANSWERED: Final = (BotoCoreError, ClientError)


def body(key: str, version: int, size: int) -> bytes:
    """``size`` bytes that belong to this version of this key and to no other: any mix of two shows."""
    return hashlib.shake_256(f"{key} {version}".encode()).digest(size)


class Ledger:
    """One writer for each name, so each name has one history. Values are compared with ``==``.

    A write that was not answered may have happened or not, so after it more than one value is allowed; the next one
    that is acknowledged settles it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.allowed: dict[str, list[Any]] = {}
        self.acknowledged = 0
        self.unanswered: Counter[str] = Counter()

    def begin(self, name: str, value: Any) -> None:
        with self._lock:
            self.allowed.setdefault(name, [GONE]).append(value)

    def acknowledge(self, name: str, value: Any) -> None:
        with self._lock:
            self.allowed[name] = [value]
            self.acknowledged += 1

    def unanswer(self, error: Exception) -> None:
        """Why a request was not answered well: a code, or the name of what the client raised."""
        with self._lock:
            self.unanswered[word_of(error)] += 1

    def must_be_there(self) -> list[str]:
        return [name for name, values in self.allowed.items() if GONE not in values]

    def may_be_there(self) -> set[str]:
        return {name for name, values in self.allowed.items() if any(value is not GONE for value in values)}


def word_of(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']} {error.response['ResponseMetadata']['HTTPStatusCode']}"
    return type(error).__name__
