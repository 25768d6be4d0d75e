"""Buckets and objects: rows that point to immutable files.

A write is: bytes into a temporary file while they are hashed, fsync, the final name, fsync of its folder, and
only then the row, in a durable transaction. Whoever was answered has all of it on the disk; whoever was not has
either the whole new object or the old state. The file of a replaced object is removed after its row is gone,
and some seconds late, so that a reader who has just been told its path still finds it.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cloche.foundation.clock import Clock, from_epoch
from cloche.storage.metadata.database import Database
from cloche.storage.objects.buckets import Buckets
from cloche.storage.objects.errors import BucketNotFound, ConditionNotMet, KeyNotFound
from cloche.storage.objects.files import DataFiles, link_or_copy
from cloche.storage.objects.listing import Page, iterate_objects, list_objects
from cloche.storage.objects.records import (
    NULL_VERSION,
    OBJECT_COLUMNS,
    Details,
    ObjectInfo,
    WriteCondition,
    object_from,
)
from cloche.storage.objects.removal import Removal
from cloche.storage.objects.uploads import Uploads
from cloche.storage.objects.writer import FileWriter, Written, finish_temporary

LINK_ATTEMPTS: Final = 3


class ObjectStore:
    """Safe for many threads. Missing things raise ``BucketNotFound``, ``KeyNotFound`` (both ``NotFound``).

    ``buckets`` and ``uploads`` hold what concerns those alone.
    """

    def __init__(self, root: Path, database: Database, clock: Clock) -> None:
        self.files = DataFiles(root)
        self._database = database
        self._clock = clock
        self.removal = Removal(self.files, database)
        self.buckets = Buckets(database, clock)
        self.uploads = Uploads(self, database, clock)

    # -- reading -----------------------------------------------------------------------------------------

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """The object as it is now."""
        row = self._database.reader.execute(
            f"SELECT {OBJECT_COLUMNS} FROM objects"  # noqa: S608 - a constant
            " WHERE bucket = ? AND key = ? AND version = 'null' AND delete_marker = 0",
            (bucket, key),
        ).fetchone()
        if row is None:
            self.buckets.get(bucket)
            raise KeyNotFound(bucket, key)
        return object_from(row)

    def open(self, bucket: str, key: str) -> tuple[ObjectInfo, Path]:
        """The object and its data file, which is read-only and never changes. Open it soon (within seconds):
        if the object is replaced or deleted, the name goes; an open descriptor or hard link stays valid."""
        info = self.head(bucket, key)
        return info, self.files.path(info.file)

    def path(self, info: ObjectInfo) -> Path:
        """The data file of ``info``; see ``open`` for how long it is there."""
        return self.files.path(info.file)

    def read_bytes(self, bucket: str, key: str, *, size_max: int) -> bytes:
        """The whole of a small object. Raises ``ValueError`` when it has more than ``size_max`` bytes."""
        for _ in range(LINK_ATTEMPTS):
            info, path = self.open(bucket, key)
            if info.size > size_max:
                raise ValueError(f"{key!r} has {info.size} bytes, more than {size_max}")
            try:
                return path.read_bytes()
            except FileNotFoundError:
                continue
        raise KeyNotFound(bucket, key)

    def list(
        self,
        bucket: str,
        prefix: str = "",
        *,
        delimiter: str = "",
        after: str = "",
        at_or_after: str = "",
        limit: int = 1000,
    ) -> Page:
        """A page of the bucket in UTF-8 order: keys after ``after``, or from ``at_or_after`` on (which is how
        a page continues: give it the last page's ``next_key``). With ``delimiter``, keys that share their name
        up to it count as one entry of ``common_prefixes``; a page costs the same in a bucket of any size."""
        self.buckets.get(bucket)
        return list_objects(
            self._database.reader, bucket, prefix, delimiter, after=after, at_or_after=at_or_after, limit=limit
        )

    def iter_prefix(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object whose key starts with ``prefix``, in UTF-8 order, read page by page."""
        self.buckets.get(bucket)
        return iterate_objects(self._database, bucket, prefix)

    def link_into(self, info: ObjectInfo, target: Path, *, link: bool) -> None:
        """Put the object's bytes at ``target``, which must not exist while its folder must. ``link=True``: a
        hard link to the immutable data file where the file systems allow, and never to be written through.
        Otherwise, or across devices, a copy of the caller's own. If ``info`` has been replaced meanwhile, the
        object that is there now is taken."""
        for _ in range(LINK_ATTEMPTS):
            try:
                return link_or_copy(self.files.path(info.file), target, link=link)
            except FileNotFoundError:
                if not target.parent.is_dir():
                    raise
                info = self.head(info.bucket, info.key)
        raise KeyNotFound(info.bucket, info.key)

    # -- writing -----------------------------------------------------------------------------------------

    def writer(self, algorithms: Iterable[str] = ()) -> FileWriter:
        """A file to stream bytes into, hashed on the way (MD5 always, and ``algorithms`` by their S3 names).
        ``finish`` it and hand the result to ``commit``, or ``abort`` it."""
        return FileWriter(self.files, algorithms)

    def commit(
        self,
        bucket: str,
        key: str,
        written: Written,
        details: Details,
        *,
        etag: str = "",
        condition: WriteCondition | None = None,
    ) -> ObjectInfo:
        """Make ``written`` the object at ``key``, durably. ``etag`` is the file's MD5 unless given. On any
        error the file is gone and nothing has changed; ``condition`` unmet raises ``ConditionNotMet``."""
        try:
            info = self._database.write(
                lambda tx: self.commit_in(tx, bucket, key, written, details, etag=etag, condition=condition)
            )
        except BaseException:
            self.files.remove([written.file])
            raise
        self.files.forget_temporary(written.file)
        self.removal.hint()
        return info

    def commit_in(
        self,
        tx: sqlite3.Connection,
        bucket: str,
        key: str,
        written: Written,
        details: Details,
        *,
        etag: str = "",
        condition: WriteCondition | None = None,
    ) -> ObjectInfo:
        """``commit``'s part inside the transaction; the caller sees to the file's temporary name."""
        if tx.execute("SELECT 1 FROM buckets WHERE name = ?", (bucket,)).fetchone() is None:
            raise BucketNotFound(bucket)
        old = tx.execute(
            "SELECT file, etag FROM objects WHERE bucket = ? AND key = ? AND version = 'null'", (bucket, key)
        ).fetchone()
        _check(condition, bucket, key, old)
        if old is not None:
            self.removal.note(tx, [old["file"]])
        at = self._clock.time()
        etag = etag or written.md5
        tx.execute(
            "INSERT OR REPLACE INTO objects"
            " (bucket, key, version, sequence, file, size, etag, modified_at, details)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (bucket, key, NULL_VERSION, int(at * 1e6), written.file, written.size, etag, at, details.to_json()),
        )
        return ObjectInfo(bucket, key, written.size, etag, from_epoch(at), NULL_VERSION, details, written.file)

    def put_bytes(
        self,
        bucket: str,
        key: str,
        data: bytes,
        details: Details | None = None,
        *,
        condition: WriteCondition | None = None,
    ) -> ObjectInfo:
        """Store ``data``, durably."""
        self.buckets.get(bucket)
        with self.writer() as writer:
            writer.write(data)
            written = writer.finish()
        return self.commit(bucket, key, written, details or Details(), condition=condition)

    def put_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        details: Details | None = None,
        *,
        move: bool = True,
    ) -> ObjectInfo:
        """Store the file at ``path``, durably. With ``move`` (nobody else may be writing to it) it is taken in
        by rename where the file systems and its link count allow, and is gone from ``path``; otherwise it is
        copied and left."""
        self.buckets.get(bucket)
        written = self._take(path) if move else None
        if written is None:
            with self.writer() as writer, path.open("rb") as source:
                writer.write_from(source)
                written = writer.finish()
        return self.commit(bucket, key, written, details or Details())

    def _take(self, path: Path) -> Written | None:
        if path.is_symlink() or path.stat().st_nlink != 1:
            return None
        try:
            file = self.files.adopt(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return None
        try:
            return finish_temporary(self.files, file)
        except BaseException:
            self.files.temporary(file).rename(path)
            raise

    def duplicate(self, info: ObjectInfo, algorithms: Iterable[str] = ()) -> Written:
        """A data file with the bytes of ``info``, to be committed under another key: a hard link where the
        file system allows (data files never change), else a copy. ``algorithms`` are computed afresh."""
        for _ in range(LINK_ATTEMPTS):
            try:
                return self._duplicate(info, tuple(algorithms))
            except FileNotFoundError:
                info = self.head(info.bucket, info.key)
        raise KeyNotFound(info.bucket, info.key)

    def _duplicate(self, info: ObjectInfo, algorithms: tuple[str, ...]) -> Written:
        source = self.files.path(info.file)
        file = self.files.link(source)
        if file is None:
            with self.writer(algorithms) as writer, source.open("rb") as stream:
                writer.write_from(stream)
                return writer.finish()
        try:
            if algorithms or "-" in info.etag:
                return finish_temporary(self.files, file, algorithms)
            self.files.publish(file)
        except BaseException:
            self.files.remove([file])
            raise
        return Written(file, info.size, info.etag)

    def update_details(self, info: ObjectInfo, details: Details) -> ObjectInfo:
        """Replace what is said about the object ``info`` (its tags, say); bytes, ETag and dates stay. Raises
        ``KeyNotFound`` when it has been replaced or deleted meanwhile."""

        def change(tx: sqlite3.Connection) -> None:
            changed = tx.execute(
                "UPDATE objects SET details = ? WHERE bucket = ? AND key = ? AND version = ? AND file = ?",
                (details.to_json(), info.bucket, info.key, info.version, info.file),
            ).rowcount
            if not changed:
                raise KeyNotFound(info.bucket, info.key)

        self._database.write(change)
        return self.head(info.bucket, info.key)

    # -- deleting ----------------------------------------------------------------------------------------

    def delete(self, bucket: str, key: str, *, condition: WriteCondition | None = None) -> bool:
        """Remove the object, durably. False when there was none (which is no error)."""
        return self.delete_many(bucket, [key], condition=condition)[0]

    def delete_many(
        self, bucket: str, keys: Iterable[str], *, condition: WriteCondition | None = None
    ) -> Sequence[bool]:
        """Remove the objects in one transaction; for each key whether there was one."""
        wanted = list(keys)

        def change(tx: sqlite3.Connection) -> Sequence[bool]:
            if tx.execute("SELECT 1 FROM buckets WHERE name = ?", (bucket,)).fetchone() is None:
                raise BucketNotFound(bucket)
            return [self._delete(tx, bucket, key, condition) for key in wanted]

        done = self._database.write(change)
        self.removal.hint()
        return done

    def _delete(self, tx: sqlite3.Connection, bucket: str, key: str, condition: WriteCondition | None) -> bool:
        old = tx.execute(
            "SELECT file, etag FROM objects WHERE bucket = ? AND key = ? AND version = 'null'", (bucket, key)
        ).fetchone()
        _check(condition, bucket, key, old)
        if old is None:
            return False
        tx.execute("DELETE FROM objects WHERE bucket = ? AND key = ? AND version = 'null'", (bucket, key))
        self.removal.note(tx, [old["file"]])
        return True

    def close(self) -> None:
        """Stop the background removal. What it has not removed is removed after the next start."""
        self.removal.close()


def _check(condition: WriteCondition | None, bucket: str, key: str, old: sqlite3.Row | None) -> None:
    if condition is None:
        return
    if condition.if_absent and old is not None:
        raise ConditionNotMet("If-None-Match")
    if condition.if_match:
        if old is None:
            raise KeyNotFound(bucket, key)
        if condition.if_match not in ("*", old["etag"]):
            raise ConditionNotMet("If-Match")
