"""Keys that may sign: roots', users', and temporary ones. Asked for every request, so kept in memory.

A look-up is a ``dict.get``. A key that is not in memory is read from the store, and remembered only if nothing was
changed meanwhile: each change counts ``_generation`` up after its commit and empties the memory, so a key that was
deleted or made inactive is refused from the moment its deletion is answered.

Temporary keys are still known for a while after they expire, so that their owner hears "expired" and not "unknown".
They end before that with what they stand on: the role or user (deleted), or the long-term key that its owner got
them with (deleted or made inactive).
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from cloche.engines.identity.entities import Credentials, Session
from cloche.foundation.clock import Clock, from_epoch
from cloche.foundation.ids import access_key_id, secret_access_key
from cloche.storage.metadata.database import Database

KEPT_AFTER_EXPIRY_SECONDS: Final = 24 * 3600
REMEMBERED_MAX: Final = 20_000
FIRST_OF_ROOT: Final = "SELECT access_key FROM iam_keys WHERE account = ? AND owner IS NULL ORDER BY rowid LIMIT 1"


class Keys:
    """The keys of all accounts. ``changed`` is called after every change that a cache must hear of."""

    def __init__(self, database: Database, clock: Clock, changed: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._changed = changed
        self._remembered: dict[str, Credentials] = {}
        self._generation = 0
        self._uses: dict[str, tuple[float, str, str]] = {}

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
        row = self._row(
            "SELECT k.*, p.path, p.name FROM iam_keys k LEFT JOIN iam_principals p ON p.id = k.owner "
            "WHERE k.access_key = ? AND k.active = 1",
            access_key,
        )
        if row is None:
            return None
        account = row["account"]
        if row["owner"] is None:
            arn, user_id = f"arn:aws:iam::{account}:root", account
        else:
            arn, user_id = f"arn:aws:iam::{account}:user{row['path']}{row['name']}", row["owner"]
        return Credentials(access_key, row["secret_key"], None, account, arn, user_id, None)

    def _read_temporary(self, access_key: str) -> Credentials | None:
        row = self._row("SELECT * FROM iam_sessions WHERE access_key = ?", access_key)
        if row is None:
            return None
        return Credentials(
            access_key,
            row["secret_key"],
            row["session_token"],
            row["account"],
            row["principal_arn"],
            row["user_id"],
            from_epoch(row["expires_at"]),
            _session(row["owner"], row["parent_key"], json.loads(row["facts"])),
        )

    def _row(self, statement: str, *values: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._database.reader.execute(statement, values).fetchone()
        return found

    # -- roots ---------------------------------------------------------------------------------------------

    def first_of_root(self, account: str) -> str | None:
        """The key that an account began with. It is never deleted; there may be a second."""
        row = self._row(FIRST_OF_ROOT, account)
        return None if row is None else str(row["access_key"])

    def root(self, account: str, file: Path) -> Credentials:
        """The key of an account's root, made when there is none; ``file`` holds it for the owner's eyes."""
        made = (access_key_id(), secret_access_key(), account, self._clock.time())

        def change(tx: sqlite3.Connection) -> str:
            row = tx.execute(FIRST_OF_ROOT, (account,)).fetchone()
            if row is not None:
                return str(row["access_key"])
            tx.execute("INSERT INTO iam_keys VALUES (?, ?, ?, NULL, 1, ?, NULL, NULL, NULL)", made)
            return made[0]

        found = self.find(self._database.write(change))
        assert found is not None
        _write_private(file, found)
        return found

    # -- last uses -----------------------------------------------------------------------------------------

    def used(self, access_key: str, service: str, region: str) -> None:
        """A request was signed with this key. Costs a ``dict`` entry; on the disk within hours, when
        somebody asks, and when Cloche stops (IAM's own answer may be hours old too)."""
        if access_key.startswith("AKIA"):
            self._uses[access_key] = (self._clock.time(), service, region)

    def write_uses(self) -> None:
        """Keep what ``used`` has told."""
        if not self._uses:
            return
        uses, self._uses = self._uses, {}
        values = [(at, service, region, key) for key, (at, service, region) in uses.items()]
        statement = "UPDATE iam_keys SET used_at = ?, used_service = ?, used_region = ? WHERE access_key = ?"
        self._database.write(lambda tx: tx.executemany(statement, values) and None)

    # -- temporary keys ------------------------------------------------------------------------------------

    def issue(
        self,
        account: str,
        principal_arn: str,
        user_id: str,
        seconds: int,
        session: Session,
        *,
        role: str | None = None,
        region: str = "",
    ) -> Credentials:
        """Temporary credentials, durable when answered. Those that expired long ago go at the same time.

        ``role`` is the unique id of the role whose last use this is.
        """
        real = from_epoch(int(self._clock.real()))
        now = real if session.by_machine else self._clock.now().replace(microsecond=0)
        before = self._long_ago()
        facts = {**asdict(session), "issued_at": now.timestamp()}
        owner, parent = facts.pop("owner"), facts.pop("parent_key")
        made = Credentials(
            access_key_id("ASIA"),
            secret_access_key(),
            secrets.token_urlsafe(96),
            account,
            principal_arn,
            user_id,
            now + timedelta(seconds=seconds),
            _session(owner, parent, json.loads(json.dumps(facts))),
        )
        assert made.expires_at is not None
        values = (
            made.access_key, made.secret_key, made.session_token, account, principal_arn, user_id, owner, parent,
            json.dumps(facts), made.expires_at.timestamp(),
        )  # fmt: skip

        def change(tx: sqlite3.Connection) -> None:
            tx.execute("DELETE FROM iam_sessions WHERE expires_at < ?", (before,))
            tx.execute("INSERT INTO iam_sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            if role is not None:
                tx.execute(
                    "UPDATE iam_principals SET used_at = ?, used_region = ? WHERE id = ?",
                    (self._clock.time(), region, role),
                )

        self._database.write(change)
        return made

    def _long_ago(self) -> float:
        """Whatever expired before it did so more than a day ago, by either clock."""
        return min(self._clock.time(), self._clock.real()) - KEPT_AFTER_EXPIRY_SECONDS

    def remove_expired(self) -> int:
        """Forget temporary keys that expired more than a day ago; how many there were."""
        before = self._long_ago()
        try:
            return self._database.write(
                lambda tx: tx.execute("DELETE FROM iam_sessions WHERE expires_at < ?", (before,)).rowcount
            )
        finally:
            self._changed()


def _session(owner: str | None, parent: str | None, facts: dict[str, Any]) -> Session:
    policies = facts.get("policies")
    return Session(
        owner=owner,
        parent_key=parent,
        policies=None if policies is None else tuple(policies),
        tags=tuple((key, value) for key, value in facts.get("tags", ())),
        transitive=tuple(facts.get("transitive", ())),
        source_identity=facts.get("source_identity", ""),
        mfa_at=facts.get("mfa_at"),
        issued_at=facts.get("issued_at", 0.0),
        by_machine=facts.get("by_machine", False),
        keys=facts.get("keys", {}),
    )


def _write_private(path: Path, root: Credentials) -> None:
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    text = json.dumps({"AccessKeyId": root.access_key, "SecretAccessKey": root.secret_key}, indent=2) + "\n"
    if path.exists() and path.read_text() == text and path.stat().st_mode & 0o777 == 0o600:
        return
    new = folder / f".{path.name}.{os.getpid()}"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
