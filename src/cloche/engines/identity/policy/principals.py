"""Who asks, and whether a ``Principal`` element means them.

A statement that names an account (or its root) delegates: it means every principal of the account, but it is
then for their own policies to allow the action as well. One that names a role, a user or a session grants by
itself, within the account. Source: docs.aws.amazon.com/IAM/latest/UserGuide/
reference_policies_elements_principal.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cloche.engines.identity.policy.document import Principals


class Named(Enum):
    """How a ``Principal`` element means somebody."""

    NOT = "not at all"
    BY_ACCOUNT = "as one of an account, or as one of everybody"
    ITSELF = "by its own name"


@dataclass(frozen=True, slots=True)
class Principal:
    """``arn`` is a user's, an account root's or a session's; a session also knows its ``role_arn``."""

    arn: str = ""
    account: str = ""
    role_arn: str = ""
    service: str = ""
    """``sagemaker.amazonaws.com``: a service that acts by itself."""
    federated: str = ""
    """The provider (ARN or host) that vouches for somebody."""

    @property
    def is_root(self) -> bool:
        return self.arn.endswith(":root")


def named(principals: Principals | None, who: Principal) -> Named:
    """Whether, and how, the listed ``principals`` mean ``who``. A statement without any means nobody."""
    if principals is None:
        return Named.NOT
    found = _listed(principals, who)
    if not principals.negated:
        return found
    return Named.ITSELF if found is Named.NOT else Named.NOT


def _listed(principals: Principals, who: Principal) -> Named:
    ids = principals.ids
    if who.service and who.service in ids.get("Service", ()):
        return Named.ITSELF
    if who.federated and who.federated in ids.get("Federated", ()):
        return Named.ITSELF
    listed = ids.get("AWS", ())
    if who.arn and (who.arn in listed or (who.role_arn and who.role_arn in listed)):
        return Named.BY_ACCOUNT if who.is_root else Named.ITSELF
    if "*" in listed:
        return Named.BY_ACCOUNT
    if who.account and (who.account in listed or f"arn:aws:iam::{who.account}:root" in listed):
        return Named.BY_ACCOUNT
    return Named.NOT
