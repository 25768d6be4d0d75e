"""What roles and users hold: inline policies of their own, and managed policies attached to them."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import Kind
from cloche.engines.identity.entity_table import EntityTable
from cloche.engines.identity.ledger import Ledger, page
from cloche.engines.identity.policy_table import PolicyTable

ATTACHED_MAX: Final = 10
INLINE_CHARACTERS_MAX: Final = {"role": 10_240, "user": 2_048}


class Holdings:
    """Everything raises ``NotFound`` for an owner that is not there."""

    def __init__(self, ledger: Ledger, entities: EntityTable, policies: PolicyTable) -> None:
        self._ledger = ledger
        self._entities = entities
        self._policies = policies

    # -- inline --------------------------------------------------------------------------------------------

    def put_inline(self, kind: Kind, owner: str, name: str, document: str) -> None:
        """Raises ``LimitReached`` where all inline policies together grow too long."""
        owner = self._entities.get(kind, owner).name
        limit = INLINE_CHARACTERS_MAX[kind]

        def change(tx: sqlite3.Connection) -> None:
            tx.execute(
                "INSERT INTO iam_inline_policies VALUES (?, ?, ?, ?) "
                "ON CONFLICT (kind, owner, name) DO UPDATE SET document = excluded.document",
                (kind, owner, name, document),
            )
            held = tx.execute(
                "SELECT document FROM iam_inline_policies WHERE kind = ? AND owner = ?", (kind, owner)
            ).fetchall()
            if sum(len("".join(row["document"].split())) for row in held) > limit:
                raise words.inline_too_large(kind, owner, limit)

        self._ledger.write(change)

    def inline(self, kind: Kind, owner: str, name: str) -> str:
        """The document. Raises ``NotFound``."""
        owner = self._entities.get(kind, owner).name
        row = self._ledger.row(
            "SELECT document FROM iam_inline_policies WHERE kind = ? AND owner = ? AND name = ?", kind, owner, name
        )
        if row is None:
            raise words.no_inline_policy(kind, name)
        return str(row["document"])

    def inline_names(self, kind: Kind, owner: str, after: str, limit: int) -> tuple[list[str], str | None]:
        owner = self._entities.get(kind, owner).name
        rows = self._ledger.rows(
            "SELECT name FROM iam_inline_policies WHERE kind = ? AND owner = ? AND name > ? ORDER BY name LIMIT ?",
            kind, owner, after, limit + 1,
        )  # fmt: skip
        return page([str(row["name"]) for row in rows], limit, str)

    def inline_documents(self, kind: Kind, owner: str) -> list[tuple[str, str]]:
        """All (name, document)."""
        rows = self._ledger.rows(
            "SELECT name, document FROM iam_inline_policies WHERE kind = ? AND owner = ? ORDER BY name", kind, owner
        )
        return [(row["name"], row["document"]) for row in rows]

    def delete_inline(self, kind: Kind, owner: str, name: str) -> None:
        """Raises ``NotFound``."""
        owner = self._entities.get(kind, owner).name

        def change(tx: sqlite3.Connection) -> None:
            gone = tx.execute(
                "DELETE FROM iam_inline_policies WHERE kind = ? AND owner = ? AND name = ?", (kind, owner, name)
            )
            if gone.rowcount == 0:
                raise words.no_inline_policy(kind, name)

        self._ledger.write(change)

    # -- attached ------------------------------------------------------------------------------------------

    def attach(self, kind: Kind, owner: str, policy_arn: str) -> None:
        """Nothing happens if it is attached. Raises ``NotFound`` for the policy, ``LimitReached`` after ten."""
        owner = self._entities.get(kind, owner).name
        if self._policies.find(policy_arn) is None:
            raise words.not_attachable(policy_arn)

        def change(tx: sqlite3.Connection) -> None:
            tx.execute("INSERT OR IGNORE INTO iam_attachments VALUES (?, ?, ?)", (kind, owner, policy_arn))
            held = tx.execute(
                "SELECT count(*) FROM iam_attachments WHERE kind = ? AND owner = ?", (kind, owner)
            ).fetchone()
            if held[0] > ATTACHED_MAX:
                raise words.quota(f"PoliciesPer{kind.capitalize()}", ATTACHED_MAX)

        self._ledger.write(change)

    def detach(self, kind: Kind, owner: str, policy_arn: str) -> None:
        """Raises ``NotFound`` where it is not attached."""
        owner = self._entities.get(kind, owner).name

        def change(tx: sqlite3.Connection) -> None:
            gone = tx.execute(
                "DELETE FROM iam_attachments WHERE kind = ? AND owner = ? AND policy_arn = ?",
                (kind, owner, policy_arn),
            )
            if gone.rowcount == 0:
                raise words.no_policy(policy_arn)

        self._ledger.write(change)

    def attached(self, kind: Kind, owner: str) -> list[str]:
        """ARNs, sorted."""
        owner = self._entities.get(kind, owner).name
        rows = self._ledger.rows(
            "SELECT policy_arn FROM iam_attachments WHERE kind = ? AND owner = ? ORDER BY policy_arn", kind, owner
        )
        return [str(row["policy_arn"]) for row in rows]

    def holders(self, kind: Kind, policy_arn: str, *, boundary: bool = False) -> list[str]:
        """Names of those who have the policy attached (or as their boundary)."""
        if boundary:
            rows = self._ledger.rows(
                "SELECT name FROM iam_entities WHERE kind = ? AND boundary = ? ORDER BY name", kind, policy_arn
            )
        else:
            rows = self._ledger.rows(
                "SELECT owner AS name FROM iam_attachments WHERE kind = ? AND policy_arn = ? ORDER BY owner",
                kind, policy_arn,
            )  # fmt: skip
        return [str(row["name"]) for row in rows]
