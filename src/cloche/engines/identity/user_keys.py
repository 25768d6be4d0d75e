"""Users' access keys: two at most, active or not, with their last use."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import AccessKey
from cloche.engines.identity.entity_table import EntityTable
from cloche.engines.identity.keys import Keys
from cloche.engines.identity.ledger import Ledger
from cloche.foundation.clock import from_epoch
from cloche.foundation.ids import access_key_id, secret_access_key

KEYS_PER_USER_MAX: Final = 2


class UserKeys:
    def __init__(self, ledger: Ledger, entities: EntityTable, keys: Keys) -> None:
        self._ledger = ledger
        self._entities = entities
        self._keys = keys

    def create(self, user: str) -> tuple[AccessKey, str]:
        """A new key and its secret, which is told only here. Raises ``LimitReached`` for a third."""
        name = self._entities.get("user", user).name
        key, secret, now = access_key_id(), secret_access_key(), self._ledger.clock.time()

        def change(tx: sqlite3.Connection) -> None:
            owner = self._entities.id_in(tx, "user", name)
            held = tx.execute("SELECT count(*) FROM iam_keys WHERE owner = ?", (owner,)).fetchone()[0]
            if held >= KEYS_PER_USER_MAX:
                raise words.quota("AccessKeysPerUser", KEYS_PER_USER_MAX)
            tx.execute(
                "INSERT INTO iam_keys VALUES (?, ?, ?, ?, 1, ?, NULL, NULL, NULL)",
                (key, secret, self._ledger.account, owner, now),
            )

        self._ledger.write(change)
        return AccessKey(key, name, True, from_epoch(now)), secret

    def of_user(self, user: str) -> list[AccessKey]:
        """By key."""
        owner = self._entities.get("user", user)
        self._keys.write_uses()
        rows = self._ledger.rows("SELECT * FROM iam_keys WHERE owner = ? ORDER BY access_key", owner.id)
        return [_key(row, owner.name) for row in rows]

    def of_root(self) -> list[AccessKey]:
        self._keys.write_uses()
        rows = self._ledger.rows(
            "SELECT * FROM iam_keys WHERE account = ? AND owner IS NULL ORDER BY access_key", self._ledger.account
        )
        return [_key(row, "") for row in rows]

    def get(self, access_key: str) -> AccessKey | None:
        """A key of one of the account's users, with its last use."""
        self._keys.write_uses()
        row = self._ledger.row(
            "SELECT k.*, p.name FROM iam_keys k JOIN iam_principals p ON p.id = k.owner "
            "WHERE k.access_key = ? AND k.account = ?",
            access_key, self._ledger.account,
        )  # fmt: skip
        return None if row is None else _key(row, row["name"])

    def set_active(self, user: str, access_key: str, active: bool) -> None:
        """Sessions that the user got with a key end when it is made inactive. Raises ``NotFound``."""
        self._change(user, access_key, "UPDATE iam_keys SET active = ? WHERE access_key = ? AND owner = ?", active)

    def delete(self, user: str, access_key: str) -> None:
        """Sessions that the user got with it end. Raises ``NotFound``."""
        self._change(user, access_key, "DELETE FROM iam_keys WHERE access_key = ? AND owner = ?")

    def _change(self, user: str, access_key: str, statement: str, *values: bool) -> None:
        def change(tx: sqlite3.Connection) -> None:
            owner = self._entities.id_in(tx, "user", user)
            if tx.execute(statement, (*values, access_key, owner)).rowcount == 0:
                raise words.no_access_key(access_key)
            if True not in values:
                tx.execute("DELETE FROM iam_sessions WHERE parent_key = ?", (access_key,))

        self._ledger.write(change)


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
