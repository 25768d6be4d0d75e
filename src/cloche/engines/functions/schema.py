"""The tables of functions. Times are seconds since 1970; documents are JSON of what ``plan`` declares."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "functions-1",
        """
        CREATE TABLE functions (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            created_at REAL NOT NULL,
            last_version INTEGER NOT NULL,
            reserved INTEGER,
            PRIMARY KEY (account, region, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE function_versions (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            number INTEGER NOT NULL,
            code TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, number)
        ) STRICT;
        CREATE INDEX function_versions_by_code ON function_versions (code);
        CREATE TABLE function_aliases (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            alias TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, alias)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE function_statements (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            resource TEXT NOT NULL,
            qualifier TEXT NOT NULL,
            sid TEXT NOT NULL,
            position INTEGER NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (account, region, resource, qualifier, sid)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE function_event_configs (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            qualifier TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, qualifier)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE function_layers (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            last_version INTEGER NOT NULL,
            PRIMARY KEY (account, region, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE function_layer_versions (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            number INTEGER NOT NULL,
            code TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, number)
        ) STRICT;
        CREATE INDEX function_layer_versions_by_code ON function_layer_versions (code);
        CREATE TABLE function_events (
            id TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            qualifier TEXT NOT NULL,
            payload BLOB NOT NULL,
            created_at REAL NOT NULL,
            due_at REAL NOT NULL,
            attempts INTEGER NOT NULL,
            delays INTEGER NOT NULL,
            outcome TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX function_events_by_time ON function_events (due_at);
        CREATE TABLE function_logs (process TEXT PRIMARY KEY, taken INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        """,
    ),
    (
        "functions-2",
        """
        CREATE TABLE function_mappings (
            id TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            source TEXT NOT NULL,
            document TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
    ),
]
