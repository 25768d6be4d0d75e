"""IAM's entities and everybody's keys, as tables.

Names of users, roles and policies are unique in any case, so their columns compare without it (source:
docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html). What a role and a user have alike (inline
policies, attachments) is kept in one table for both, with ``kind`` telling which.
"""

from typing import Final

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "identity-1",
        """
CREATE TABLE iam_entities (
    kind TEXT NOT NULL CHECK (kind IN ('role', 'user')),
    name TEXT NOT NULL COLLATE NOCASE,
    path TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    tags TEXT NOT NULL,
    boundary TEXT,
    description TEXT,
    trust TEXT,
    session_seconds_max INTEGER,
    used_at REAL,
    used_region TEXT,
    PRIMARY KEY (kind, name)
) STRICT;
CREATE TABLE iam_policies (
    name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,
    path TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    description TEXT,
    tags TEXT NOT NULL,
    default_version INTEGER NOT NULL,
    latest_version INTEGER NOT NULL
) STRICT;
CREATE TABLE iam_policy_versions (
    name TEXT NOT NULL COLLATE NOCASE REFERENCES iam_policies (name) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE iam_inline_policies (
    kind TEXT NOT NULL,
    owner TEXT NOT NULL COLLATE NOCASE,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, owner, name),
    FOREIGN KEY (kind, owner) REFERENCES iam_entities (kind, name)
) STRICT;
CREATE TABLE iam_attachments (
    kind TEXT NOT NULL,
    owner TEXT NOT NULL COLLATE NOCASE,
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (kind, owner, policy_arn),
    FOREIGN KEY (kind, owner) REFERENCES iam_entities (kind, name)
) STRICT;
CREATE INDEX iam_attachments_by_policy ON iam_attachments (policy_arn);
CREATE TABLE identity_keys (
    access_key TEXT NOT NULL PRIMARY KEY,
    secret_key TEXT NOT NULL,
    user TEXT COLLATE NOCASE,
    active INTEGER NOT NULL,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX identity_keys_by_user ON identity_keys (user);
CREATE TABLE identity_sessions (
    access_key TEXT NOT NULL PRIMARY KEY,
    secret_key TEXT NOT NULL,
    session_token TEXT NOT NULL,
    principal_arn TEXT NOT NULL,
    user_id TEXT NOT NULL,
    policies TEXT,
    issued_at REAL NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
CREATE INDEX identity_sessions_by_expiry ON identity_sessions (expires_at);
""",
    ),
]
