"""Identity within one account: its principals, policies, keys, providers, sessions and settings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from cloche.engines.identity.entities import Account, Role
from cloche.engines.identity.entity_table import EntityTable
from cloche.engines.identity.holdings import Holdings
from cloche.engines.identity.keys import Keys
from cloche.engines.identity.ledger import Ledger
from cloche.engines.identity.policy_table import PolicyTable
from cloche.engines.identity.rights import Rights
from cloche.engines.identity.sessions import Sessions
from cloche.engines.identity.things import Things
from cloche.engines.identity.user_keys import UserKeys
from cloche.foundation.clock import from_epoch


class AccountIdentity:
    """What IAM's and STS's operations work on."""

    def __init__(
        self, ledger: Ledger, keys: Keys, region: str, others: Callable[[str], AccountIdentity | None]
    ) -> None:
        self.number = ledger.account
        self._ledger = ledger
        self.entities = EntityTable(ledger)
        self.policies = PolicyTable(ledger)
        self.holdings = Holdings(ledger, self.entities, self.policies)
        self.keys = UserKeys(ledger, self.entities, keys)
        self.rights = Rights(ledger, self.entities, self.policies, self.holdings)
        self.things = Things(ledger)
        self.sessions = Sessions(ledger, keys, self.rights, self.things, region, others)

    @property
    def root_arn(self) -> str:
        return f"arn:aws:iam::{self.number}:root"

    @property
    def now(self) -> float:
        return self._ledger.clock.time()

    def role(self, name_or_arn: str) -> Role | None:
        """The role of that ARN (to the letter) or name (in any case)."""
        if name_or_arn.startswith("arn:"):
            return self.rights.role_of(name_or_arn)
        found = self.entities.find("role", name_or_arn)
        return found if isinstance(found, Role) else None

    # -- what is set for all of it -------------------------------------------------------------------------

    def about(self) -> Account:
        row = self._ledger.row("SELECT * FROM iam_accounts WHERE account = ?", self.number)
        assert row is not None
        return account_of(row)

    def setting(self, name: str) -> Any:
        """``alias``, ``password_policy`` …; ``None`` where it is not set."""
        return self.about().settings.get(name)

    def set(self, name: str, value: Any) -> None:
        """Keep a setting; ``None`` takes it away."""

        def change(tx: sqlite3.Connection) -> None:
            tx.execute(
                "UPDATE iam_accounts SET settings = json_patch(settings, ?) WHERE account = ?",
                (json.dumps({name: value}), self.number),
            )

        self._ledger.write(change)

    def alias_is_taken(self, alias: str) -> bool:
        """By this or another account: aliases are unique among all."""
        row = self._ledger.row("SELECT 1 FROM iam_accounts WHERE json_extract(settings, '$.alias') = ?", alias)
        return row is not None


def account_of(row: sqlite3.Row) -> Account:
    return Account(row["account"], row["name"], from_epoch(row["created_at"]), json.loads(row["settings"]))
