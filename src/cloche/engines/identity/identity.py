"""Who may speak to Cloche, and as whom: keys, roles, users, policies, decisions.

``Identity`` is the one door. What IAM's operations do with entities is behind ``entities``, ``policies``,
``holdings`` and ``keys``; what others need of it (a key's owner, a job's credentials, whether a role trusts a
service) are methods here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cloche.engines.identity.entities import Credentials, Role
from cloche.engines.identity.entity_table import EntityTable
from cloche.engines.identity.first_start import make_execution_role
from cloche.engines.identity.holdings import Holdings
from cloche.engines.identity.keys import Keys
from cloche.engines.identity.ledger import Ledger
from cloche.engines.identity.policy import Decision, Outcome, Policies, Request, evaluate
from cloche.engines.identity.policy_table import PolicyTable
from cloche.engines.identity.rights import Rights
from cloche.engines.identity.sessions import JOB_SECONDS, Sessions
from cloche.foundation.clock import Clock
from cloche.foundation.settings import Settings
from cloche.storage.metadata.database import Database

SAGEMAKER: Final = "sagemaker.amazonaws.com"
SESSION_SECONDS: Final = 12 * 3600
ROOT_SESSION_SECONDS_MAX: Final = 3600


class Identity:
    """``keys`` is the private folder for the root's key (``<data>/keys``). The tables are there already.

    A first start makes the root's key and one role (see ``first_start``); every start, and every
    issue of temporary credentials, removes those that expired long ago.
    """

    def __init__(self, database: Database, clock: Clock, settings: Settings, keys: Path) -> None:
        ledger = Ledger(database, clock, settings.account, self._forget)
        self.account = settings.account
        self.entities = EntityTable(ledger)
        self.policies = PolicyTable(ledger)
        self.holdings = Holdings(ledger, self.entities, self.policies)
        self.keys = Keys(ledger, self.entities)
        self.rights = Rights(ledger, self.entities, self.policies, self.holdings)
        self.sessions = Sessions(ledger, self.keys, self.rights, settings.region)
        self._root = self.keys.root(keys, first=lambda: make_execution_role(self.entities, self.holdings))
        self.keys.remove_expired()

    def _forget(self) -> None:
        self.keys.forget()
        self.rights.forget()

    # -- keys ----------------------------------------------------------------------------------------------

    def root_credentials(self) -> Credentials:
        """The key of the account's root: what ``cloche env`` hands out."""
        return self._root

    def credentials(self, access_key: str) -> Credentials | None:
        """Whose key this is: ``None`` for one that is unknown, deleted or inactive.

        About a microsecond for a key that was seen before. Temporary credentials are answered for a day after
        they expired: ask ``has_expired`` (the caller is then told ``ExpiredToken``), and compare
        ``session_token`` in constant time.
        """
        return self.keys.find(access_key)

    def session_token_credentials(self, caller: Credentials, seconds: int | None) -> Credentials:
        """Temporary credentials of the caller itself (GetSessionToken): an hour at most for the root."""
        longest = ROOT_SESSION_SECONDS_MAX if caller.principal_arn.endswith(":root") else 36 * 3600
        wanted = min(SESSION_SECONDS if seconds is None else seconds, longest)
        return self.keys.issue(caller.principal_arn, caller.user_id, wanted)

    # -- roles ---------------------------------------------------------------------------------------------

    def role(self, name_or_arn: str) -> Role | None:
        """The role of that ARN (to the letter) or name (in any case)."""
        if name_or_arn.startswith("arn:"):
            return self.rights.role_of(name_or_arn)
        found = self.entities.find("role", name_or_arn)
        return found if isinstance(found, Role) else None

    def trusts(self, role_arn: str, service: str, *, source_arn: str = "") -> bool:
        """Whether the role is there and lets ``service`` (``sagemaker.amazonaws.com``) assume it."""
        return self.sessions.trusts(role_arn, service, source_arn=source_arn)

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
        """Temporary credentials of a role, for a ``service`` or for a ``caller`` (the root, if neither is given).

        Raises ``NotFound`` (services only: callers hear ``Denied`` for a role that is not there), ``Denied``
        where the trust policy does not let them, ``Invalid`` for a duration or session name that breaks a rule.
        """
        if service is not None:
            seconds = JOB_SECONDS if duration_seconds is None else duration_seconds
            return self.sessions.for_service(role_arn, session_name, service, seconds=seconds, source_arn=source_arn)
        return self.sessions.assume(caller or self._root, role_arn, session_name, seconds=duration_seconds)

    def job_credentials(self, role_arn: str, session_name: str, *, source_arn: str = "") -> Credentials:
        """Credentials of a job's execution role for 12 hours, as SageMaker would take them. Ask again before they
        expire. Raises ``NotFound`` for the role, ``Denied`` where it does not trust SageMaker."""
        return self.sessions.for_service(role_arn, session_name, SAGEMAKER, source_arn=source_arn)

    # -- decisions -----------------------------------------------------------------------------------------

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
        the caller. ``access_key`` brings in the session policies of temporary credentials. The root may do all.
        """
        known = self.rights.known(caller_arn)
        if known.kind is None:
            mine = caller_arn == f"arn:aws:iam::{self.account}:root"
            return Decision(Outcome.ALLOWED if mine else Outcome.IMPLICIT_DENY)
        held = self.rights.of(known.kind, known.name)
        asked = self.rights.context(caller_arn)
        if context:
            asked.update(context)
        session = self.keys.session_policies(access_key) if access_key else None
        return evaluate(Request(action, resource_arn, asked), Policies(held.identity, held.boundary, session))
