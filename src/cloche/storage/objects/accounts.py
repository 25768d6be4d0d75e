"""Accounts as S3 knows them: their canonical ids, and what is set for all buckets of one.

A canonical id is derived once, when an account is first met, and kept: it never changes afterwards, whatever
deriving will do in later versions, for ACLs name it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from typing import Any, Final

from cloche.storage.metadata.database import Database

PUBLIC_ACCESS_BLOCK: Final = "PublicAccessBlock"
"""The setting's name."""


class S3Accounts:
    """Safe for many threads. Ids are remembered: asking again costs a dictionary look-up."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: dict[str, str] = {}
        self._accounts: dict[str, str] = {}

    def canonical_id(self, account: str) -> str:
        """64 hexadecimal digits, the same for that account for ever."""
        found = self._ids.get(account)
        return found if found is not None else self._learn(account)

    def account_of(self, canonical_id: str) -> str:
        """Whose id that is; empty for nobody's that was ever met."""
        found = self._accounts.get(canonical_id)
        if found is None:
            row = self._database.reader.execute(
                "SELECT account FROM s3_accounts WHERE canonical_id = ?", (canonical_id,)
            ).fetchone()
            if row is None:
                return ""
            found = self._accounts[canonical_id] = str(row["account"])
        return found

    def _learn(self, account: str) -> str:
        select = "SELECT canonical_id FROM s3_accounts WHERE account = ?"
        row = self._database.reader.execute(select, (account,)).fetchone()
        if row is None:
            derived = hashlib.sha256(f"canonical user of {account}".encode()).hexdigest()

            def change(tx: sqlite3.Connection) -> sqlite3.Row:
                tx.execute(
                    "INSERT OR IGNORE INTO s3_accounts (account, canonical_id) VALUES (?, ?)", (account, derived)
                )
                found: sqlite3.Row = tx.execute(select, (account,)).fetchone()
                return found

            row = self._database.write(change)
        self._ids[account] = str(row["canonical_id"])
        return self._ids[account]

    def setting(self, account: str, name: str) -> Any:
        """What is set for the account under that name; ``None`` where nothing is."""
        row = self._database.reader.execute(
            "SELECT configuration FROM s3_accounts WHERE account = ?", (account,)
        ).fetchone()
        return json.loads(row["configuration"]).get(name) if row is not None else None

    def set(self, account: str, name: str, value: Any) -> None:
        """Keep ``value`` (JSON), durably; ``None`` takes it away."""
        self.canonical_id(account)

        def change(tx: sqlite3.Connection) -> None:
            row = tx.execute("SELECT configuration FROM s3_accounts WHERE account = ?", (account,)).fetchone()
            settings = json.loads(row["configuration"])
            settings.pop(name, None)
            if value is not None:
                settings[name] = value
            tx.execute("UPDATE s3_accounts SET configuration = ? WHERE account = ?", (json.dumps(settings), account))

        self._database.write(change)
