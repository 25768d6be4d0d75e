"""Temporary credentials: whom a role's trust policy lets in, for how long, and what the session carries.

A session is of one of four kinds: of a role, for a service; of a role, for a caller (of this or another account);
of a role, for somebody a provider vouches for; or of a user (or root) itself, narrower than its key.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cloche.engines.identity import one_time, web_identity, words
from cloche.engines.identity.entities import Credentials, Role, Session, Tags
from cloche.engines.identity.keys import Keys
from cloche.engines.identity.ledger import Ledger
from cloche.engines.identity.policy import (
    Named,
    Principal,
    Request,
    as_context,
    compile_document,
    evaluate,
    trust,
)
from cloche.engines.identity.policy.validate import validate_identity_policy
from cloche.engines.identity.rights import Rights
from cloche.engines.identity.things import Details, Things
from cloche.foundation.errors import Denied, Invalid, LimitReached

if TYPE_CHECKING:
    from cloche.engines.identity.account import AccountIdentity

JOB_SECONDS: Final = 12 * 3600
CHAINED_SECONDS_MAX: Final = 3600
SESSION_SECONDS: Final = 12 * 3600
SESSION_SECONDS_MAX: Final = 36 * 3600
ROOT_SESSION_SECONDS_MAX: Final = 3600
SESSION_NAME: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
PACKED_BYTES_MAX: Final = 1024
PLAIN_CHARACTERS_MAX: Final = 2048
POLICY_ARNS_MAX: Final = 10
TAGS_MAX: Final = 50
# Seen in coinbase/assume-role#24 and kreuzwerker/awsu#27.
CHAINED_TOO_LONG: Final = (
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
)
TOO_LONG: Final = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
# y13i/sgviz#9, aws/aws-cli#2279 and aws/aws-cli#6325.
MFA_BOTH: Final = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
MFA_CODE: Final = "MultiFactorAuthentication failed with invalid MFA one time pass code."
MFA_DEVICE: Final = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid "
    "and associated with this user."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller asks of a session. ``seconds``: as short or long as is usual, where it does not say."""

    seconds: int | None = None
    policies: Sequence[str] = ()
    policy_arns: Sequence[str] = ()
    tags: Tags = ()
    transitive: Sequence[str] = ()
    external_id: str | None = None
    source_identity: str = ""
    serial_number: str = ""
    token_code: str = ""
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further condition keys of the request."""


class Sessions:
    """Of one account: its roles' and its users'. ``others`` finds the account of a caller of elsewhere; ``region``
    is what a role's last use is noted under."""

    def __init__(
        self,
        ledger: Ledger,
        keys: Keys,
        rights: Rights,
        things: Things,
        region: str,
        others: Callable[[str], AccountIdentity | None],
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._rights = rights
        self._things = things
        self._region = region
        self._others = others

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
        return self._issue(role, session_name, seconds, Session(owner=role.id, by_machine=True))

    # -- callers -------------------------------------------------------------------------------------------

    def assume(self, caller: Credentials, role_arn: str, session_name: str, wanted: Wanted) -> Credentials:
        """Credentials of this account's role for ``caller``, for an hour unless it wants otherwise.

        Raises ``Denied`` for a role that is not there or does not trust the caller, in the same words; ``Invalid``
        for a session that is too long or tags that cannot be; ``MalformedPolicy`` for a session policy that is
        none; ``LimitReached`` for policies and tags that are too large.

        The root may assume what trusts its account. (AWS refuses root callers; here the root's key is the one
        everybody starts with.)
        """
        role = self._rights.role_of(role_arn)
        session = caller.session or Session()
        inherited = tuple(tag for tag in session.tags if tag[0] in session.transitive)
        tags, transitive = _tags(wanted, inherited)
        source = wanted.source_identity or session.source_identity
        theirs = self._theirs(caller)
        mfa_at = theirs.sessions.shown_code(caller, wanted.serial_number, wanted.token_code)
        asked = {
            **theirs.rights.context(caller.principal_arn, caller),
            **_asked(wanted, session_name, inherited, source),
            **({"aws:multifactorauthpresent": ("true",), "aws:multifactorauthage": ("0",)} if mfa_at else {}),
        }
        actions = ["sts:AssumeRole"]
        actions += ["sts:TagSession"] if wanted.tags or inherited else []
        actions += ["sts:SetSourceIdentity"] if source else []
        for action in actions:
            if role is None or not self._may(caller, theirs.rights, role, action, asked):
                raise words.may_not_assume(caller.principal_arn, role_arn, action=action)
        assert role is not None
        if session.source_identity and wanted.source_identity not in ("", session.source_identity):
            raise words.may_not_assume(caller.principal_arn, role_arn, action="sts:SetSourceIdentity")
        seconds = self._seconds(caller, role, wanted.seconds)
        made = Session(
            owner=role.id,
            policies=self._session_policies(wanted),
            tags=tags,
            transitive=transitive,
            source_identity=source,
            mfa_at=mfa_at if mfa_at is not None else session.mfa_at,
        )
        return self._issue(role, session_name, seconds, made)

    def _theirs(self, caller: Credentials) -> AccountIdentity:
        found = self._others(caller.account)
        if found is None:
            raise Denied("Access denied")
        return found

    def _may(
        self, caller: Credentials, theirs: Rights, role: Role, action: str, context: Mapping[str, Sequence[str]]
    ) -> bool:
        """The trust policy must let the caller in. Its own policies must as well, unless the trust policy names the
        caller itself and both are of one account; what they deny is denied in any case."""
        known = theirs.known(caller.principal_arn)
        found = trust(compile_document(role.trust), known.principal, action, context)
        if found is Named.NOT:
            return False
        decision = evaluate(Request(action, role.arn, context), theirs.of_caller(caller.principal_arn, caller))
        if found is Named.ITSELF and caller.account == self._ledger.account:
            return not decision.because.startswith("with an explicit deny")
        return decision.allowed

    def _seconds(self, caller: Credentials, role: Role, seconds: int | None) -> int:
        if seconds is None:
            return min(3600, role.session_seconds_max)
        if ":assumed-role/" in caller.principal_arn and seconds > CHAINED_SECONDS_MAX:
            raise Invalid(CHAINED_TOO_LONG, field="DurationSeconds")
        if seconds > role.session_seconds_max:
            raise Invalid(TOO_LONG, field="DurationSeconds")
        return seconds

    def _session_policies(self, wanted: Wanted) -> tuple[str, ...] | None:
        if not wanted.policies and not wanted.policy_arns:
            return None
        for document in wanted.policies:
            validate_identity_policy(document)
        if len(wanted.policy_arns) > POLICY_ARNS_MAX:
            raise Invalid(f"A session takes at most {POLICY_ARNS_MAX} managed policies.", field="PolicyArns")
        managed = [self._rights.document(arn) for arn in wanted.policy_arns]
        packed_percent(wanted)
        return (*wanted.policies, *managed)

    def _issue(self, role: Role, session_name: str, seconds: int, session: Session) -> Credentials:
        if SESSION_NAME.fullmatch(session_name) is None:
            raise Invalid(f"{session_name!r} is no name for a session", field="RoleSessionName")
        account = self._ledger.account
        arn = f"arn:aws:sts::{account}:assumed-role/{role.name}/{session_name}"
        user_id = f"{role.id}:{session_name}"
        return self._keys.issue(account, arn, user_id, seconds, session, role=role.id, region=self._region)

    # -- the caller itself ---------------------------------------------------------------------------------

    def of_caller(self, caller: Credentials, wanted: Wanted) -> Credentials:
        """Temporary credentials of the root or user itself (GetSessionToken): an hour at most for the root."""
        mfa_at = self.shown_code(caller, wanted.serial_number, wanted.token_code)
        session = Session(owner=_user_id(caller), parent_key=caller.access_key, mfa_at=mfa_at)
        seconds = self._own_seconds(caller, wanted.seconds)
        return self._keys.issue(caller.account, caller.principal_arn, caller.user_id, seconds, session)

    def federated(self, caller: Credentials, name: str, wanted: Wanted) -> Credentials:
        """Credentials of a federated user (GetFederationToken): what the caller may and the given policies allow,
        and without any policy nothing."""
        account = self._ledger.account
        session = Session(
            owner=_user_id(caller),
            parent_key=caller.access_key,
            policies=self._session_policies(wanted) or (),
            tags=_tags(wanted, ())[0],
            keys={"aws:federatedprovider": account},
        )
        arn = f"arn:aws:sts::{account}:federated-user/{name}"
        seconds = self._own_seconds(caller, wanted.seconds)
        return self._keys.issue(account, arn, f"{account}:{name}", seconds, session)

    def _own_seconds(self, caller: Credentials, seconds: int | None) -> int:
        longest = ROOT_SESSION_SECONDS_MAX if caller.principal_arn.endswith(":root") else SESSION_SECONDS_MAX
        return min(SESSION_SECONDS if seconds is None else seconds, longest)

    def shown_code(self, caller: Credentials, serial_number: str, code: str) -> float | None:
        """When the caller showed a one-time password: now, if it gave a right one; ``None`` if it gave none.

        Raises ``Denied`` for a device that is not the caller's and for a wrong or used code.
        """
        if not serial_number and not code:
            return None
        if not serial_number or not code:
            raise Denied(MFA_BOTH)
        name = serial_number.rpartition("/")[2]
        device = self._things.find("mfa-device", name)
        owner = _user_id(caller)
        if device is None or device.arn != serial_number or owner is None or device.owner != owner:
            raise Denied(MFA_DEVICE)
        now = self._ledger.clock.real()
        step = one_time.step_of(device.details["seed"], code, now, after=device.details.get("step", -1))
        if step is None:
            raise Denied(MFA_CODE)

        def used(details: Details) -> Details:
            if details.get("step", -1) >= step:
                raise Denied(MFA_CODE)
            return {**details, "step": step}

        self._things.change(device, used)
        return now

    # -- those whom a provider vouches for -----------------------------------------------------------------

    def web_identity(
        self, role_arn: str, session_name: str, token: str, wanted: Wanted
    ) -> tuple[Credentials, web_identity.Claims, str]:
        """Credentials of the role for the bearer of an OpenID Connect token; also what the token says, and the
        provider's ARN. Raises ``TokenRefused``, and ``Denied`` where the trust policy does not let the bearer in."""
        issuer = web_identity.issuer_of(token)
        provider = self._things.find("oidc-provider", web_identity.provider_name(issuer))
        if provider is None:
            raise web_identity.TokenRefused(f"No OpenIDConnect provider found in your account for {issuer}")
        claims = web_identity.verify(token, provider, self._ledger.clock.real())
        role = self._rights.role_of(role_arn)
        asked = {
            **claims.keys,
            **_asked(Wanted(tags=claims.tags, transitive=claims.transitive), session_name, (), claims.source_identity),
            "aws:federatedprovider": (provider.arn,),
            **wanted.context,
        }
        actions = ["sts:AssumeRoleWithWebIdentity"]
        actions += ["sts:TagSession"] if claims.tags else []
        actions += ["sts:SetSourceIdentity"] if claims.source_identity else []
        who = Principal(federated=provider.arn)
        for action in actions:
            if role is None or trust(compile_document(role.trust), who, action, asked) is Named.NOT:
                raise Denied(f"Not authorized to perform {action}")
        assert role is not None
        seconds = min(3600, role.session_seconds_max) if wanted.seconds is None else wanted.seconds
        if seconds > role.session_seconds_max:
            raise Invalid(TOO_LONG, field="DurationSeconds")
        session = Session(
            owner=role.id,
            policies=self._session_policies(wanted),
            tags=claims.tags,
            transitive=claims.transitive,
            source_identity=claims.source_identity,
            keys={**{key: values[0] for key, values in claims.keys.items()}, "aws:federatedprovider": provider.arn},
        )
        return self._issue(role, session_name, seconds, session), claims, provider.arn


def packed_percent(wanted: Wanted) -> int:
    """How much of a session's room its policies and tags take, in percent: PackedPolicySize.

    AWS does not tell how it packs. Here it is the deflated size of policies, ARNs and tags together, of 1,024 bytes.
    Raises ``LimitReached`` beyond 100.
    """
    if sum(map(len, wanted.policies)) > PLAIN_CHARACTERS_MAX:
        raise LimitReached(
            "Policy document is too large: the plain text of a session policy is at most "
            f"{PLAIN_CHARACTERS_MAX} characters"
        )
    text = json.dumps([*(" ".join(each.split()) for each in wanted.policies), *wanted.policy_arns, *wanted.tags])
    percent = -(-100 * len(zlib.compress(text.encode(), 9)) // PACKED_BYTES_MAX)
    if percent > 100:
        raise LimitReached(f"Packed policy consumes {percent}% of allotted space, please use smaller policy.")
    return percent


def _user_id(caller: Credentials) -> str | None:
    """The unique id of the user who calls; ``None`` for a root."""
    return caller.user_id if ":user/" in caller.principal_arn else None


def _asked(wanted: Wanted, session_name: str, inherited: Tags, source_identity: str) -> Mapping[str, Sequence[str]]:
    """The condition keys that a request for a session brings."""
    tags = (*inherited, *wanted.tags)
    pairs: list[tuple[str, str | Sequence[str]]] = [(f"aws:RequestTag/{key}", value) for key, value in tags]
    if tags:
        pairs.append(("aws:TagKeys", [key for key, _ in tags]))
    if wanted.transitive:
        pairs.append(("sts:TransitiveTagKeys", list(wanted.transitive)))
    if wanted.external_id is not None:
        pairs.append(("sts:ExternalId", wanted.external_id))
    if source_identity:
        pairs.append(("sts:SourceIdentity", source_identity))
    pairs.append(("sts:RoleSessionName", session_name))
    return {**as_context(pairs), **wanted.context}


def _tags(wanted: Wanted, inherited: Tags) -> tuple[Tags, tuple[str, ...]]:
    """The session's tags and which of them go on along a chain.
    docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html"""
    given = [key.lower() for key, _ in wanted.tags]
    if len(set(given)) != len(given):
        raise Invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.", field="Tags")
    if len(given) > TAGS_MAX:
        raise LimitReached(f"A session takes at most {TAGS_MAX} tags.")
    if {key.lower() for key, _ in inherited} & set(given):
        raise Invalid(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session.",
            field="Tags",
        )
    if not {key.lower() for key in wanted.transitive} <= set(given):
        raise Invalid("The specified transitive tag key must be included in the requested tags.", field="Tags")
    packed_percent(wanted)
    return (*inherited, *wanted.tags), (*(key for key, _ in inherited), *wanted.transitive)
