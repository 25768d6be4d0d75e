"""Access keys of users and of the root: two at most each, active or not, with their last use."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import AccessKey
from cloche.engines.identity.entity_table import EntityTable
from cloche.engines.identity.keys import Keys
from cloche.engines.identity.ledger import Ledger
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Conflict
from cloche.foundation.ids import access_key_id, secret_access_key

KEYS_PER_USER_MAX: Final = 2


class UserKeys:
    """``user`` is a user's name, or ``None`` for the account's root."""

    def __init__(self, ledger: Ledger, entities: EntityTable, keys: Keys) -> None:
        self._ledger = ledger
        self._entities = entities
        self._keys = keys

    def create(self, user: str | None) -> tuple[AccessKey, str]:
        """A new key and its secret, which is told only here. Raises ``LimitReached`` for a third."""
        name = "" if user is None else self._entities.get("user", user).name
        account = self._ledger.account
        key, secret, now = access_key_id(), secret_access_key(), self._ledger.clock.time()

        def change(tx: sqlite3.Connection) -> None:
            owner = self._owner(tx, user)
            held = tx.execute(
                "SELECT count(*) FROM iam_keys WHERE account = ? AND owner IS ?", (account, owner)
            ).fetchone()[0]
            if held >= KEYS_PER_USER_MAX:
                raise words.quota("AccessKeysPerUser", KEYS_PER_USER_MAX)
            tx.execute(
                "INSERT INTO iam_keys VALUES (?, ?, ?, ?, 1, ?, NULL, NULL, NULL)", (key, secret, account, owner, now)
            )

        self._ledger.write(change)
        return AccessKey(key, name, True, from_epoch(now)), secret

    def held_by(self, user: str | None) -> list[AccessKey]:
        """By key."""
        owner = None if user is None else self._entities.get("user", user)
        self._keys.write_uses()
        rows = self._ledger.rows(
            "SELECT * FROM iam_keys WHERE account = ? AND owner IS ? ORDER BY access_key",
            self._ledger.account, None if owner is None else owner.id,
        )  # fmt: skip
        return [_key(row, "" if owner is None else owner.name) for row in rows]

    def get(self, access_key: str) -> AccessKey | None:
        """A key of the account, with its last use."""
        self._keys.write_uses()
        row = self._ledger.row(
            "SELECT k.*, p.name FROM iam_keys k LEFT JOIN iam_principals p ON p.id = k.owner "
            "WHERE k.access_key = ? AND k.account = ?",
            access_key, self._ledger.account,
        )  # fmt: skip
        return None if row is None else _key(row, row["name"] or "")

    def set_active(self, user: str | None, access_key: str, active: bool) -> None:
        """Sessions that the user got with a key end when it is made inactive. Raises ``NotFound``; ``Conflict`` for
        the root's first key."""
        self._change(user, access_key, "UPDATE iam_keys SET active = ? WHERE access_key = ? AND owner IS ?", active)

    def delete(self, user: str | None, access_key: str) -> None:
        """Sessions that the user got with it end. Raises as ``set_active``."""
        self._change(user, access_key, "DELETE FROM iam_keys WHERE access_key = ? AND owner IS ?")

    def _change(self, user: str | None, access_key: str, statement: str, *values: bool) -> None:
        if user is None and access_key == self._keys.first_of_root(self._ledger.account):
            raise Conflict("This is the key that Cloche keeps in keys/ and hands out: it stays, and it stays active.")

        def change(tx: sqlite3.Connection) -> None:
            owner = self._owner(tx, user)
            row = tx.execute("SELECT account FROM iam_keys WHERE access_key = ?", (access_key,)).fetchone()
            if row is None or row["account"] != self._ledger.account:
                raise words.no_access_key(access_key)
            if tx.execute(statement, (*values, access_key, owner)).rowcount == 0:
                raise words.no_access_key(access_key)
            if True not in values:
                tx.execute("DELETE FROM iam_sessions WHERE parent_key = ?", (access_key,))

        self._ledger.write(change)

    def _owner(self, tx: sqlite3.Connection, user: str | None) -> str | None:
        return None if user is None else self._entities.id_in(tx, "user", user)


def _key(row: sqlite3.Row, user: str) -> AccessKey:
    return AccessKey(
        row["access_key"],
        user,
        bool(row["active"]),
        from_epoch(row["created_at"]),
        None if row["used_at"] is None else from_epoch(row["used_at"]),
        row["used_region"] or "",
        row["used_service"] or "",
    )
