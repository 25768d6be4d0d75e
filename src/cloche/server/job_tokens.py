"""Tokens with which jobs fetch the credentials of their role.

An engine registers a job with its role and gives the job's environment an address and a token. Only a digest of
the token is kept, so the database gives nobody credentials; it is compared in constant time. Keys last hours; the
job's SDK comes back for new ones, so credentials outlast any job that runs, and end with it when it is forgotten.
"""

from __future__ import annotations

import hmac
import secrets
import sqlite3
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from cloche.foundation.clock import Clock, to_iso
from cloche.storage.metadata.database import Database

MIGRATIONS = [
    (
        "server_0001_job_tokens",
        """CREATE TABLE job_tokens (
    name TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    role_arn TEXT NOT NULL,
    session_name TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;
""",
    )
]


class JobIdentity(Protocol):
    def job_credentials(self, role_arn: str, session_name: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class JobToken:
    """``path`` is under the server's address; ``token`` is the Authorization header the SDK is to send."""

    path: str
    token: str

    def environment(self, url: str) -> dict[str, str]:
        """What the SDKs inside the job read. ``url`` is the server's address as seen from there."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url + self.path,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.token,
        }


class JobTokens:
    def __init__(self, database: Database, clock: Clock, identity: JobIdentity) -> None:
        self._database = database
        self._clock = clock
        self._identity = identity

    def register(self, tx: sqlite3.Connection, name: str, role_arn: str, session_name: str) -> JobToken:
        """A new token for the job called ``name`` (unique, safe in a URL); an earlier one of it is void."""
        token = secrets.token_urlsafe(32)
        tx.execute(
            "INSERT OR REPLACE INTO job_tokens VALUES (?, ?, ?, ?, ?)",
            (name, sha256(token.encode()).digest(), role_arn, session_name, self._clock.time()),
        )
        return JobToken(f"/_cloche/credentials/{name}", token)

    def forget(self, tx: sqlite3.Connection, name: str) -> None:
        tx.execute("DELETE FROM job_tokens WHERE name = ?", (name,))

    def credentials(self, name: str, token: str) -> dict[str, str] | None:
        """Temporary keys in the form the SDKs' container provider expects; ``None`` for a wrong name or token."""
        row = self._database.reader.execute("SELECT * FROM job_tokens WHERE name = ?", (name,)).fetchone()
        digest = sha256(token.encode()).digest()
        if not hmac.compare_digest(digest, row["digest"] if row is not None else bytes(32)) or row is None:
            return None
        found = self._identity.job_credentials(row["role_arn"], row["session_name"])
        return {
            "RoleArn": row["role_arn"],
            "AccessKeyId": found.access_key,
            "SecretAccessKey": found.secret_key,
            "Token": found.session_token,
            "Expiration": to_iso(found.expires_at),
        }
