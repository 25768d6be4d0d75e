"""What identity keeps, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["role", "user", "group", "instance-profile"]
Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Account:
    """An account that this installation holds."""

    number: str
    name: str
    created_at: datetime
    settings: Mapping[str, Any]
    """What is set for all of it: ``alias``, ``password_policy``, ``report`` …"""


@dataclass(frozen=True, slots=True)
class Session:
    """What temporary credentials carry besides their principal."""

    owner: str | None = None
    """The unique id of the role or user whose permissions they have; ``None`` for a root's."""
    parent_key: str | None = None
    """The long-term key of the same principal that asked for them: they end with it."""
    policies: tuple[str, ...] | None = None
    """Session policies, as documents. ``None``: not bounded. Empty: nothing is allowed."""
    tags: Tags = ()
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    mfa_at: float | None = None
    """When a one-time password was shown for them, in seconds since 1970."""
    issued_at: float = 0.0
    by_machine: bool = False
    """Handed to a process: they expire by the machine's clock, as the process counts, and not by Cloche's."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Condition keys that they bring along: those of a web identity (``host:sub``), ``aws:federatedprovider``."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key that may sign. ``secret_key`` and ``session_token`` are secrets: never log one of these."""

    access_key: str
    secret_key: str
    session_token: str | None
    account: str
    principal_arn: str
    """A root's, user's, assumed role's or federated user's ARN."""
    user_id: str
    expires_at: datetime | None
    session: Session | None = None
    """``None`` for long-term keys."""

    def __repr__(self) -> str:
        return f"Credentials({self.access_key}, {self.principal_arn})"

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Entity:
    """A role, user, group or instance profile."""

    kind: Kind
    name: str
    path: str
    id: str
    arn: str
    created_at: datetime
    tags: Tags
    boundary: str | None
    """ARN of the policy that bounds its permissions."""


@dataclass(frozen=True, slots=True)
class Role(Entity):
    description: str | None
    trust: str
    """Who may assume it: a policy document."""
    session_seconds_max: int
    used_at: datetime | None
    used_region: str | None


@dataclass(frozen=True, slots=True)
class User(Entity):
    pass


@dataclass(frozen=True, slots=True)
class Policy:
    """A managed policy. ``id`` of AWS's own is not known, and ``None``."""

    arn: str
    name: str
    path: str
    id: str | None
    description: str | None
    created_at: datetime | None
    updated_at: datetime
    default_version: int
    tags: Tags
    attachments: int
    boundaries: int
    """How many entities have it as their boundary."""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    version: int
    document: str
    is_default: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AccessKey:
    access_key: str
    user: str
    active: bool
    created_at: datetime
    used_at: datetime | None = None
    used_region: str = ""
    used_service: str = ""


@dataclass(frozen=True, slots=True)
class Thing:
    """Anything of IAM's that is neither a principal nor a policy: devices, providers, certificates, profiles."""

    kind: str
    name: str
    path: str
    id: str
    arn: str
    owner: str | None
    """Unique id of the user it belongs to."""
    created_at: datetime
    tags: Tags
    details: Mapping[str, Any]
