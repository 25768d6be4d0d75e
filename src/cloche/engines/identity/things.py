"""What IAM keeps that is neither a principal nor a policy: devices, providers, certificates, login profiles.

One table and one set of verbs for all of them; what is particular to a kind is in its ``details``, which are plain
JSON. ``change`` is how details are altered: a function of the old ones, inside the transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import Tags, Thing
from cloche.engines.identity.ledger import Ledger, merged, without
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, NotFound

Details = dict[str, Any]
TAGS_MAX: Final = 50


class Things:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def create(
        self,
        kind: str,
        name: str,
        details: Mapping[str, Any],
        *,
        path: str = "/",
        id: str = "",
        owner: str | None = None,
        tags: Tags = (),
        exists: str,
        quota: tuple[str, int] | None = None,
        quota_per_owner: bool = False,
    ) -> Thing:
        """Raises ``AlreadyExists`` in the words of ``exists``, ``LimitReached`` beyond ``quota`` (name and number,
        counted over the account or over the owner)."""
        if len(tags) > TAGS_MAX:
            raise words.quota(f"TagsPer{words.in_quota(kind)}", TAGS_MAX)
        now, account = self._ledger.clock.time(), self._ledger.account
        values = (account, kind, name, path, id, owner, now, json.dumps(tags), json.dumps(details))

        def change(tx: sqlite3.Connection) -> None:
            try:
                tx.execute("INSERT INTO iam_things VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            except sqlite3.IntegrityError:
                raise AlreadyExists(exists) from None
            if quota is not None:
                column, value = ("owner", owner) if quota_per_owner else ("account", account)
                held = tx.execute(f"SELECT count(*) FROM iam_things WHERE kind = ? AND {column} = ?", (kind, value))  # noqa: S608
                if held.fetchone()[0] > quota[1]:
                    raise words.quota(*quota)

        self._ledger.write(change)
        found = self.find(kind, name)
        assert found is not None
        return found

    def find(self, kind: str, name: str) -> Thing | None:
        row = self._ledger.row(
            "SELECT * FROM iam_things WHERE account = ? AND kind = ? AND name = ?", self._ledger.account, kind, name
        )
        return None if row is None else self._thing(row)

    def get(self, kind: str, name: str, missing: str) -> Thing:
        """Raises ``NotFound`` in the words of ``missing``."""
        found = self.find(kind, name)
        if found is None:
            raise NotFound(missing)
        return found

    def all(self, kind: str, *, owner: str | None = None, prefix: str = "/") -> list[Thing]:
        """By name; of one owner, or of all."""
        rows = self._ledger.rows(
            "SELECT * FROM iam_things WHERE account = ?1 AND kind = ?2 AND (?3 IS NULL OR owner = ?3)"
            " AND substr(path, 1, length(?4)) = ?4 ORDER BY name",
            self._ledger.account, kind, owner, prefix,
        )  # fmt: skip
        return [self._thing(row) for row in rows]

    def delete(self, thing: Thing) -> None:
        """Nothing happens if it is gone."""
        values = (self._ledger.account, thing.kind, thing.name)
        self._ledger.write(
            lambda tx: tx.execute("DELETE FROM iam_things WHERE account = ? AND kind = ? AND name = ?", values) and None
        )

    def change(self, thing: Thing, alter: Callable[[Details], Details]) -> None:
        """Keep ``alter(details)`` as its details. Raises ``NotFound`` where it went meanwhile."""

        def change(tx: sqlite3.Connection) -> None:
            details = json.loads(self._row(tx, thing)["details"])
            self._update(tx, thing, "details = ?", json.dumps(alter(details)))

        self._ledger.write(change)

    def give(self, thing: Thing, owner: str | None) -> None:
        """Another owner, or none."""
        self._ledger.write(lambda tx: self._update(tx, thing, "owner = ?", owner))

    def rename(self, thing: Thing, name: str | None, path: str | None, exists: str) -> None:
        """Raises ``AlreadyExists`` in the words of ``exists``."""

        def change(tx: sqlite3.Connection) -> None:
            try:
                self._update(tx, thing, "name = ?, path = ?", name or thing.name, path or thing.path)
            except sqlite3.IntegrityError:
                raise AlreadyExists(exists) from None

        self._ledger.write(change)

    def retag(self, thing: Thing, *, add: Tags = (), remove: tuple[str, ...] = ()) -> None:
        """Raises ``LimitReached`` for more than 50 tags."""

        def change(tx: sqlite3.Connection) -> None:
            held = tuple(map(tuple, json.loads(self._row(tx, thing)["tags"])))
            tags = merged(without(held, remove), add)
            if len(tags) > TAGS_MAX:
                raise words.quota(f"TagsPer{words.in_quota(thing.kind)}", TAGS_MAX)
            self._update(tx, thing, "tags = ?", json.dumps(tags))

        self._ledger.write(change)

    def _row(self, tx: sqlite3.Connection, thing: Thing) -> sqlite3.Row:
        row: sqlite3.Row | None = tx.execute(
            "SELECT * FROM iam_things WHERE account = ? AND kind = ? AND name = ?",
            (self._ledger.account, thing.kind, thing.name),
        ).fetchone()
        if row is None:
            raise NotFound(f"{thing.name} cannot be found.")
        return row

    def _update(self, tx: sqlite3.Connection, thing: Thing, what: str, *values: Any) -> None:
        tx.execute(
            f"UPDATE iam_things SET {what} WHERE account = ? AND kind = ? AND name = ?",  # noqa: S608 - our own words
            (*values, self._ledger.account, thing.kind, thing.name),
        )

    def _thing(self, row: sqlite3.Row) -> Thing:
        return Thing(
            row["kind"],
            row["name"],
            row["path"],
            row["id"],
            self._ledger.iam_arn(row["kind"], row["path"], row["name"]),
            row["owner"],
            from_epoch(row["created_at"]),
            tuple((key, value) for key, value in json.loads(row["tags"])),
            json.loads(row["details"]),
        )
