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
    (
        # Several accounts. What a principal holds hangs on its id, so that a name can change. Rows of before belong
        # to the account that the server is started for: it puts its number where there is none.
        "identity-2",
        """
CREATE TABLE iam_accounts (
    account TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    settings TEXT NOT NULL
) STRICT;
CREATE TABLE iam_principals (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    path TEXT NOT NULL,
    id TEXT NOT NULL PRIMARY KEY,
    created_at REAL NOT NULL,
    tags TEXT NOT NULL,
    boundary TEXT,
    description TEXT,
    trust TEXT,
    session_seconds_max INTEGER,
    used_at REAL,
    used_region TEXT,
    UNIQUE (account, kind, name)
) STRICT;
CREATE INDEX iam_principals_by_boundary ON iam_principals (boundary) WHERE boundary IS NOT NULL;
CREATE TABLE iam_inline (
    owner TEXT NOT NULL REFERENCES iam_principals (id),
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (owner, name)
) STRICT;
CREATE TABLE iam_attached (
    owner TEXT NOT NULL REFERENCES iam_principals (id),
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (owner, policy_arn)
) STRICT;
CREATE INDEX iam_attached_by_policy ON iam_attached (policy_arn);
CREATE TABLE iam_members (
    holder TEXT NOT NULL REFERENCES iam_principals (id),
    member TEXT NOT NULL REFERENCES iam_principals (id),
    PRIMARY KEY (holder, member)
) STRICT;
CREATE INDEX iam_members_by_member ON iam_members (member);
CREATE TABLE iam_managed (
    account TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    path TEXT NOT NULL,
    id TEXT NOT NULL PRIMARY KEY,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    description TEXT,
    tags TEXT NOT NULL,
    default_version INTEGER NOT NULL,
    latest_version INTEGER NOT NULL,
    UNIQUE (account, name)
) STRICT;
CREATE TABLE iam_managed_versions (
    policy TEXT NOT NULL REFERENCES iam_managed (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (policy, version)
) STRICT;
CREATE TABLE iam_keys (
    access_key TEXT NOT NULL PRIMARY KEY,
    secret_key TEXT NOT NULL,
    account TEXT NOT NULL,
    owner TEXT REFERENCES iam_principals (id),
    active INTEGER NOT NULL,
    created_at REAL NOT NULL,
    used_at REAL,
    used_region TEXT,
    used_service TEXT
) STRICT;
CREATE INDEX iam_keys_by_owner ON iam_keys (owner);
CREATE TABLE iam_sessions (
    access_key TEXT NOT NULL PRIMARY KEY,
    secret_key TEXT NOT NULL,
    session_token TEXT NOT NULL,
    account TEXT NOT NULL,
    principal_arn TEXT NOT NULL,
    user_id TEXT NOT NULL,
    owner TEXT,
    parent_key TEXT,
    facts TEXT NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
CREATE INDEX iam_sessions_by_expiry ON iam_sessions (expires_at);
CREATE INDEX iam_sessions_by_owner ON iam_sessions (owner);
CREATE INDEX iam_sessions_by_parent ON iam_sessions (parent_key);
CREATE TABLE iam_things (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    path TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT REFERENCES iam_principals (id),
    created_at REAL NOT NULL,
    tags TEXT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (account, kind, name)
) STRICT;
CREATE INDEX iam_things_by_owner ON iam_things (owner, kind) WHERE owner IS NOT NULL;
INSERT INTO iam_principals SELECT '', kind, name, path, id, created_at, tags, boundary, description, trust,
    session_seconds_max, used_at, used_region FROM iam_entities;
INSERT INTO iam_inline SELECT e.id, i.name, i.document
    FROM iam_inline_policies i JOIN iam_entities e ON e.kind = i.kind AND e.name = i.owner;
INSERT INTO iam_attached SELECT e.id, a.policy_arn
    FROM iam_attachments a JOIN iam_entities e ON e.kind = a.kind AND e.name = a.owner;
INSERT INTO iam_managed SELECT '', name, path, id, created_at, updated_at, description, tags, default_version,
    latest_version FROM iam_policies;
INSERT INTO iam_managed_versions SELECT p.id, v.version, v.document, v.created_at
    FROM iam_policy_versions v JOIN iam_policies p ON p.name = v.name;
INSERT INTO iam_keys SELECT k.access_key, k.secret_key, '', e.id, k.active, k.created_at, NULL, NULL, NULL
    FROM identity_keys k LEFT JOIN iam_entities e ON e.kind = 'user' AND e.name = k.user;
INSERT INTO iam_sessions SELECT s.access_key, s.secret_key, s.session_token, '', s.principal_arn, s.user_id, e.id, NULL,
    json_object('policies', json(s.policies), 'issued_at', s.issued_at), s.expires_at
    FROM identity_sessions s LEFT JOIN iam_entities e ON e.id = substr(s.user_id, 1, 21);
DROP TABLE identity_sessions;
DROP TABLE identity_keys;
DROP TABLE iam_attachments;
DROP TABLE iam_inline_policies;
DROP TABLE iam_policy_versions;
DROP TABLE iam_policies;
DROP TABLE iam_entities;
""",
    ),
]
