"""Keys that may sign: the root's, users', and temporary ones. Asked for every request, so kept in memory.

A look-up is a ``dict.get``. A key that is not in memory is read from the store, and remembered only if nothing was
changed meanwhile: each change counts ``_generation`` up after its commit and empties the memory, so a key that was
deleted or made inactive is refused from the moment its deletion is answered.

Temporary keys are still known for a while after they expire, so that their owner hears "expired" and not "unknown".
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import AccessKey, Credentials
from cloche.engines.identity.entity_table import EntityTable
from cloche.engines.identity.ledger import Ledger
from cloche.engines.identity.policy import Source, compile_document
from cloche.foundation.clock import from_epoch
from cloche.foundation.ids import access_key_id, secret_access_key

KEYS_PER_USER_MAX: Final = 2
KEPT_AFTER_EXPIRY_SECONDS: Final = 24 * 3600
REMEMBERED_MAX: Final = 20_000


class Keys:
    def __init__(self, ledger: Ledger, entities: EntityTable) -> None:
        self._ledger = ledger
        self._entities = entities
        self._remembered: dict[str, Credentials] = {}
        self._bounds: dict[str, tuple[Source, ...] | None] = {}
        self._generation = 0

    def find(self, access_key: str) -> Credentials | None:
        """Whose key it is; ``None`` for one that is unknown, deleted or inactive. It may have expired."""
        found = self._remembered.get(access_key)
        return self._load(access_key) if found is None else found

    def forget(self) -> None:
        self._generation += 1
        self._remembered = {}

    def _load(self, access_key: str) -> Credentials | None:
        generation, remembered = self._generation, self._remembered
        found = self._read_temporary(access_key) if access_key.startswith("ASIA") else self._read(access_key)
        if found is not None and generation == self._generation:
            if len(remembered) >= REMEMBERED_MAX:
                remembered.clear()
            remembered[access_key] = found
        return found

    def _read(self, access_key: str) -> Credentials | None:
        row = self._ledger.row("SELECT * FROM identity_keys WHERE access_key = ? AND active = 1", access_key)
        if row is None:
            return None
        account = self._ledger.account
        if row["user"] is None:
            arn, user_id = f"arn:aws:iam::{account}:root", account
        else:
            user = self._entities.find("user", row["user"])
            if user is None:
                return None
            arn, user_id = user.arn, user.id
        return Credentials(access_key, row["secret_key"], None, account, arn, user_id, None)

    def _read_temporary(self, access_key: str) -> Credentials | None:
        row = self._ledger.row("SELECT * FROM identity_sessions WHERE access_key = ?", access_key)
        if row is None:
            return None
        return Credentials(
            access_key,
            row["secret_key"],
            row["session_token"],
            self._ledger.account,
            row["principal_arn"],
            row["user_id"],
            from_epoch(row["expires_at"]),
        )

    # -- the root ------------------------------------------------------------------------------------------

    def root(self, folder: Path, *, first: Callable[[], None]) -> Credentials:
        """The root's key, made when there is none; ``folder``/root.json holds it for the owner's eyes.

        Where there was none, ``first`` is called before the key is made: it is run again if it was cut short.
        """
        if self._ledger.row("SELECT 1 FROM identity_keys WHERE user IS NULL") is None:
            first()
        made = (access_key_id(), secret_access_key(), self._ledger.clock.time())

        def change(tx: sqlite3.Connection) -> str:
            row = tx.execute("SELECT access_key FROM identity_keys WHERE user IS NULL").fetchone()
            if row is not None:
                return str(row["access_key"])
            tx.execute("INSERT INTO identity_keys VALUES (?, ?, NULL, 1, ?)", made)
            return made[0]

        found = self.find(self._ledger.write(change))
        assert found is not None
        _write_private(folder, found)
        return found

    # -- users' keys ---------------------------------------------------------------------------------------

    def create(self, user: str) -> tuple[AccessKey, str]:
        """A new key and its secret, which is told only here. Raises ``LimitReached`` for a third."""
        name = self._entities.get("user", user).name
        key, secret, now = access_key_id(), secret_access_key(), self._ledger.clock.time()

        def change(tx: sqlite3.Connection) -> None:
            held = tx.execute("SELECT count(*) FROM identity_keys WHERE user = ?", (name,)).fetchone()[0]
            if held >= KEYS_PER_USER_MAX:
                raise words.quota("AccessKeysPerUser", KEYS_PER_USER_MAX)
            tx.execute("INSERT INTO identity_keys VALUES (?, ?, ?, 1, ?)", (key, secret, name, now))

        self._ledger.write(change)
        return AccessKey(key, name, True, from_epoch(now)), secret

    def of_user(self, user: str) -> list[AccessKey]:
        name = self._entities.get("user", user).name
        rows = self._ledger.rows("SELECT * FROM identity_keys WHERE user = ? ORDER BY access_key", name)
        return [AccessKey(row["access_key"], name, bool(row["active"]), from_epoch(row["created_at"])) for row in rows]

    def set_active(self, user: str, access_key: str, active: bool) -> None:
        """Raises ``NotFound``."""
        self._change(user, access_key, "UPDATE identity_keys SET active = ? WHERE access_key = ? AND user = ?", active)

    def delete(self, user: str, access_key: str) -> None:
        """Raises ``NotFound``."""
        self._change(user, access_key, "DELETE FROM identity_keys WHERE access_key = ? AND user = ?")

    def _change(self, user: str, access_key: str, statement: str, *values: bool) -> None:
        name = self._entities.get("user", user).name

        def change(tx: sqlite3.Connection) -> None:
            if tx.execute(statement, (*values, access_key, name)).rowcount == 0:
                raise words.no_access_key(access_key)

        self._ledger.write(change)

    # -- temporary keys ------------------------------------------------------------------------------------

    def issue(
        self,
        principal_arn: str,
        user_id: str,
        seconds: int,
        *,
        policies: tuple[str, ...] | None = None,
        role: str | None = None,
        region: str = "",
    ) -> Credentials:
        """Temporary credentials, durable when answered. Those that expired long ago go at the same time.

        ``policies`` are session policies, as documents; ``role`` names the role whose last use this is.
        """
        now = self._ledger.clock.now().replace(microsecond=0)
        made = Credentials(
            access_key_id("ASIA"),
            secret_access_key(),
            secrets.token_urlsafe(96),
            self._ledger.account,
            principal_arn,
            user_id,
            now + timedelta(seconds=seconds),
        )
        assert made.expires_at is not None
        values = (
            made.access_key, made.secret_key, made.session_token, principal_arn, user_id,
            None if policies is None else json.dumps(policies), now.timestamp(), made.expires_at.timestamp(),
        )  # fmt: skip

        def change(tx: sqlite3.Connection) -> None:
            tx.execute(
                "DELETE FROM identity_sessions WHERE expires_at < ?", (now.timestamp() - KEPT_AFTER_EXPIRY_SECONDS,)
            )
            tx.execute("INSERT INTO identity_sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            if role is not None:
                tx.execute(
                    "UPDATE iam_entities SET used_at = ?, used_region = ? WHERE kind = 'role' AND name = ?",
                    (now.timestamp(), region, role),
                )

        self._ledger.database.write(change)
        return made

    def session_policies(self, access_key: str) -> tuple[Source, ...] | None:
        """The session policies of temporary credentials; ``None`` for keys that have none. They never change."""
        if not access_key.startswith("ASIA"):
            return None
        if access_key in self._bounds:
            return self._bounds[access_key]
        row = self._ledger.row("SELECT policies FROM identity_sessions WHERE access_key = ?", access_key)
        found = None
        if row is not None and row["policies"] is not None:
            found = tuple(
                Source(f"SessionPolicy.{number}", "none", compile_document(each))
                for number, each in enumerate(json.loads(row["policies"]), 1)
            )
        if len(self._bounds) >= REMEMBERED_MAX:
            self._bounds.clear()
        self._bounds[access_key] = found
        return found

    def remove_expired(self) -> int:
        """Forget temporary keys that expired more than a day ago; how many there were."""
        before = self._ledger.clock.time() - KEPT_AFTER_EXPIRY_SECONDS

        def change(tx: sqlite3.Connection) -> int:
            return tx.execute("DELETE FROM identity_sessions WHERE expires_at < ?", (before,)).rowcount

        return self._ledger.write(change)


def _write_private(folder: Path, root: Credentials) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / "root.json"
    text = json.dumps({"AccessKeyId": root.access_key, "SecretAccessKey": root.secret_key}, indent=2) + "\n"
    if path.exists() and path.read_text() == text and path.stat().st_mode & 0o777 == 0o600:
        return
    new = folder / f".root.json.{os.getpid()}"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
