"""Managed policies with their versions: the account's own in the database, AWS's from ``managed``."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import Policy, PolicyVersion, Tags
from cloche.engines.identity.ledger import Ledger, merged, without
from cloche.engines.identity.managed import PREFIX, ManagedPolicy, managed_policies, managed_policy
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid
from cloche.foundation.ids import unique_id

# docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
DOCUMENT_CHARACTERS_MAX: Final = 6144
VERSIONS_MAX: Final = 5
POLICIES_MAX: Final = 1500
TAGS_MAX: Final = 50


class PolicyTable:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # -- reading -------------------------------------------------------------------------------------------

    def find(self, arn: str) -> Policy | None:
        if (known := managed_policy(arn)) is not None:
            return self._managed(known)
        row = self._ledger.row(
            "SELECT * FROM iam_managed WHERE account = ? AND name = ?", self._ledger.account, arn.rpartition("/")[2]
        )
        found = None if row is None else self._policy(row)
        return found if found is not None and found.arn == arn else None

    def get(self, arn: str) -> Policy:
        found = self.find(arn)
        if found is None:
            raise words.no_policy(arn)
        return found

    def as_boundary(self, arn: str | None) -> str | None:
        """``arn`` again, when it is a policy that can bound somebody. Raises ``NotFound``."""
        if arn is not None and self.find(arn) is None:
            raise words.no_boundary(arn)
        return arn

    def own(self) -> list[Policy]:
        """The account's own, by name."""
        rows = self._ledger.rows("SELECT * FROM iam_managed WHERE account = ? ORDER BY name", self._ledger.account)
        return [self._policy(row) for row in rows]

    def aws(self) -> list[Policy]:
        """AWS's, by name."""
        return [self._managed(each) for each in managed_policies().values()]

    def document(self, arn: str) -> str | None:
        """The default version's document."""
        if (known := managed_policy(arn)) is not None:
            return known.document
        found = self.find(arn)
        return None if found is None else self.version(arn, found.default_version).document

    def version(self, arn: str, version: int) -> PolicyVersion:
        """Raises ``NotFound`` for the policy or the version."""
        found = self.get(arn)
        if (known := managed_policy(arn)) is not None:
            if version != known.version:
                raise words.no_version(arn, version)
            return PolicyVersion(version, known.document, True, known.updated_at)
        row = self._ledger.row("SELECT * FROM iam_managed_versions WHERE policy = ? AND version = ?", found.id, version)
        if row is None:
            raise words.no_version(arn, version)
        return _version(row, found.default_version)

    def versions(self, arn: str) -> list[PolicyVersion]:
        """The newest first."""
        found = self.get(arn)
        if managed_policy(arn) is not None:
            return [self.version(arn, found.default_version)]
        rows = self._ledger.rows("SELECT * FROM iam_managed_versions WHERE policy = ? ORDER BY version DESC", found.id)
        return [_version(row, found.default_version) for row in rows]

    def _policy(self, row: sqlite3.Row) -> Policy:
        arn = self._ledger.iam_arn("policy", row["path"], row["name"])
        attachments, boundaries = self._uses(arn)
        return Policy(
            arn=arn,
            name=row["name"],
            path=row["path"],
            id=row["id"],
            description=row["description"],
            created_at=from_epoch(row["created_at"]),
            updated_at=from_epoch(row["updated_at"]),
            default_version=row["default_version"],
            tags=tuple((key, value) for key, value in json.loads(row["tags"])),
            attachments=attachments,
            boundaries=boundaries,
        )

    def _managed(self, known: ManagedPolicy) -> Policy:
        attachments, boundaries = self._uses(known.arn)
        return Policy(
            known.arn, known.name, known.path, None, None, known.created_at, known.updated_at, known.version, (),
            attachments, boundaries,
        )  # fmt: skip

    def _uses(self, arn: str) -> tuple[int, int]:
        row = self._ledger.row(
            "SELECT (SELECT count(*) FROM iam_attached a JOIN iam_principals p ON p.id = a.owner "
            "WHERE a.policy_arn = ?1 AND p.account = ?2) AS attachments, "
            "(SELECT count(*) FROM iam_principals WHERE boundary = ?1 AND account = ?2) AS boundaries",
            arn,
            self._ledger.account,
        )
        return (0, 0) if row is None else (row["attachments"], row["boundaries"])

    # -- changing ------------------------------------------------------------------------------------------

    def create(
        self, name: str, document: str, *, path: str = "/", description: str | None = None, tags: Tags = ()
    ) -> Policy:
        """Raises ``AlreadyExists``; ``LimitReached`` for a document that is too long."""
        check_size(document)
        if len(tags) > TAGS_MAX:
            raise words.quota("TagsPerPolicy", TAGS_MAX)
        now, identifier, account = self._ledger.clock.time(), unique_id("ANPA"), self._ledger.account

        def change(tx: sqlite3.Connection) -> None:
            try:
                tx.execute(
                    "INSERT INTO iam_managed VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 1)",
                    (account, name, path, identifier, now, now, description, json.dumps(tags)),
                )
            except sqlite3.IntegrityError:
                raise words.policy_exists(name) from None
            held = tx.execute("SELECT count(*) FROM iam_managed WHERE account = ?", (account,)).fetchone()
            most = self._ledger.limit(tx, "PoliciesPerAccount", POLICIES_MAX)
            if held[0] > most:
                raise words.quota("PoliciesPerAccount", most)
            tx.execute("INSERT INTO iam_managed_versions VALUES (?, 1, ?, ?)", (identifier, document, now))

        self._ledger.write(change)
        return self.get(self._ledger.iam_arn("policy", path, name))

    def delete(self, arn: str) -> None:
        """Raises ``Conflict`` while it is attached, bounds somebody or has further versions."""
        policy = self._own(arn)

        def change(tx: sqlite3.Connection) -> None:
            _row(tx, policy, arn)
            used = tx.execute(
                "SELECT 1 FROM iam_attached WHERE policy_arn = ?1 "
                "UNION ALL SELECT 1 FROM iam_principals WHERE boundary = ?1 LIMIT 1",
                (arn,),
            ).fetchone()
            if used is not None:
                raise words.policy_is_attached()
            if _versions(tx, policy) > 1:
                raise words.policy_has_versions()
            tx.execute("DELETE FROM iam_managed WHERE id = ?", (policy,))

        self._ledger.write(change)

    def create_version(self, arn: str, document: str, *, as_default: bool) -> PolicyVersion:
        """Raises ``LimitReached`` for a sixth version."""
        check_size(document)
        policy = self._own(arn)
        now = self._ledger.clock.time()

        def change(tx: sqlite3.Connection) -> int:
            row = _row(tx, policy, arn)
            if _versions(tx, policy) >= VERSIONS_MAX:
                raise words.too_many_versions()
            number = int(row["latest_version"]) + 1
            tx.execute("INSERT INTO iam_managed_versions VALUES (?, ?, ?, ?)", (policy, number, document, now))
            default = number if as_default else row["default_version"]
            tx.execute(
                "UPDATE iam_managed SET latest_version = ?, default_version = ?, updated_at = ? WHERE id = ?",
                (number, default, now, policy),
            )
            return number

        return self.version(arn, self._ledger.write(change))

    def set_default_version(self, arn: str, version: int) -> None:
        policy = self._own(arn)

        def change(tx: sqlite3.Connection) -> None:
            _row(tx, policy, arn)
            _check_version(tx, policy, arn, version)
            tx.execute(
                "UPDATE iam_managed SET default_version = ?, updated_at = ? WHERE id = ?",
                (version, self._ledger.clock.time(), policy),
            )

        self._ledger.write(change)

    def delete_version(self, arn: str, version: int) -> None:
        """Raises ``Conflict`` for the default version."""
        policy = self._own(arn)

        def change(tx: sqlite3.Connection) -> None:
            row = _row(tx, policy, arn)
            _check_version(tx, policy, arn, version)
            if row["default_version"] == version:
                raise words.default_version_stays()
            tx.execute("DELETE FROM iam_managed_versions WHERE policy = ? AND version = ?", (policy, version))

        self._ledger.write(change)

    def tag(self, arn: str, tags: Tags) -> None:
        self._retag(arn, add=tags)

    def untag(self, arn: str, keys: tuple[str, ...]) -> None:
        self._retag(arn, remove=keys)

    def _retag(self, arn: str, *, add: Tags = (), remove: tuple[str, ...] = ()) -> None:
        policy = self._own(arn)

        def change(tx: sqlite3.Connection) -> None:
            row = _row(tx, policy, arn)
            tags = merged(without(tuple(map(tuple, json.loads(row["tags"]))), remove), add)
            if len(tags) > TAGS_MAX:
                raise words.quota("TagsPerPolicy", TAGS_MAX)
            tx.execute("UPDATE iam_managed SET tags = ? WHERE id = ?", (json.dumps(tags), policy))

        self._ledger.write(change)

    def _own(self, arn: str) -> str:
        """The unique id of a policy that can be changed."""
        if arn.startswith(PREFIX):
            raise Invalid("Cannot perform the operation on an AWS-managed policy.", field="PolicyArn")
        found = self.get(arn).id
        assert found is not None
        return found


def check_size(document: str) -> None:
    """Raises ``LimitReached``. White space does not count (reference_iam-quotas.html)."""
    if sum(not character.isspace() for character in document) > DOCUMENT_CHARACTERS_MAX:
        raise words.quota("PolicySize", DOCUMENT_CHARACTERS_MAX)


def _version(row: sqlite3.Row, default: int) -> PolicyVersion:
    return PolicyVersion(row["version"], row["document"], row["version"] == default, from_epoch(row["created_at"]))


def _row(tx: sqlite3.Connection, policy: str, arn: str) -> Any:
    row = tx.execute("SELECT * FROM iam_managed WHERE id = ?", (policy,)).fetchone()
    if row is None:
        raise words.no_policy(arn)
    return row


def _versions(tx: sqlite3.Connection, policy: str) -> int:
    return int(tx.execute("SELECT count(*) FROM iam_managed_versions WHERE policy = ?", (policy,)).fetchone()[0])


def _check_version(tx: sqlite3.Connection, policy: str, arn: str, version: int) -> None:
    found = tx.execute(
        "SELECT 1 FROM iam_managed_versions WHERE policy = ? AND version = ?", (policy, version)
    ).fetchone()
    if found is None:
        raise words.no_version(arn, version)
