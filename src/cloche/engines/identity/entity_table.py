"""Roles, users, groups and instance profiles: one table, one set of verbs.

Everything raises ``NotFound`` for a name that is not there.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import Entity, Kind, Role, Tags, User
from cloche.engines.identity.ledger import Ledger, merged, page, without
from cloche.foundation.clock import from_epoch
from cloche.foundation.ids import unique_id

ID_PREFIX: Final = {"role": "AROA", "user": "AIDA", "group": "AGPA", "instance-profile": "AIPA"}
"""docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids"""

# docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
QUOTAS: Final = {
    "role": ("RolesPerAccount", 1000),
    "user": ("UsersPerAccount", 5000),
    "group": ("GroupsPerAccount", 300),
    "instance-profile": ("InstanceProfilesPerAccount", 1000),
}
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
        role = self.create("role", name, path, boundary, tags, (description, trust, session_seconds_max))
        assert isinstance(role, Role)
        return role

    def create_user(self, name: str, *, path: str = "/", boundary: str | None = None, tags: Tags = ()) -> User:
        """Raises ``AlreadyExists``."""
        user = self.create("user", name, path, boundary, tags)
        assert isinstance(user, User)
        return user

    def create(
        self,
        kind: Kind,
        name: str,
        path: str = "/",
        boundary: str | None = None,
        tags: Tags = (),
        rest: tuple[Any, Any, Any] = (None, None, None),
    ) -> Entity:
        """Raises ``AlreadyExists``; ``LimitReached`` for too many of them or of tags."""
        if len(tags) > TAGS_MAX:
            raise words.quota(f"TagsPer{words.in_quota(kind)}", TAGS_MAX)
        now = self._ledger.clock.time()
        identifier, account = unique_id(ID_PREFIX[kind]), self._ledger.account
        values = (account, kind, name, path, identifier, now, json.dumps(tags), boundary, *rest)

        def change(tx: sqlite3.Connection) -> None:
            try:
                tx.execute("INSERT INTO iam_principals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", values)
            except sqlite3.IntegrityError:
                raise words.entity_exists(kind, name) from None
            held = tx.execute("SELECT count(*) FROM iam_principals WHERE account = ? AND kind = ?", (account, kind))
            quota, most = QUOTAS[kind]
            most = self._ledger.limit(tx, quota, most)
            if held.fetchone()[0] > most:
                raise words.quota(quota, most)

        self._ledger.write(change)
        return self.get(kind, name)

    def delete(self, kind: Kind, name: str) -> None:
        """Raises ``Conflict`` while it has policies, members or keys, or is a member. Its sessions end with it."""

        def change(tx: sqlite3.Connection) -> None:
            owner = self.id_in(tx, kind, name)
            for statement, refused in words.DELETE_CONFLICTS[kind]:
                if tx.execute(statement + " LIMIT 1", (owner,)).fetchone() is not None:
                    raise words.must_first(refused)
            tx.execute("DELETE FROM iam_sessions WHERE owner = ?", (owner,))
            tx.execute("DELETE FROM iam_principals WHERE id = ?", (owner,))

        self._ledger.write(change)

    # -- reading -------------------------------------------------------------------------------------------

    def find(self, kind: Kind, name: str) -> Entity | None:
        row = self._ledger.row(
            "SELECT * FROM iam_principals WHERE account = ? AND kind = ? AND name = ?", self._ledger.account, kind, name
        )
        return None if row is None else self._entity(row)

    def by_id(self, identifier: str) -> Entity | None:
        row = self._ledger.row(
            "SELECT * FROM iam_principals WHERE id = ? AND account = ?", identifier, self._ledger.account
        )
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
            "SELECT * FROM iam_principals WHERE account = ? AND kind = ? AND name > ? AND substr(path, 1, ?) = ? "
            "ORDER BY name LIMIT ?",
            self._ledger.account, kind, after, len(prefix), prefix, limit + 1,
        )  # fmt: skip
        return page([self._entity(row) for row in rows], limit, lambda each: each.name)

    def all(self, kind: Kind) -> list[Entity]:
        """By name."""
        return self.page(kind, "/", "", 1_000_000)[0]

    def count(self, kind: Kind) -> int:
        row = self._ledger.row(
            "SELECT count(*) AS n FROM iam_principals WHERE account = ? AND kind = ?", self._ledger.account, kind
        )
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
        if row["kind"] != "role":
            return User(**common) if row["kind"] == "user" else Entity(**common)
        return Role(
            **common,
            description=row["description"],
            trust=row["trust"],
            session_seconds_max=row["session_seconds_max"],
            used_at=None if row["used_at"] is None else from_epoch(row["used_at"]),
            used_region=row["used_region"],
        )

    # -- members: users in groups, roles in instance profiles ----------------------------------------------

    def add_member(self, holder: Kind, name: str, kind: Kind, member: str) -> None:
        """Nothing happens if it is one. Raises ``LimitReached``: a user is in ten groups at most, an instance
        profile holds one role."""

        def change(tx: sqlite3.Connection) -> None:
            group, who = self.id_in(tx, holder, name), self.id_in(tx, kind, member)
            if holder == "instance-profile" and _has(tx, "SELECT 1 FROM iam_members WHERE holder = ?", group):
                raise words.quota("InstanceSessionsPerInstanceProfile", 1)
            tx.execute("INSERT OR IGNORE INTO iam_members VALUES (?, ?)", (group, who))
            held = tx.execute(
                "SELECT count(*) FROM iam_members m JOIN iam_principals p ON p.id = m.holder "
                "WHERE m.member = ? AND p.kind = 'group'", (who,),
            )  # fmt: skip
            if held.fetchone()[0] > words.GROUPS_PER_USER_MAX:
                raise words.quota("GroupsPerUser", words.GROUPS_PER_USER_MAX)

        self._ledger.write(change)

    def remove_member(self, holder: Kind, name: str, kind: Kind, member: str) -> None:
        """Raises ``NotFound`` for one that is none."""

        def change(tx: sqlite3.Connection) -> None:
            values = (self.id_in(tx, holder, name), self.id_in(tx, kind, member))
            if tx.execute("DELETE FROM iam_members WHERE holder = ? AND member = ?", values).rowcount == 0:
                raise words.no_entity(kind, member)

        self._ledger.write(change)

    def members(self, holder: Entity) -> list[Entity]:
        """By name."""
        rows = self._ledger.rows(
            "SELECT p.* FROM iam_members m JOIN iam_principals p ON p.id = m.member WHERE m.holder = ? ORDER BY p.name",
            holder.id,
        )
        return [self._entity(row) for row in rows]

    def holders(self, member: Entity) -> list[Entity]:
        """The groups a user is in, the instance profiles that hold a role; by name."""
        rows = self._ledger.rows(
            "SELECT p.* FROM iam_members m JOIN iam_principals p ON p.id = m.holder WHERE m.member = ? ORDER BY p.name",
            member.id,
        )
        return [self._entity(row) for row in rows]

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

    def rename(self, kind: Kind, name: str, new_name: str | None, new_path: str | None) -> None:
        """Another name or path; id, keys, policies and memberships stay. Raises ``AlreadyExists``."""

        def change(tx: sqlite3.Connection) -> None:
            owner = self.id_in(tx, kind, name)
            try:
                tx.execute(
                    "UPDATE iam_principals SET name = coalesce(?, name), path = coalesce(?, path) WHERE id = ?",
                    (new_name, new_path, owner),
                )
            except sqlite3.IntegrityError:
                raise words.entity_exists(kind, new_name or name) from None

        self._ledger.write(change)

    def _set(self, kind: Kind, name: str, column: str, value: Any) -> None:
        def change(tx: sqlite3.Connection) -> None:
            owner = self.id_in(tx, kind, name)
            tx.execute(f"UPDATE iam_principals SET {column} = ? WHERE id = ?", (value, owner))  # noqa: S608

        self._ledger.write(change)

    def tag(self, kind: Kind, name: str, tags: Tags) -> None:
        """Raises ``LimitReached`` for more than 50 tags."""
        self._retag(kind, name, add=tags)

    def untag(self, kind: Kind, name: str, keys: tuple[str, ...]) -> None:
        self._retag(kind, name, remove=keys)

    def _retag(self, kind: Kind, name: str, *, add: Tags = (), remove: tuple[str, ...] = ()) -> None:
        def change(tx: sqlite3.Connection) -> None:
            owner = self.id_in(tx, kind, name)
            row = tx.execute("SELECT tags FROM iam_principals WHERE id = ?", (owner,)).fetchone()
            tags = merged(without(tuple(map(tuple, json.loads(row["tags"]))), remove), add)
            if len(tags) > TAGS_MAX:
                raise words.quota(f"TagsPer{words.in_quota(kind)}", TAGS_MAX)
            tx.execute("UPDATE iam_principals SET tags = ? WHERE id = ?", (json.dumps(tags), owner))

        self._ledger.write(change)

    def id_in(self, tx: sqlite3.Connection, kind: Kind, name: str) -> str:
        """Inside a transaction: the unique id. Raises ``NotFound``."""
        row = tx.execute(
            "SELECT id FROM iam_principals WHERE account = ? AND kind = ? AND name = ?",
            (self._ledger.account, kind, name),
        ).fetchone()
        if row is None:
            raise words.no_entity(kind, name)
        return str(row["id"])


def check_trust_size(trust: str) -> None:
    """Raises ``LimitReached``. White space does not count (reference_iam-quotas.html)."""
    if sum(not character.isspace() for character in trust) > TRUST_CHARACTERS_MAX:
        raise words.quota("ACLSizePerRole", TRUST_CHARACTERS_MAX)


def _has(tx: sqlite3.Connection, statement: str, *values: str) -> bool:
    return tx.execute(statement + " LIMIT 1", values).fetchone() is not None
