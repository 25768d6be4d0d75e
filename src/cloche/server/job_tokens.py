"""Tokens with which jobs fetch the credentials of their role.

An engine registers a job with its role and gives the job's environment an address and a token. Only a digest of
the token is kept, so the database gives nobody credentials; it is compared in constant time. Keys last hours; the
job's SDK comes back for new ones, so credentials outlast any job that runs, and end with it when it is forgotten.
"""

from __future__ import annotations

import hmac
import secrets
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, Protocol

from cloche.foundation.clock import Clock, to_iso
from cloche.storage.metadata.database import Database

CREDENTIALS_PATH: Final = "/_cloche/credentials/"
KEPT_MAX: Final = 1_000
_INSERT: Final = "INSERT OR REPLACE INTO job_tokens VALUES (?, ?, ?, ?, ?)"

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
    """The identity engine, as far as jobs need it."""

    def job_credentials(self, role_arn: str, session_name: str) -> Any: ...


class JobTokens:
    """Also the ``JobCredentials`` that engines are handed: each job's and model server's way to its role's keys.

    ``url`` is the server's address as seen from inside a job: jobs share this machine's network.
    """

    def __init__(self, database: Database, clock: Clock, identity: JobIdentity, url: str) -> None:
        self._database = database
        self._clock = clock
        self._identity = identity
        self._url = url
        self._kept: OrderedDict[str, str] = OrderedDict()
        """Tokens of jobs that were made and have not begun."""

    def keep(self, tx: sqlite3.Connection, name: str, role_arn: str, session_name: str) -> None:
        """In the transaction that makes a job: what it is ``promised`` is then on the disk already."""
        token = secrets.token_urlsafe(32)
        tx.execute(_INSERT, self._row(name, token, role_arn, session_name))
        self._kept[name] = token
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)

    def environment(self, name: str, role_arn: str, session_name: str) -> Mapping[str, str]:
        """What the SDKs inside read to find Cloche and the keys of ``role_arn``. ``name`` is unique and safe in a
        URL; an earlier answer for it is void."""
        environment, wait = self.promised(name, role_arn, session_name)
        wait()
        return environment

    def promised(self, name: str, role_arn: str, session_name: str) -> tuple[Mapping[str, str], Callable[[], None]]:
        """The same, and a function that returns once it is on the disk."""
        kept = self._kept.pop(name, "")
        token = kept or secrets.token_urlsafe(32)
        row = self._row(name, token, role_arn, session_name)
        written = None if kept else self._database.submit(lambda tx: tx.execute(_INSERT, row) and None)
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self._url}{CREDENTIALS_PATH}{name}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
            "AWS_ENDPOINT_URL": self._url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

        def wait() -> None:
            if written is not None:
                written.result()

        return environment, wait

    def _row(self, name: str, token: str, role_arn: str, session_name: str) -> tuple[str, bytes, str, str, float]:
        return name, sha256(token.encode()).digest(), role_arn, session_name, self._clock.time()

    def drop(self, tx: sqlite3.Connection, name: str) -> None:
        """In the transaction that ends the job: its token gives nothing any more."""
        tx.execute("DELETE FROM job_tokens WHERE name = ?", (name,))
        self._kept.pop(name, None)

    def forget(self, name: str) -> None:
        """The same, where the end did not."""
        if self._database.reader.execute("SELECT 1 FROM job_tokens WHERE name = ?", (name,)).fetchone() is not None:
            self._database.submit(lambda tx: self.drop(tx, name), along=True).result()

    def names(self, prefix: str) -> list[str]:
        """Those that begin so."""
        asked = "SELECT name FROM job_tokens WHERE substr(name, 1, ?) = ?"
        return [row["name"] for row in self._database.reader.execute(asked, (len(prefix), prefix))]

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
