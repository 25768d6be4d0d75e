"""Assuming roles: whom a trust policy lets in, and for how long."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from cloche.engines.identity import words
from cloche.engines.identity.entities import Credentials, Role
from cloche.engines.identity.keys import Keys
from cloche.engines.identity.ledger import Ledger
from cloche.engines.identity.policy import (
    Named,
    Policies,
    Principal,
    Request,
    compile_document,
    evaluate,
    trust,
)
from cloche.engines.identity.policy.validate import validate_identity_policy
from cloche.engines.identity.rights import Rights
from cloche.foundation.errors import Invalid

JOB_SECONDS: Final = 12 * 3600
CHAINED_SECONDS_MAX: Final = 3600
SESSION_NAME: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
# Seen in coinbase/assume-role#24 and kreuzwerker/awsu#27.
CHAINED_TOO_LONG: Final = (
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
)
TOO_LONG: Final = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


class Sessions:
    """``region`` is what a role's last use is noted under."""

    def __init__(self, ledger: Ledger, keys: Keys, rights: Rights, region: str) -> None:
        self._ledger = ledger
        self._keys = keys
        self._rights = rights
        self._region = region

    # -- services ------------------------------------------------------------------------------------------

    def trusts(self, role_arn: str, service: str, *, source_arn: str = "") -> bool:
        """Whether the role is there and its trust policy lets ``service`` assume it for this account.

        ``source_arn`` is the thing the service would assume it for (a job's ARN), for roles that ask.
        """
        role = self._rights.role_of(role_arn)
        return role is not None and self._lets_service(role, service, source_arn)

    def _lets_service(self, role: Role, service: str, source_arn: str) -> bool:
        context = {"aws:sourceaccount": (self._ledger.account,), "aws:principalisawsservice": ("true",)}
        if source_arn:
            context["aws:sourcearn"] = (source_arn,)
        document = compile_document(role.trust)
        return trust(document, Principal(service=service), "sts:AssumeRole", context) is not Named.NOT

    def for_service(
        self, role_arn: str, session_name: str, service: str, *, seconds: int = JOB_SECONDS, source_arn: str = ""
    ) -> Credentials:
        """Credentials of the role for a service that acts for the account. Services are not bound to the role's
        longest session. Raises ``NotFound`` for the role, ``Denied`` where it does not trust the service."""
        role = self._rights.role_of(role_arn)
        if role is None:
            raise words.no_entity("role", role_arn)
        if not self._lets_service(role, service, source_arn):
            raise words.may_not_assume(service, role_arn)
        return self._issue(role, session_name, seconds)

    # -- callers -------------------------------------------------------------------------------------------

    def assume(
        self,
        caller: Credentials,
        role_arn: str,
        session_name: str,
        *,
        seconds: int | None = None,
        session_policies: Sequence[str] = (),
        session_policy_arns: Sequence[str] = (),
        context: Mapping[str, Sequence[str]] | None = None,
        also: Sequence[str] = (),
    ) -> Credentials:
        """Credentials of the role for ``caller``, for an hour unless ``seconds`` says otherwise.

        ``also`` are further actions that the trust policy must allow (``sts:TagSession``,
        ``sts:SetSourceIdentity``); ``context`` the condition keys of the request (``sts:ExternalId`` …).
        Raises ``Denied`` for a role that is not there or does not trust the caller, in the same words;
        ``Invalid`` for a session that is too long; ``MalformedPolicy`` for a session policy that is none.

        The root may assume what trusts its account. (AWS refuses root callers; here the root's key is the one
        everybody starts with.)
        """
        role = self._rights.role_of(role_arn)
        asked = {**self._rights.context(caller.principal_arn), **(context or {})}
        for action in ("sts:AssumeRole", *also):
            if role is None or not self._may(caller, role, action, asked):
                raise words.may_not_assume(caller.principal_arn, role_arn, action=action)
        assert role is not None
        seconds = self._seconds(caller, role, seconds)
        policies = self._session_policies(session_policies, session_policy_arns)
        return self._issue(role, session_name, seconds, policies=policies)

    def _may(self, caller: Credentials, role: Role, action: str, context: Mapping[str, Sequence[str]]) -> bool:
        known = self._rights.known(caller.principal_arn)
        found = trust(compile_document(role.trust), known.principal, action, context)
        if found is Named.NOT:
            return False
        if known.kind is None:
            return True
        held = self._rights.of(known.kind, known.name)
        mine = Policies(held.identity, held.boundary, self._keys.session_policies(caller.access_key))
        decision = evaluate(Request(action, role.arn, context), mine)
        if found is Named.ITSELF and not decision.because.startswith("with an explicit deny"):
            return True
        return decision.allowed

    def _seconds(self, caller: Credentials, role: Role, seconds: int | None) -> int:
        if seconds is None:
            return min(3600, role.session_seconds_max)
        if ":assumed-role/" in caller.principal_arn and seconds > CHAINED_SECONDS_MAX:
            raise Invalid(CHAINED_TOO_LONG, field="DurationSeconds")
        if seconds > role.session_seconds_max:
            raise Invalid(TOO_LONG, field="DurationSeconds")
        return seconds

    def _session_policies(self, documents: Sequence[str], arns: Sequence[str]) -> tuple[str, ...] | None:
        if not documents and not arns:
            return None
        for document in documents:
            validate_identity_policy(document)
        managed = [self._rights.document(arn) for arn in arns]
        return (*documents, *managed)

    def _issue(
        self, role: Role, session_name: str, seconds: int, *, policies: tuple[str, ...] | None = None
    ) -> Credentials:
        if SESSION_NAME.fullmatch(session_name) is None:
            raise Invalid(f"{session_name!r} is no name for a session", field="RoleSessionName")
        arn = f"arn:aws:sts::{self._ledger.account}:assumed-role/{role.name}/{session_name}"
        user_id = f"{role.id}:{session_name}"
        return self._keys.issue(arn, user_id, seconds, policies=policies, role=role.name, region=self._region)
