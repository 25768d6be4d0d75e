"""Tags of anything that has an ARN. Rules about them (how many, which keys) are the services' matter.

Two tables. ``tags`` holds the pairs, with the account and region they count for, so that keys, values and resources
of a tag are found in order of an index. ``tagged`` names every resource that has had a tag, and keeps it until the
resource goes: AWS's search tells of those that were tagged before, too (see ``tag_index``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

GLOBAL_REGION: Final = "us-east-1"
"""Where what has no region is found: docs.aws.amazon.com/tag-editor/latest/userguide/find-resources-to-tag.html"""

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "tags-1",
        """
        CREATE TABLE tagged (
            arn TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            service TEXT NOT NULL,
            type TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tagged_by_home ON tagged (account, region, arn);
        ALTER TABLE tags ADD COLUMN account TEXT NOT NULL DEFAULT '';
        ALTER TABLE tags ADD COLUMN region TEXT NOT NULL DEFAULT '';
        UPDATE tags SET
            account = json_extract('["' || replace(arn, ':', '","') || '"]', '$[4]'),
            region = coalesce(nullif(json_extract('["' || replace(arn, ':', '","') || '"]', '$[3]'), ''), 'us-east-1');
        INSERT INTO tagged SELECT DISTINCT arn, account, region,
            json_extract('["' || replace(arn, ':', '","') || '"]', '$[2]'),
            json_extract('["' || replace(replace(arn, ':', '","'), '/', '","') || '"]', '$[5]') FROM tags;
        CREATE INDEX tags_by_key ON tags (account, region, key, arn, value);
        CREATE INDEX tags_by_value ON tags (account, region, key, value);
        """,
    ),
]


def read(connection: sqlite3.Connection, arn: str) -> list[tuple[str, str]]:
    """(key, value) pairs in the order of their keys."""
    rows = connection.execute("SELECT key, value FROM tags WHERE arn = ? ORDER BY key", (arn,))
    return [(row[0], row[1]) for row in rows]


def put(tx: sqlite3.Connection, arn: str, tags: Iterable[tuple[str, str]]) -> None:
    """Add tags; a key that is there gets the new value. The ARN tells account and region (a bucket's does not: see
    ``engines/tagging/following``)."""
    pairs = list(tags)
    if not pairs:
        return
    _, _, service, in_region, account, resource = arn.split(":", 5)
    region, kind = in_region or GLOBAL_REGION, resource.replace("/", ":").partition(":")[0]
    tx.execute("INSERT OR IGNORE INTO tagged VALUES (?, ?, ?, ?, ?)", (arn, account, region, service, kind))
    tx.executemany(
        "INSERT INTO tags (arn, key, value, account, region) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
        [(arn, key, value, account, region) for key, value in pairs],
    )


def remove(tx: sqlite3.Connection, arn: str, keys: Iterable[str]) -> None:
    """Take tags away; keys that are not there are passed over."""
    tx.executemany("DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in keys])


def remove_all(tx: sqlite3.Connection, arn: str) -> None:
    """The resource goes, and nothing remembers that it was tagged."""
    tx.execute("DELETE FROM tags WHERE arn = ?", (arn,))
    tx.execute("DELETE FROM tagged WHERE arn = ?", (arn,))
