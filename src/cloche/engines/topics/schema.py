"""The tables of topics; topics themselves are records.

``topic_published`` remembers what was published to a FIFO topic under a deduplication id, for five minutes; its rows'
ids are the sequence numbers. ``topic_deliveries`` is what is owed to endpoints outside of this database: written with
the message, removed when the endpoint has taken it or it was given up. ``topic_mails`` is the outbox of e-mail.
"""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "topics-1",
        """
        CREATE TABLE topic_subscriptions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            arn TEXT NOT NULL UNIQUE,
            topic_arn TEXT NOT NULL,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            protocol TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            attributes TEXT NOT NULL,
            principal TEXT NOT NULL,
            token TEXT NOT NULL,
            pending INTEGER NOT NULL,
            authenticated INTEGER NOT NULL,
            signed_unsubscribe INTEGER NOT NULL DEFAULT 0,
            created_at REAL NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX topic_subscriptions_by_endpoint ON topic_subscriptions (topic_arn, protocol, endpoint);
        CREATE INDEX topic_subscriptions_by_account ON topic_subscriptions (account, region, id);
        CREATE INDEX topic_subscriptions_pending ON topic_subscriptions (created_at) WHERE pending;
        CREATE TABLE topic_published (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            topic_arn TEXT NOT NULL,
            scope TEXT NOT NULL,
            deduplication TEXT NOT NULL,
            message_id TEXT NOT NULL,
            expires_at REAL NOT NULL
        ) STRICT;
        CREATE INDEX topic_published_by_id ON topic_published (topic_arn, scope, deduplication);
        CREATE INDEX topic_published_by_time ON topic_published (expires_at);
        CREATE TABLE topic_deliveries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            topic_arn TEXT NOT NULL,
            subscription_arn TEXT NOT NULL,
            protocol TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            parcel TEXT NOT NULL,
            accepted_at REAL NOT NULL,
            due_at REAL NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE INDEX topic_deliveries_by_time ON topic_deliveries (due_at, id);
        CREATE TABLE topic_mails (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            topic_arn TEXT NOT NULL,
            recipient TEXT NOT NULL,
            subject TEXT NOT NULL,
            body TEXT NOT NULL,
            written_at REAL NOT NULL,
            sent_at REAL
        ) STRICT;
        CREATE INDEX topic_mails_of_account ON topic_mails (account, region, id);
        """,
    ),
]
