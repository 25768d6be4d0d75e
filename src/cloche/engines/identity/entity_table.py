"""Roles and users: one table, one set of verbs. Everything raises ``NotFound`` for a name that is not there."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import Entity, Kind, Role, Tags, User
from cloche.engines.identity.ledger import Ledger, merged, page, without
from cloche.foundation.clock import from_epoch
from cloche.foundation.ids import unique_id

ID_PREFIX: Final = {"role": "AROA", "user": "AIDA"}
TRUST_CHARACTERS_MAX: Final = 2048
TAGS_MAX: Final = 50


class EntityTable:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # -- making and unmaking -------------------------------------------------------------------------------

    def create_role(
        self,
        name: str,
        trust: str,
        *,
        path: str = "/",
        description: str | None = None,
        session_seconds_max: int = 3600,
        boundary: str | None = None,
        tags: Tags = (),
    ) -> Role:
        """Raises ``AlreadyExists``; ``LimitReached`` for a trust policy that is too long."""
        check_trust_size(trust)
        role = self._create("role", name, path, boundary, tags, (description, trust, session_seconds_max))
        assert isinstance(role, Role)
        return role

    def create_user(self, name: str, *, path: str = "/", boundary: str | None = None, tags: Tags = ()) -> User:
        """Raises ``AlreadyExists``."""
        user = self._create("user", name, path, boundary, tags, (None, None, None))
        assert isinstance(user, User)
        return user

    def _create(
        self, kind: Kind, name: str, path: str, boundary: str | None, tags: Tags, rest: tuple[Any, Any, Any]
    ) -> Entity:
        if len(tags) > TAGS_MAX:
            raise words.quota(f"TagsPer{kind.capitalize()}", TAGS_MAX)
        now = self._ledger.clock.time()
        values = (kind, name, path, unique_id(ID_PREFIX[kind]), now, json.dumps(tags), boundary, *rest)

        def change(tx: sqlite3.Connection) -> None:
            try:
                tx.execute("INSERT INTO iam_entities VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", values)
            except sqlite3.IntegrityError:
                raise words.entity_exists(kind, name) from None

        self._ledger.write(change)
        return self.get(kind, name)

    def delete(self, kind: Kind, name: str) -> None:
        """Raises ``Conflict`` while it has attached or inline policies, or keys."""

        def change(tx: sqlite3.Connection) -> None:
            known = _name_in(tx, kind, name)
            if _has(tx, "SELECT 1 FROM iam_attachments WHERE kind = ? AND owner = ?", kind, known):
                raise words.must_detach()
            if _has(tx, "SELECT 1 FROM iam_inline_policies WHERE kind = ? AND owner = ?", kind, known):
                raise words.must_delete_policies()
            if kind == "user" and _has(tx, "SELECT 1 FROM identity_keys WHERE user = ?", known):
                raise words.must_delete_keys()
            row = tx.execute("SELECT id FROM iam_entities WHERE kind = ? AND name = ?", (kind, known)).fetchone()
            tx.execute("DELETE FROM iam_entities WHERE kind = ? AND name = ?", (kind, known))
            tx.execute("DELETE FROM identity_sessions WHERE user_id = ?", (row["id"],))

        self._ledger.write(change)

    # -- reading -------------------------------------------------------------------------------------------

    def find(self, kind: Kind, name: str) -> Entity | None:
        row = self._ledger.row("SELECT * FROM iam_entities WHERE kind = ? AND name = ?", kind, name)
        return None if row is None else self._entity(row)

    def get(self, kind: Kind, name: str) -> Entity:
        found = self.find(kind, name)
        if found is None:
            raise words.no_entity(kind, name)
        return found

    def role(self, name: str) -> Role:
        found = self.get("role", name)
        assert isinstance(found, Role)
        return found

    def user(self, name: str) -> User:
        found = self.get("user", name)
        assert isinstance(found, User)
        return found

    def page(self, kind: Kind, prefix: str, after: str, limit: int) -> tuple[list[Entity], str | None]:
        """Those whose path begins with ``prefix``, by name, behind ``after``; and where the next page begins."""
        rows = self._ledger.rows(
            "SELECT * FROM iam_entities WHERE kind = ? AND name > ? AND substr(path, 1, ?) = ? "
            "ORDER BY name LIMIT ?",
            kind, after, len(prefix), prefix, limit + 1,
        )  # fmt: skip
        return page([self._entity(row) for row in rows], limit, lambda each: each.name)

    def count(self, kind: Kind) -> int:
        row = self._ledger.row("SELECT count(*) AS n FROM iam_entities WHERE kind = ?", kind)
        return 0 if row is None else int(row["n"])

    def _entity(self, row: sqlite3.Row) -> Entity:
        common: dict[str, Any] = {
            "kind": row["kind"],
            "name": row["name"],
            "path": row["path"],
            "id": row["id"],
            "arn": self._ledger.iam_arn(row["kind"], row["path"], row["name"]),
            "created_at": from_epoch(row["created_at"]),
            "tags": tuple((key, value) for key, value in json.loads(row["tags"])),
            "boundary": row["boundary"],
        }
        if row["kind"] == "user":
            return User(**common)
        return Role(
            **common,
            description=row["description"],
            trust=row["trust"],
            session_seconds_max=row["session_seconds_max"],
            used_at=None if row["used_at"] is None else from_epoch(row["used_at"]),
            used_region=row["used_region"],
        )

    # -- changing ------------------------------------------------------------------------------------------

    def set_trust(self, name: str, trust: str) -> None:
        check_trust_size(trust)
        self._set("role", name, "trust", trust)

    def set_description(self, name: str, description: str) -> None:
        self._set("role", name, "description", description)

    def set_session_seconds_max(self, name: str, seconds: int) -> None:
        self._set("role", name, "session_seconds_max", seconds)

    def set_boundary(self, kind: Kind, name: str, policy_arn: str | None) -> None:
        self._set(kind, name, "boundary", policy_arn)

    def _set(self, kind: Kind, name: str, column: str, value: Any) -> None:
        def change(tx: sqlite3.Connection) -> None:
            known = _name_in(tx, kind, name)
            tx.execute(f"UPDATE iam_entities SET {column} = ? WHERE kind = ? AND name = ?", (value, kind, known))  # noqa: S608

        self._ledger.write(change)

    def tag(self, kind: Kind, name: str, tags: Tags) -> None:
        """Raises ``LimitReached`` for more than 50 tags."""
        self._retag(kind, name, add=tags)

    def untag(self, kind: Kind, name: str, keys: tuple[str, ...]) -> None:
        self._retag(kind, name, remove=keys)

    def _retag(self, kind: Kind, name: str, *, add: Tags = (), remove: tuple[str, ...] = ()) -> None:
        def change(tx: sqlite3.Connection) -> None:
            known = _name_in(tx, kind, name)
            row = tx.execute("SELECT tags FROM iam_entities WHERE kind = ? AND name = ?", (kind, known)).fetchone()
            tags = merged(without(tuple(map(tuple, json.loads(row["tags"]))), remove), add)
            if len(tags) > TAGS_MAX:
                raise words.quota(f"TagsPer{kind.capitalize()}", TAGS_MAX)
            tx.execute("UPDATE iam_entities SET tags = ? WHERE kind = ? AND name = ?", (json.dumps(tags), kind, known))

        self._ledger.write(change)


def check_trust_size(trust: str) -> None:
    """Raises ``LimitReached``. White space does not count (reference_iam-quotas.html)."""
    if sum(not character.isspace() for character in trust) > TRUST_CHARACTERS_MAX:
        raise words.quota("ACLSizePerRole", TRUST_CHARACTERS_MAX)


def _name_in(tx: sqlite3.Connection, kind: Kind, name: str) -> str:
    row = tx.execute("SELECT name FROM iam_entities WHERE kind = ? AND name = ?", (kind, name)).fetchone()
    if row is None:
        raise words.no_entity(kind, name)
    return str(row["name"])


def _has(tx: sqlite3.Connection, statement: str, *values: str) -> bool:
    return tx.execute(statement + " LIMIT 1", values).fetchone() is not None
