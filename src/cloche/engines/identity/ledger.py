"""What identity's tables have in common: reading rows, writing durably, telling the caches.

Every write ends in ``changed``, called after the commit and before the caller hears of it. So nobody who was told
that a key is deleted or a policy changed can still meet the old one in a cache.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

from cloche.engines.identity.entities import Tags
from cloche.foundation.clock import Clock
from cloche.storage.metadata.database import Database

T = TypeVar("T")
Limits = Callable[[sqlite3.Connection, str, str, int], int]
"""Account, the quota's name, AWS's default: what holds for the account."""

ARN_RESOURCES: Final = {
    "mfa-device": "mfa",
    "oidc-provider": "oidc-provider",
    "saml-provider": "saml-provider",
    "server-certificate": "server-certificate",
}
"""The resource part of ARNs where it is not the kind's own name."""


class Ledger:
    """One account's view of the tables: ``account`` is whose rows are meant, and whose ARNs are made."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        account: str,
        changed: Callable[[], None],
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits
        self.database = database
        self.clock = clock
        self.account = account
        self._changed = changed

    def rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        return self.database.reader.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self.database.reader.execute(statement, values).fetchone()
        return found

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self.database.write(change)
        finally:
            self._changed()

    def limit(self, tx: sqlite3.Connection, name: str, most: int) -> int:
        """How many the account may have of what the quota ``name`` counts: ``most`` unless it asked for more."""
        return most if self._limits is None else self._limits(tx, self.account, name, most)

    def iam_arn(self, kind: str, path: str, name: str) -> str:
        return f"arn:aws:iam::{self.account}:{ARN_RESOURCES.get(kind, kind)}{path}{name}"


def account_in(arn: str) -> str:
    """The account of an ARN; empty for what is none."""
    fields = arn.split(":", 5)
    return fields[4] if len(fields) == 6 else ""


def page(found: list[T], limit: int, name: Callable[[T], str]) -> tuple[list[T], str | None]:
    """Of ``limit + 1`` things that were read: those of the page, and the name to go on after."""
    if len(found) <= limit:
        return found, None
    return found[:limit], name(found[limit - 1])


def merged(tags: Tags, more: Tags) -> Tags:
    """``tags`` with ``more`` laid over; a key counts as the same in any case, as in IAM."""
    known = {key.lower(): (key, value) for key, value in tags}
    for key, value in more:
        known[key.lower()] = (known.get(key.lower(), (key, value))[0], value)
    return tuple(known.values())


def without(tags: Tags, keys: tuple[str, ...]) -> Tags:
    gone = {key.lower() for key in keys}
    return tuple((key, value) for key, value in tags if key.lower() not in gone)
