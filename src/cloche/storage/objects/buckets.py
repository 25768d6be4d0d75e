"""Buckets: who owns them, where they are said to be, and what has been configured on them."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from typing import Any, Final

from cloche.foundation.clock import Clock, from_epoch
from cloche.foundation.errors import AlreadyExists
from cloche.storage.metadata.database import Change, Database
from cloche.storage.objects.errors import BucketNotEmpty, BucketNotFound, VersioningFixed
from cloche.storage.objects.records import Bucket, bucket_from
from cloche.storage.objects.removal import Removal

OBJECT_LOCK: Final = "ObjectLock"
"""The aspect of a bucket's configuration that lets versions be locked."""
KNOWN_MAX: Final = 10_000


class Buckets:
    """Names are unique over all accounts, as on AWS. Their rules are the caller's to check."""

    def __init__(self, database: Database, removal: Removal, clock: Clock) -> None:
        self._database = database
        self._removal = removal
        self._clock = clock
        self._known: dict[str, Bucket] = {}
        self._writes = 0
        self._lock = threading.Lock()

    def _write(self, name: str, change: Change[None]) -> None:
        """Every change of a bucket's row goes through here, so that what is remembered is what is there."""
        try:
            self._database.write(change)
        finally:
            with self._lock:
                self._writes += 1
                self._known.pop(name, None)

    def create(self, name: str, account: str, region: str, configuration: Mapping[str, Any] | None = None) -> Bucket:
        """Make an empty bucket, configured so. Raises ``AlreadyExists`` when anybody has the name."""
        at = self._clock.time()

        def change(tx: sqlite3.Connection) -> None:
            try:
                tx.execute(
                    "INSERT INTO buckets (name, account, region, created_at, configuration) VALUES (?, ?, ?, ?, ?)",
                    (name, account, region, at, json.dumps(configuration or {})),
                )
            except sqlite3.IntegrityError:
                raise AlreadyExists(f"there is a bucket {name!r} already") from None

        self._write(name, change)
        return Bucket(name, account, region, from_epoch(at), configuration or {})

    def get(self, name: str) -> Bucket:
        """Raises ``BucketNotFound``. Every request asks, so the answer is remembered until the bucket changes."""
        known = self._known.get(name)
        if known is not None:
            return known
        writes = self._writes
        row = self._database.reader.execute("SELECT * FROM buckets WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise BucketNotFound(name)
        bucket = bucket_from(row)
        with self._lock:
            if writes == self._writes:  # else what was read may be older than what was written meanwhile
                if len(self._known) >= KNOWN_MAX:
                    self._known.clear()
                self._known[name] = bucket
        return bucket

    def exists(self, name: str) -> bool:
        return self._database.reader.execute("SELECT 1 FROM buckets WHERE name = ?", (name,)).fetchone() is not None

    def count(self, account: str) -> int:
        """How many the account has."""
        row = self._database.reader.execute("SELECT count(*) FROM buckets WHERE account = ?", (account,)).fetchone()
        return int(row[0])

    def delete(self, name: str) -> None:
        """Remove an empty bucket with its configuration. Raises ``BucketNotFound`` and ``BucketNotEmpty``.

        Multipart uploads under way do not keep a bucket: they are forgotten with it.
        """

        def change(tx: sqlite3.Connection) -> None:
            if tx.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (name,)).fetchone():
                raise BucketNotEmpty(name)
            if not tx.execute("DELETE FROM buckets WHERE name = ?", (name,)).rowcount:
                raise BucketNotFound(name)
            self._drop_uploads(tx, name)

        self._write(name, change)

    def remove_with_contents(self, name: str) -> None:
        """Remove a bucket with all its versions, locked or not, and its uploads: for an account that is cleared.
        Raises ``BucketNotFound``."""

        def change(tx: sqlite3.Connection) -> None:
            if not tx.execute("DELETE FROM buckets WHERE name = ?", (name,)).rowcount:
                raise BucketNotFound(name)
            self._removal.note_selected(tx, "SELECT file FROM objects WHERE bucket = ? AND file IS NOT NULL", (name,))
            tx.execute("DELETE FROM objects WHERE bucket = ?", (name,))
            self._drop_uploads(tx, name)

        self._write(name, change)

    def with_configuration(self, aspect: str) -> list[Bucket]:
        """All accounts' buckets that have that ``aspect`` configured."""
        rows = self._database.reader.execute(
            "SELECT * FROM buckets WHERE configuration LIKE ? ORDER BY name", (f'%"{aspect}"%',)
        )
        return [bucket for bucket in map(bucket_from, rows) if bucket.configuration.get(aspect)]

    def list(
        self, account: str, *, prefix: str = "", after: str = "", region: str = "", limit: int = 10_000
    ) -> list[Bucket]:
        """The account's buckets by name, those after ``after``."""
        rows = self._database.reader.execute(
            "SELECT * FROM buckets WHERE account = ? AND name > ? AND substr(name, 1, ?) = ?"
            " AND (? = '' OR region = ?) ORDER BY name LIMIT ?",
            (account, after, len(prefix), prefix, region, region, limit),
        )
        return [bucket_from(row) for row in rows]

    def set_versioning(self, name: str, status: str) -> None:
        """``Enabled`` or ``Suspended``. Raises ``VersioningFixed`` for suspending where objects may be locked."""

        def change(tx: sqlite3.Connection) -> None:
            row = tx.execute("SELECT configuration FROM buckets WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise BucketNotFound(name)
            if status != "Enabled" and OBJECT_LOCK in json.loads(row["configuration"]):
                raise VersioningFixed("object lock needs versions")
            tx.execute("UPDATE buckets SET versioning = ? WHERE name = ?", (status, name))

        self._write(name, change)

    def set_object_lock(self, name: str, configuration: Mapping[str, Any], *, new: bool = False) -> None:
        """Let versions be locked, from now on for good. ``new``: the bucket was made just now, and gets versions with
        it; else raises ``VersioningFixed`` where versioning is not enabled."""

        def change(tx: sqlite3.Connection) -> None:
            row = tx.execute("SELECT configuration, versioning FROM buckets WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise BucketNotFound(name)
            if row["versioning"] != "Enabled" and not new:
                raise VersioningFixed("object lock needs versions")
            kept = json.loads(row["configuration"]) | {OBJECT_LOCK: dict(configuration)}
            tx.execute(
                "UPDATE buckets SET versioning = 'Enabled', configuration = ? WHERE name = ?", (json.dumps(kept), name)
            )

        self._write(name, change)

    def configure(self, name: str, aspect: str, value: Any) -> None:
        """Keep ``value`` (JSON) as the bucket's ``aspect``; ``None`` takes it away."""

        def change(tx: sqlite3.Connection) -> None:
            row = tx.execute("SELECT configuration FROM buckets WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise BucketNotFound(name)
            configuration = json.loads(row["configuration"])
            if value is None:
                configuration.pop(aspect, None)
            else:
                configuration[aspect] = value
            tx.execute("UPDATE buckets SET configuration = ? WHERE name = ?", (json.dumps(configuration), name))

        self._write(name, change)

    def _drop_uploads(self, tx: sqlite3.Connection, bucket: str) -> None:
        parts = "upload_parts WHERE upload IN (SELECT id FROM uploads WHERE bucket = ?)"
        self._removal.note_selected(tx, f"SELECT file FROM {parts}", (bucket,))  # noqa: S608
        tx.execute(f"DELETE FROM {parts}", (bucket,))  # noqa: S608
        tx.execute("DELETE FROM uploads WHERE bucket = ?", (bucket,))
