"""From documents and a request to a decision: explicit deny, then allow, then implicit deny.

Within an account a request is allowed if no applicable statement denies it, an identity policy allows it, and so
do the permissions boundary and the session policies where there are any.
Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from cloche.engines.identity.policy.conditions import Context
from cloche.engines.identity.policy.document import Document, Statement
from cloche.engines.identity.policy.principals import Named, Principal, named


class Outcome(Enum):
    """Values are those of IAM's ``PolicyEvaluationDecisionType``."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, slots=True)
class Source:
    """A document with where it comes from, in the words of IAM's simulator."""

    id: str
    """``role_MyRole_Inline``, ``AmazonS3FullAccess``, ``PolicyInputList.1`` …"""
    kind: str
    """One of ``user``, ``role``, ``aws-managed``, ``user-managed``, ``resource``, ``none``."""
    document: Document


@dataclass(frozen=True, slots=True)
class Request:
    """``action`` as ``s3:GetObject``, ``resource`` an ARN or ``*``; ``context`` has its keys in lower case."""

    action: str
    resource: str
    context: Context


@dataclass(frozen=True, slots=True)
class Decision:
    outcome: Outcome
    because: str = ""
    """Empty when allowed; else what AWS says after "because" in its own message."""
    matched: tuple[Source, ...] = ()
    """Where the deciding statements are, one entry for each of them."""
    missing: frozenset[str] = frozenset()
    """Condition keys that statements about this action and resource ask for and the request did not bring."""
    boundary_allows: bool | None = None
    """Whether the permissions boundary lets it through; ``None`` where there is none."""

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOWED


@dataclass(frozen=True, slots=True)
class Policies:
    """All that applies to a principal. ``boundary`` and ``session`` are ``None`` where there is none."""

    identity: tuple[Source, ...] = ()
    boundary: tuple[Source, ...] | None = None
    session: tuple[Source, ...] | None = None


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide ``request`` under ``policies``."""
    identity = _scan(request, policies.identity)
    boundary = None if policies.boundary is None else _scan(request, policies.boundary)
    session = None if policies.session is None else _scan(request, policies.session)
    limits = [each for each in (boundary, session) if each is not None]
    missing = identity.missing.union(*(each.missing for each in limits))
    let = None if boundary is None else bool(boundary.allowing) and not boundary.denying
    for found, kind in ((identity, "an identity-based policy"), (boundary, "a permissions boundary"),
                        (session, "a session policy")):  # fmt: skip
        if found is not None and found.denying:
            reason = f"with an explicit deny in {kind}"
            return Decision(Outcome.EXPLICIT_DENY, reason, found.denying, missing, let)
    if not identity.allowing:
        return _implicit("no identity-based policy", request, missing, let)
    if boundary is not None and not boundary.allowing:
        return _implicit("no permissions boundary", request, missing, let)
    if session is not None and not session.allowing:
        return _implicit("no session policy", request, missing, let)
    return Decision(Outcome.ALLOWED, "", identity.allowing, missing, let)


def _implicit(lack: str, request: Request, missing: frozenset[str], let: bool | None) -> Decision:
    reason = f"because {lack} allows the {request.action} action"
    return Decision(Outcome.IMPLICIT_DENY, reason, (), missing, let)


def trust(document: Document, who: Principal, action: str, context: Context) -> Named:
    """How a trust policy lets ``who`` do ``action`` (``sts:AssumeRole`` …): not, by account, or by name."""
    best = Named.NOT
    for statement in document.covering(action.lower()):
        found = named(statement.principals, who)
        if found is Named.NOT or not _conditions_hold(statement, context):
            continue
        if not statement.allows:
            return Named.NOT
        if found is Named.ITSELF or best is Named.NOT:
            best = found
    return best


@dataclass(frozen=True, slots=True)
class _Scan:
    allowing: tuple[Source, ...]
    denying: tuple[Source, ...]
    missing: frozenset[str]


_NOTHING: frozenset[str] = frozenset()


def _scan(request: Request, sources: Sequence[Source]) -> _Scan:
    action, resource, context = request.action.lower(), request.resource, request.context
    allowing: list[Source] = []
    denying: list[Source] = []
    missing = _NOTHING
    for source in sources:
        for statement in source.document.covering(action):
            if statement.resources is not None and not statement.resources.cover(resource, context):
                continue
            if statement.keys and not statement.keys <= context.keys():
                missing = missing.union(key for key in statement.keys if key not in context)
            if _conditions_hold(statement, context):
                (allowing if statement.allows else denying).append(source)
    return _Scan(tuple(allowing), tuple(denying), missing)


def _conditions_hold(statement: Statement, context: Context) -> bool:
    return all(clause.holds(context) for clause in statement.conditions)


def as_context(pairs: Iterable[tuple[str, str | Sequence[str]]]) -> dict[str, tuple[str, ...]]:
    """Condition keys and values in the form that decisions want: keys in lower case, values as tuples."""
    return {key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in pairs}
