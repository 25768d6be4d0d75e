"""What identity keeps, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["role", "user"]
Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key that may sign. ``secret_key`` and ``session_token`` are secrets: never log one of these."""

    access_key: str
    secret_key: str
    session_token: str | None
    account: str
    principal_arn: str
    """A root's, user's or assumed role's ARN."""
    user_id: str
    expires_at: datetime | None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key}, {self.principal_arn})"

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Entity:
    """A role or a user."""

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
    """A managed policy. ``id`` and ``created_at`` of AWS's own are not known, and ``None``."""

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
