"""The tables of the object store.

``objects`` is clustered by (bucket, key, version): SQLite compares TEXT byte by byte in UTF-8, which is S3's
listing order, so a listing walks the table itself. An unversioned bucket has one row per key, of version
``null``. ``sequence`` orders the versions of a key and ``latest`` marks the one that plain reads see: exactly one
row of every key. Version ids are made so (see ``versions``) that the rows of a key lie in the table as ``null`` and
then from the newest to the oldest; hence ``latest`` is found among the first two without an index.
``file`` names a data file or a blob, nothing of the key does; a delete marker has none.

``blobs`` holds small contents (see ``blobs``): each is named by one row of ``objects`` or ``upload_parts``, written and
removed with it. Its ids are never used again, so that a name once told is that content's for ever.

``removals`` names data files that no row refers to any more: it is written in the transaction that drops the
last reference and emptied once the file is gone, so a crash in between leaves a note, not a forgotten file.
"""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "objects-1",
        """
CREATE TABLE buckets (
    name TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created_at REAL NOT NULL,
    configuration TEXT NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;
CREATE TABLE objects (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL DEFAULT 'null',
    sequence INTEGER NOT NULL,
    latest INTEGER NOT NULL DEFAULT 1,
    delete_marker INTEGER NOT NULL DEFAULT 0,
    file TEXT,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified_at REAL NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (bucket, key, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE uploads (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    initiated_at REAL NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (bucket, key, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE upload_parts (
    upload TEXT NOT NULL,
    number INTEGER NOT NULL,
    file TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified_at REAL NOT NULL,
    checksums TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE removals (
    file TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
""",
    ),
    ("objects-2", "ALTER TABLE buckets ADD COLUMN versioning TEXT NOT NULL DEFAULT ''"),
    (
        "objects-accounts-1",
        """
CREATE TABLE s3_accounts (
    account TEXT PRIMARY KEY,
    canonical_id TEXT NOT NULL UNIQUE,
    configuration TEXT NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;
""",
    ),
    ("objects-blobs-1", "CREATE TABLE blobs (id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL) STRICT"),
]
