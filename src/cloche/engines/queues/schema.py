"""The tables of queues.

``queue_messages`` is what changes with every receive, ``queue_bodies`` what never does: an update rewrites the whole
row, and a body may be a mebibyte. The id is the order of sending. A message is to be had while ``visible_at`` has
passed; it is in flight while it has not and the message has been received before, else it is delayed.

``queue_groups`` has a row for each group of a FIFO queue that holds messages: its first message, and from when on the
next may be had. So a receive looks at groups, of which a blocked one costs one row however long it is.

``queue_sent`` remembers what was sent under a deduplication id, ``queue_attempts`` what was received under an
attempt's id, both for five minutes. ``queues_deleted`` remembers names for a minute.
"""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "queues-1",
        """
        CREATE TABLE queues (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            created_at REAL NOT NULL,
            modified_at REAL NOT NULL,
            purged_at REAL NOT NULL DEFAULT 0,
            attributes TEXT NOT NULL,
            settings TEXT NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX queues_by_name ON queues (account, region, name);
        CREATE TABLE queues_deleted (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (account, region, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE queue_messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            queue_id INTEGER NOT NULL REFERENCES queues ON DELETE CASCADE,
            grp TEXT NOT NULL,
            sent_at REAL NOT NULL,
            visible_at REAL NOT NULL,
            receives INTEGER NOT NULL DEFAULT 0,
            first_received_at REAL,
            receipt TEXT NOT NULL DEFAULT ''
        ) STRICT;
        CREATE INDEX queue_messages_by_time ON queue_messages (queue_id, visible_at, id);
        CREATE INDEX queue_messages_by_age ON queue_messages (queue_id, sent_at);
        CREATE INDEX queue_messages_of_group ON queue_messages (queue_id, grp, id) WHERE grp <> '';
        CREATE INDEX queue_messages_received ON queue_messages (queue_id, grp, visible_at) WHERE receives > 0;
        CREATE TABLE queue_bodies (
            id INTEGER PRIMARY KEY REFERENCES queue_messages ON DELETE CASCADE,
            body TEXT NOT NULL,
            details TEXT NOT NULL
        ) STRICT;
        CREATE TABLE queue_groups (
            queue_id INTEGER NOT NULL REFERENCES queues ON DELETE CASCADE,
            grp TEXT NOT NULL,
            head INTEGER NOT NULL,
            available_at REAL NOT NULL,
            PRIMARY KEY (queue_id, grp)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX queue_groups_by_head ON queue_groups (queue_id, head, available_at);
        CREATE INDEX queue_groups_by_time ON queue_groups (queue_id, available_at);
        CREATE TABLE queue_sent (
            queue_id INTEGER NOT NULL REFERENCES queues ON DELETE CASCADE,
            scope TEXT NOT NULL,
            deduplication TEXT NOT NULL,
            expires_at REAL NOT NULL,
            message_id TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            PRIMARY KEY (queue_id, scope, deduplication)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX queue_sent_by_time ON queue_sent (queue_id, expires_at);
        CREATE TABLE queue_attempts (
            queue_id INTEGER NOT NULL REFERENCES queues ON DELETE CASCADE,
            attempt TEXT NOT NULL,
            expires_at REAL NOT NULL,
            received TEXT NOT NULL,
            PRIMARY KEY (queue_id, attempt)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
]
