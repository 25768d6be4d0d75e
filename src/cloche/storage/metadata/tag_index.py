"""Searching by tag, page by page: each page costs the same, however many resources have tags.

A search walks one index in the order of ARNs, from where the page before ended. Without a filter that is the index of
tagged resources; with filters it is that of the first filter's key, and the others are looked up for each ARN.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from cloche.storage.metadata import tags


@dataclass(frozen=True, slots=True)
class Tagged:
    """A resource with its tags, in the order of their keys. None, where it had some once."""

    arn: str
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What is wanted: resources of ``account`` in ``region`` that fit every filter.

    ``filters`` are (key, values): a resource fits if it has the key, with one of the values if there are any.
    ``types`` are (service, resource type or ``""``); a resource fits if it is of any of them.
    """

    account: str
    region: str
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    types: tuple[tuple[str, str], ...] = ()
    arns: tuple[str, ...] = ()

    def fits(self, found: Tagged, service: str, kind: str) -> bool:
        """The same question asked of one resource that is not in the index."""
        held = dict(found.tags)
        if self.types and not any(s == service and t in ("", kind) for s, t in self.types):
            return False
        if self.arns and found.arn not in self.arns:
            return False
        return all(key in held and (not values or held[key] in values) for key, values in self.filters)


def page(connection: sqlite3.Connection, search: Search, *, after: str, limit: int) -> list[Tagged]:
    """The first ``limit`` resources beyond the ARN ``after``, by ARN."""
    statement, arguments = _statement(search, after)
    rows = connection.execute(f"{statement} LIMIT ?", (*arguments, limit)).fetchall()
    return [Tagged(row[0], tuple(tags.read(connection, row[0]))) for row in rows]


def keys(connection: sqlite3.Connection, account: str, region: str, *, after: str, limit: int) -> list[str]:
    """Keys in use beyond ``after``, in order: one step of the index for each, however often it is used."""
    found: list[str] = []
    while len(found) < limit:
        row = connection.execute(
            "SELECT min(key) FROM tags WHERE account = ? AND region = ? AND key > ?", (account, region, after)
        ).fetchone()
        if row[0] is None:
            break
        after = row[0]
        found.append(after)
    return found


def values(
    connection: sqlite3.Connection, account: str, region: str, key: str, *, after: str | None, limit: int
) -> list[str]:
    """Values of ``key`` beyond ``after`` (``None``: from the first, which may be empty)."""
    of_key = "SELECT min(value) FROM tags WHERE account = ? AND region = ? AND key = ?"
    found: list[str] = []
    while len(found) < limit:
        beyond, arguments = ("", ()) if after is None else (" AND value > ?", (after,))
        row = connection.execute(of_key + beyond, (account, region, key, *arguments)).fetchone()
        if row[0] is None:
            break
        after = str(row[0])
        found.append(after)
    return found


def _statement(search: Search, after: str) -> tuple[str, list[str]]:
    """Names are this module's own; everything of the request travels as an argument."""
    arguments: list[str] = [search.account, search.region, after]
    if search.filters:
        first, *others = search.filters
        source = "SELECT f.arn FROM tags f JOIN tagged r ON r.arn = f.arn"
        conditions = ["f.account = ?", "f.region = ?", "f.arn > ?", "f.key = ?"]
        arguments.append(first[0])
        if first[1]:
            conditions.append(f"f.value IN ({_marks(first[1])})")
            arguments.extend(first[1])
        for key, wanted in others:
            among = f" AND o.value IN ({_marks(wanted)})" if wanted else ""
            conditions.append(f"EXISTS (SELECT 1 FROM tags o WHERE o.arn = f.arn AND o.key = ?{among})")  # noqa: S608
            arguments.extend((key, *wanted))
        order = "f.arn"
    else:
        source, order = "SELECT r.arn FROM tagged r", "r.arn"
        conditions = ["r.account = ?", "r.region = ?", "r.arn > ?"]
    if search.types:
        forms = ["r.service = ?" + (" AND r.type = ?" if kind else "") for _, kind in search.types]
        conditions.append(f"({' OR '.join(forms)})")
        arguments.extend(part for pair in search.types for part in pair if part)
    if search.arns:
        conditions.append(f"r.arn IN ({_marks(search.arns)})")
        arguments.extend(search.arns)
    return f"{source} WHERE {' AND '.join(conditions)} ORDER BY {order}", arguments


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
