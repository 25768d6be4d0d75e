"""The one place where a request that is known to be somebody's is let through or not.

As of now every principal that could sign is let through: the account's root, users and assumed roles alike. The
stored policies are evaluated for those who ask (``SimulatePrincipalPolicy``, ``AssumeRole`` and what roles trust
services with), but they do not yet stop a request; only somebody who did not sign is refused. Enforcement will
replace the body of ``decide`` by a call of ``Identity.authorize``, and nothing else has to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from cloche.engines.identity.policy import Decision, Outcome

NEVER_SIGNED: Final = frozenset(
    {
        *("sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"),
        *("sns:ConfirmSubscription", "sns:Unsubscribe"),
    }
)
"""``authtype`` "none" in botocore's sts model, and the links in SNS's notifications."""


_ALLOWED: Final = Decision(Outcome.ALLOWED)


class Asked(NamedTuple):
    """What is to be decided. ``action`` as ``sagemaker:CreateTrainingJob``, ``resource`` an ARN or ``*``."""

    caller_arn: str
    access_key: str
    anonymous: bool
    action: str
    resource: str = "*"
    context: Mapping[str, Sequence[str]] | None = None


class Authorizer(Protocol):
    """What the server's chain calls for each request, after parsing and before the handler."""

    def __call__(self, asked: Asked) -> Decision: ...


def decide(asked: Asked) -> Decision:
    """Allowed for everybody who signed; implicitly denied for the anonymous, but for what is never signed because
    it carries a proof of its own. See the module's docstring."""
    if asked.anonymous and asked.action not in NEVER_SIGNED:
        return Decision(Outcome.IMPLICIT_DENY, f"because no identity-based policy allows the {asked.action} action")
    return _ALLOWED


def denied_message(asked: Asked, decision: Decision) -> str:
    """AWS's sentence for a request that is not allowed (seen in aws/aws-cdk#32294 and
    aws/amazon-sagemaker-feedback#88)."""
    who = asked.caller_arn or "anonymous"
    return (
        f"User: {who} is not authorized to perform: {asked.action} on resource: {asked.resource} {decision.because}"
    ).rstrip()
