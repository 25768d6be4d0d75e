"""Who may speak to Cloche, and as whom: accounts, keys, roles, users, policies, decisions.

``Identity`` is the one door. It holds several accounts; the one that Cloche was started for is ``home``. What IAM's
operations do is behind ``of(account)``; what others need of it (a key's owner, a job's credentials, whether a role
trusts a service) are methods here, and find the account themselves.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cloche.engines.identity.account import AccountIdentity, account_of
from cloche.engines.identity.entities import Account, Credentials, Kind, Role
from cloche.engines.identity.first_start import make_execution_role
from cloche.engines.identity.keys import Keys
from cloche.engines.identity.ledger import Ledger, Limits, account_in
from cloche.engines.identity.policy import Decision, Outcome, Principal, Request, evaluate
from cloche.engines.identity.sessions import JOB_SECONDS, Wanted
from cloche.foundation.clock import Clock, from_epoch
from cloche.foundation.errors import AlreadyExists, Invalid, NotFound
from cloche.foundation.settings import Settings
from cloche.storage.metadata.database import Database

SAGEMAKER: Final = "sagemaker.amazonaws.com"
NUMBER: Final = re.compile(r"\d{12}", re.ASCII)
_TABLES_WITH_ACCOUNT: Final = ("iam_principals", "iam_managed", "iam_keys", "iam_sessions")
_OWNED: Final = ("iam_inline", "iam_attached")
_NAMED: Final[dict[str, Kind]] = {"user": "user", "role": "role"}


class Identity:
    """``keys`` is the private folder for the roots' keys (``<data>/keys``): ``root.json`` is home's, an account
    that was added has ``root-<number>.json``. The tables are there already.

    A first start makes the root's key and one role (see ``first_start``); every start, and every
    issue of temporary credentials, removes those that expired long ago.
    """

    def __init__(self, database: Database, clock: Clock, settings: Settings, keys: Path) -> None:
        self._database = database
        self._clock = clock
        self._region = settings.region
        self._folder = keys
        self._lock = threading.Lock()
        self._accounts: dict[str, AccountIdentity] = {}
        self._roots: dict[str, Credentials] = {}
        self.keys = Keys(database, clock, self._forget)
        self.credentials = self.keys.find
        """Whose key an access key is: ``None`` for one that is unknown, deleted or inactive.

        About a microsecond for a key that was seen before. Temporary credentials are answered for a day after
        they expired: ask ``has_expired`` (the caller is then told ``ExpiredToken``), and compare
        ``session_token`` in constant time.
        """
        self.limits: Limits | None = None
        """What accounts have asked for beyond AWS's defaults; set before serving."""
        self.account = settings.account
        database.write(self._adopt)
        self._ensure(self.account, "home")
        self.keys.remove_expired()

    @property
    def home(self) -> AccountIdentity:
        """The account that Cloche was started for."""
        return self.of(self.account)

    def _limit(self, tx: sqlite3.Connection, account: str, name: str, most: int) -> int:
        return most if self.limits is None else self.limits(tx, account, name, most)

    def _forget(self) -> None:
        self.keys.forget()
        for each in tuple(self._accounts.values()):
            each.rights.forget()

    # -- accounts ------------------------------------------------------------------------------------------

    def of(self, account: str) -> AccountIdentity:
        """Raises ``NotFound`` for an account that is not held here."""
        found = self.find(account)
        if found is None:
            raise NotFound(f"Cloche holds no account {account}.")
        return found

    def find(self, account: str) -> AccountIdentity | None:
        found = self._accounts.get(account)
        if found is None and self._row(account) is not None:
            ledger = Ledger(self._database, self._clock, account, self._forget, self._limit)
            with self._lock:
                made = AccountIdentity(ledger, self.keys, self._region, self.find)
                found = self._accounts.setdefault(account, made)
        return found

    def accounts(self) -> list[Account]:
        """All that are held, by number."""
        rows = self._database.reader.execute("SELECT * FROM iam_accounts ORDER BY account").fetchall()
        return [account_of(row) for row in rows]

    def add_account(self, number: str, name: str = "") -> Account:
        """A new account with a root of its own, whose key is written to the private folder.

        Raises ``AlreadyExists``; ``Invalid`` for what are not twelve digits.
        """
        if NUMBER.fullmatch(number) is None:
            raise Invalid("an account's number is twelve digits", field="account")
        if self._row(number) is not None:
            raise AlreadyExists(f"there is an account {number} already")
        self._ensure(number, name or number)
        return self.of(number).about()

    def account_named(self, number: str) -> Credentials:
        """The root of an account that comes to be by being named, for ``--any-credentials``."""
        if self.find(number) is None:
            self._ensure(number, number)
        return self.root_credentials(number)

    def clear_account(self, number: str) -> None:
        """All of its IAM goes; the account, its root's key and a role as at a first start stay.
        Raises ``NotFound``."""
        account = self.of(number)

        def change(tx: sqlite3.Connection) -> None:
            mine = "SELECT id FROM iam_principals WHERE account = ?"
            for table in _OWNED:
                tx.execute(f"DELETE FROM {table} WHERE owner IN ({mine})", (number,))  # noqa: S608 - our own words
            tx.execute(f"DELETE FROM iam_members WHERE holder IN ({mine})", (number,))  # noqa: S608
            tx.execute("DELETE FROM iam_things WHERE account = ?", (number,))
            tx.execute("DELETE FROM iam_sessions WHERE account = ?", (number,))
            tx.execute("DELETE FROM iam_keys WHERE account = ? AND owner IS NOT NULL", (number,))
            tx.execute("DELETE FROM iam_principals WHERE account = ?", (number,))
            tx.execute("DELETE FROM iam_managed WHERE account = ?", (number,))
            tx.execute("UPDATE iam_accounts SET settings = '{}' WHERE account = ?", (number,))

        try:
            self._database.write(change)
        finally:
            self._forget()
        make_execution_role(account.entities, account.holdings)

    def _row(self, account: str) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._database.reader.execute(
            "SELECT * FROM iam_accounts WHERE account = ?", (account,)
        ).fetchone()
        return found

    def _adopt(self, tx: sqlite3.Connection) -> None:
        """Rows of a version that knew one account only are this one's."""
        for table in _TABLES_WITH_ACCOUNT:
            tx.execute(f"UPDATE {table} SET account = ? WHERE account = ''", (self.account,))  # noqa: S608

    def _ensure(self, number: str, name: str) -> None:
        """Make what a new account begins with. Where it was cut short it is done again: the key comes last."""
        self._database.write(
            lambda tx: (
                tx.execute(
                    "INSERT OR IGNORE INTO iam_accounts VALUES (?, ?, ?, '{}')", (number, name, self._clock.time())
                )
                and None
            )
        )
        account = self.of(number)
        if self.keys.first_of_root(number) is None:
            make_execution_role(account.entities, account.holdings)
        self.root_credentials(number)

    def is_missing(self, arn: str) -> bool:
        """Whether this would be a user or role of an account that is held here, and is not there."""
        account = self.find(account_in(arn)) if ":iam:" in arn else None
        resource, _, name = arn.rpartition(":")[2].partition("/")
        kind = _NAMED.get(resource)
        if account is None or kind is None:
            return False
        found = account.entities.find(kind, name.rpartition("/")[2])
        return found is None or found.arn != arn

    # -- keys ----------------------------------------------------------------------------------------------

    def root_credentials(self, account: str | None = None) -> Credentials:
        """The key of an account's root (of home's: what ``cloche env`` hands out). Raises ``NotFound``."""
        number = account or self.account
        found = self._roots.get(number)
        if found is None:
            self.of(number)
            found = self._roots[number] = self.keys.root(number, self.root_file(number))
        return found

    def root_file(self, account: str) -> Path:
        """Where a root's key is written, for the owner's eyes."""
        return self._folder / ("root.json" if account == self.account else f"root-{account}.json")

    # -- roles ---------------------------------------------------------------------------------------------

    def role(self, name_or_arn: str) -> Role | None:
        """The role of that ARN (to the letter), or of that name (in any case) in the home account."""
        if name_or_arn.startswith("arn:"):
            account = self.find(account_in(name_or_arn))
            return None if account is None else account.role(name_or_arn)
        return self.home.role(name_or_arn)

    def trusts(self, role_arn: str, service: str, *, source_arn: str = "", account: str | None = None) -> bool:
        """Whether the role is there and lets ``service`` (``sagemaker.amazonaws.com``) assume it.

        ``account`` is whose service it is: a role of another account cannot be passed to it.
        """
        theirs = account_in(role_arn)
        found = self.find(theirs)
        if found is None or account not in (None, theirs):
            return False
        return found.sessions.trusts(role_arn, service, source_arn=source_arn)

    def assume_role(
        self,
        role_arn: str,
        session_name: str,
        duration_seconds: int | None = None,
        *,
        service: str | None = None,
        caller: Credentials | None = None,
        source_arn: str = "",
    ) -> Credentials:
        """Temporary credentials of a role, for a ``service`` or for a ``caller`` (home's root, if neither is given).

        Raises ``NotFound`` (services only: callers hear ``Denied`` for a role that is not there), ``Denied``
        where the trust policy does not let them, ``Invalid`` for a duration or session name that breaks a rule.
        """
        account = self.find(account_in(role_arn)) or self.home
        if service is not None:
            seconds = JOB_SECONDS if duration_seconds is None else duration_seconds
            return account.sessions.for_service(role_arn, session_name, service, seconds=seconds, source_arn=source_arn)
        wanted = Wanted(seconds=duration_seconds)
        return account.sessions.assume(caller or self.root_credentials(), role_arn, session_name, wanted)

    def has_expired(self, credentials: Credentials) -> bool:
        """By the clock that these credentials go by."""
        session = credentials.session
        real = session is not None and session.by_machine
        return credentials.has_expired(from_epoch(self._clock.real()) if real else self._clock.now())

    def job_credentials(self, role_arn: str, session_name: str, *, source_arn: str = "") -> Credentials:
        """Credentials of a job's execution role for 12 hours, as SageMaker would take them. Ask again before they
        expire. Raises ``NotFound`` for the role, ``Denied`` where it does not trust SageMaker."""
        return self.assume_role(role_arn, session_name, service=SAGEMAKER, source_arn=source_arn)

    # -- decisions -----------------------------------------------------------------------------------------

    def asker(self, account: str, arn: str, access_key: str) -> tuple[Principal, dict[str, Sequence[str]]]:
        """Somebody who signed, as the policy of a resource sees them: who they are, and the condition keys that follow
        from it. They may be of an account that is not held here."""
        found = self.find(account)
        if found is None:
            return Principal(arn, account), {"aws:principalarn": (arn,)}
        keys = found.rights.context(arn, self.credentials(access_key))
        return found.rights.known(arn).principal, keys

    def authorize(
        self,
        caller_arn: str,
        action: str,
        resource_arn: str,
        context: Mapping[str, Sequence[str]] | None = None,
        *,
        access_key: str = "",
    ) -> Decision:
        """What the stored policies say: pure evaluation, nothing is enforced here.

        ``action`` as ``s3:GetObject``; ``context`` has condition keys in lower case and adds to those known from
        the caller. ``access_key`` brings in the session policies and tags of temporary credentials. A root may do
        all within its account; nobody of an account that is not held here may anything.
        """
        account = self.find(account_in(caller_arn))
        if account is None:
            return Decision(Outcome.IMPLICIT_DENY)
        credentials = self.keys.find(access_key) if access_key else None
        asked = account.rights.context(caller_arn, credentials)
        if context:
            asked.update(context)
        return evaluate(Request(action, resource_arn, asked), account.rights.of_caller(caller_arn, credentials))
