"""What principals hold: inline policies of their own, and managed policies attached to them."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import Entity, Kind
from cloche.engines.identity.entity_table import EntityTable
from cloche.engines.identity.ledger import Ledger, page
from cloche.engines.identity.policy_table import PolicyTable

# docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
ATTACHED_MAX: Final = 10
INLINE_CHARACTERS_MAX: Final = {"role": 10_240, "user": 2_048, "group": 5_120}


class Holdings:
    """Everything raises ``NotFound`` for an owner that is not there."""

    def __init__(self, ledger: Ledger, entities: EntityTable, policies: PolicyTable) -> None:
        self._ledger = ledger
        self._entities = entities
        self._policies = policies

    # -- inline --------------------------------------------------------------------------------------------

    def put_inline(self, kind: Kind, owner: str, name: str, document: str) -> None:
        """Raises ``LimitReached`` where all inline policies together grow too long."""
        limit = INLINE_CHARACTERS_MAX[kind]

        def change(tx: sqlite3.Connection) -> None:
            holder = self._entities.id_in(tx, kind, owner)
            tx.execute(
                "INSERT INTO iam_inline VALUES (?, ?, ?) "
                "ON CONFLICT (owner, name) DO UPDATE SET document = excluded.document",
                (holder, name, document),
            )
            held = tx.execute("SELECT document FROM iam_inline WHERE owner = ?", (holder,)).fetchall()
            if sum(len("".join(row["document"].split())) for row in held) > limit:
                raise words.inline_too_large(kind, owner, limit)

        self._ledger.write(change)

    def inline(self, kind: Kind, owner: str, name: str) -> str:
        """The document. Raises ``NotFound``."""
        holder = self._entities.get(kind, owner).id
        row = self._ledger.row("SELECT document FROM iam_inline WHERE owner = ? AND name = ?", holder, name)
        if row is None:
            raise words.no_inline_policy(kind, name)
        return str(row["document"])

    def inline_names(self, kind: Kind, owner: str, after: str, limit: int) -> tuple[list[str], str | None]:
        holder = self._entities.get(kind, owner).id
        rows = self._ledger.rows(
            "SELECT name FROM iam_inline WHERE owner = ? AND name > ? ORDER BY name LIMIT ?", holder, after, limit + 1
        )
        return page([str(row["name"]) for row in rows], limit, str)

    def inline_documents(self, holder: Entity) -> list[tuple[str, str]]:
        """All (name, document)."""
        rows = self._ledger.rows("SELECT name, document FROM iam_inline WHERE owner = ? ORDER BY name", holder.id)
        return [(row["name"], row["document"]) for row in rows]

    def delete_inline(self, kind: Kind, owner: str, name: str) -> None:
        """Raises ``NotFound``."""

        def change(tx: sqlite3.Connection) -> None:
            values = (self._entities.id_in(tx, kind, owner), name)
            if tx.execute("DELETE FROM iam_inline WHERE owner = ? AND name = ?", values).rowcount == 0:
                raise words.no_inline_policy(kind, name)

        self._ledger.write(change)

    # -- attached ------------------------------------------------------------------------------------------

    def attach(self, kind: Kind, owner: str, policy_arn: str) -> None:
        """Nothing happens if it is attached. Raises ``NotFound`` for the policy, ``LimitReached`` after ten."""
        self._entities.get(kind, owner)
        if self._policies.find(policy_arn) is None:
            raise words.not_attachable(policy_arn)

        def change(tx: sqlite3.Connection) -> None:
            holder = self._entities.id_in(tx, kind, owner)
            tx.execute("INSERT OR IGNORE INTO iam_attached VALUES (?, ?)", (holder, policy_arn))
            held = tx.execute("SELECT count(*) FROM iam_attached WHERE owner = ?", (holder,)).fetchone()
            quota = f"PoliciesPer{words.in_quota(kind)}"
            most = self._ledger.limit(tx, quota, ATTACHED_MAX)
            if held[0] > most:
                raise words.quota(quota, most)

        self._ledger.write(change)

    def detach(self, kind: Kind, owner: str, policy_arn: str) -> None:
        """Raises ``NotFound`` where it is not attached."""

        def change(tx: sqlite3.Connection) -> None:
            values = (self._entities.id_in(tx, kind, owner), policy_arn)
            if tx.execute("DELETE FROM iam_attached WHERE owner = ? AND policy_arn = ?", values).rowcount == 0:
                raise words.no_policy(policy_arn)

        self._ledger.write(change)

    def attached(self, kind: Kind, owner: str) -> list[str]:
        """ARNs, sorted."""
        return self.attached_to(self._entities.get(kind, owner))

    def attached_to(self, holder: Entity) -> list[str]:
        rows = self._ledger.rows("SELECT policy_arn FROM iam_attached WHERE owner = ? ORDER BY policy_arn", holder.id)
        return [str(row["policy_arn"]) for row in rows]

    def holders(self, kind: Kind, policy_arn: str, *, boundary: bool = False) -> list[str]:
        """Names of those who have the policy attached (or as their boundary)."""
        if boundary:
            statement = "SELECT p.name FROM iam_principals p WHERE p.boundary = ?"
        else:
            statement = (
                "SELECT p.name FROM iam_attached a JOIN iam_principals p ON p.id = a.owner WHERE a.policy_arn = ?"
            )
        rows = self._ledger.rows(
            f"{statement} AND p.account = ? AND p.kind = ? ORDER BY p.name", policy_arn, self._ledger.account, kind
        )
        return [str(row["name"]) for row in rows]
