"""Buckets and objects: rows that point to immutable contents.

A large content is a file of its own: bytes into a temporary file while they are hashed, fsync, the final name, fsync
of its folder, and only then the row, in a durable transaction. A small one is a blob, written in that transaction
(``blobs``). Whoever was answered has all of it on the disk; whoever was not has either the whole new object or the
old state. The file of a replaced object is removed after its row is gone, and some seconds late, so that a reader who
has just been told its path still finds it; a blob goes with its row, and its reader looks again.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from cloche.foundation.clock import Clock
from cloche.foundation.limits import KIB
from cloche.storage.metadata.database import Change, Database, Moment
from cloche.storage.objects import blobs, happened, versions
from cloche.storage.objects.accounts import S3Accounts
from cloche.storage.objects.buckets import Buckets
from cloche.storage.objects.checksums import DEFAULT
from cloche.storage.objects.errors import BucketNotFound, KeyNotFound, StoreError
from cloche.storage.objects.files import DataFiles, link_or_copy, write_copy
from cloche.storage.objects.happened import NOTIFICATION, PUT, REMOVED, Cause, Listener
from cloche.storage.objects.listing import Page, iterate_objects, list_objects
from cloche.storage.objects.records import Bucket, Deletion, Details, ObjectInfo, ObjectPart, WriteCondition
from cloche.storage.objects.removal import Removal
from cloche.storage.objects.uploads import Uploads
from cloche.storage.objects.version_listing import VersionsPage, list_versions
from cloche.storage.objects.writer import ContentWriter, Written, finish_hashed, finish_temporary, opened

T = TypeVar("T")
ATTEMPTS: Final = 3
"""How often an object is looked for anew that is replaced while it is read."""
GLANCES_MAX: Final = 2_048
GLANCE_BYTES_MAX: Final = 4 * KIB
"""Eight MiB at most."""
Glance = tuple[tuple[Any, ...], bytes | None]


@dataclass(frozen=True, slots=True)
class Doomed:
    """What to delete: a key, or with ``version`` that version of it for good. ``bypass_governance`` lifts retention in
    that mode. With ``sequence``, only while the latest (or the named) version is the one of that sequence."""

    key: str
    version: str = ""
    bypass_governance: bool = False
    condition: WriteCondition | None = None
    sequence: int = 0


class ObjectStore:
    """Safe for many threads. Missing things raise ``BucketNotFound``, ``KeyNotFound``, ``VersionNotFound`` (all
    ``NotFound``). Where a ``version`` is taken, an empty one means the latest.

    ``buckets``, ``accounts`` and ``uploads`` hold what concerns those alone.
    """

    def __init__(self, root: Path, database: Database, clock: Clock) -> None:
        self.files = DataFiles(root)
        self._database = database
        self._clock = clock
        self.removal = Removal(self.files, database)
        self.buckets = Buckets(database, self.removal, clock)
        self.accounts = S3Accounts(database)
        self.uploads = Uploads(self, database, clock)
        self._glances: tuple[Moment, dict[tuple[str, str], Glance]] = 0, {}
        """What ``glance`` has found, as long as nobody writes anything: ten reads of one object in a row, by clients
        that poll or a model's many workers, are one look at the database."""
        self.when_changed: Listener | None = None
        """Told of changes in buckets that have somebody to tell; others pay nothing."""

    # -- reading -----------------------------------------------------------------------------------------

    def head(self, bucket: str, key: str, version: str = "") -> ObjectInfo:
        """The object as it is now, or that version of it. A delete marker is answered only by its name; where one is
        the latest, ``KeyNotFound`` holds it."""
        try:
            return versions.existing(self._database.reader, bucket, key, version)
        except StoreError:
            self.buckets.get(bucket)
            raise

    def open(self, bucket: str, key: str, version: str = "") -> tuple[ObjectInfo, bytes | Path]:
        """The object as ``head`` answers it, and its content: the bytes themselves of a small one, else its data file,
        which is read-only and never changes. Open that soon (within seconds): if the object is replaced or deleted,
        the name goes; an open descriptor or hard link stays valid. A delete marker has no bytes."""
        for _ in range(ATTEMPTS):
            info = self.head(bucket, key, version)
            if info.is_delete_marker:
                return info, b""
            try:
                return info, self.content(info.file)
            except FileNotFoundError:  # replaced and removed since the row was read
                continue
        raise KeyNotFound(bucket, key)

    def glance(self, bucket: str, key: str) -> Glance | None:
        """What one look at the latest version tells, for who has seen it before: its row (see ``object_from``), which
        is another when anything about the object is, and the bytes of a small one. ``None`` where there is no object.
        """
        moment = self._database.moment()
        since, seen = self._glances
        if since != moment:
            since, seen = self._glances = moment, {}
        known = seen.get((bucket, key))
        if known is not None:
            return known
        row = versions.glance(self._database.reader, bucket, key)
        if row is None or row[9]:
            return None
        found = row[:-1], row[-1]
        if len(seen) < GLANCES_MAX and len(row[-1] or b"") <= GLANCE_BYTES_MAX:
            seen[bucket, key] = found
        return found

    def content(self, name: str) -> bytes | Path:
        """What a row names. Raises ``FileNotFoundError`` where it has been removed since."""
        if not blobs.is_blob(name):
            path = self.files.path(name)
            path.stat()
            return path
        data = blobs.read(self._database.reader, name)
        if data is None:
            raise FileNotFoundError(errno.ENOENT, "the content has been replaced or deleted", name)
        return data

    def read_bytes(self, bucket: str, key: str, *, size_max: int) -> bytes:
        """The whole of a small object. Raises ``ValueError`` when it has more than ``size_max`` bytes."""
        info, content = self.open(bucket, key)
        if info.size > size_max:
            raise ValueError(f"{key!r} has {info.size} bytes, more than {size_max}")
        return content if isinstance(content, bytes) else content.read_bytes()

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

    def list_versions(
        self,
        bucket: str,
        prefix: str = "",
        *,
        delimiter: str = "",
        after: tuple[str, str] = ("", ""),
        limit: int = 1000,
    ) -> VersionsPage:
        """A page of all versions and delete markers, by key and from the newest to the oldest: those after ``after``
        (key, version id); without an id, those of later keys only."""
        self.buckets.get(bucket)
        return list_versions(self._database.reader, bucket, prefix, delimiter, after=after, limit=limit)

    def _again(self, info: ObjectInfo) -> ObjectInfo:
        """The object that is there now where ``info``'s content is gone."""
        return self.head(info.bucket, info.key, "" if info.is_latest else info.version)

    def link_into(self, info: ObjectInfo, target: Path, *, link: bool) -> None:
        """Put the object's bytes at ``target``, which must not exist while its folder must. ``link=True``: a
        hard link to the immutable data file where there is one and the file systems allow, and never to be written
        through. Otherwise a copy of the caller's own. If ``info`` has been replaced meanwhile, the
        object that is there now is taken."""
        for _ in range(ATTEMPTS):
            try:
                content = self.content(info.file)
                if isinstance(content, bytes):
                    return write_copy(content, target)
                return link_or_copy(content, target, link=link)
            except FileNotFoundError:
                if not target.parent.is_dir():
                    raise
                info = self._again(info)
        raise KeyNotFound(info.bucket, info.key)

    # -- writing -----------------------------------------------------------------------------------------

    def writer(self, algorithms: Iterable[str] = ()) -> ContentWriter:
        """What to stream bytes into, hashed on the way (MD5 always, and ``algorithms`` by their S3 names).
        ``finish`` it and hand the result to ``commit``, or ``abort`` it."""
        return ContentWriter(self.files, algorithms)

    def commit(
        self,
        bucket: str,
        key: str,
        written: Written,
        details: Details,
        *,
        etag: str = "",
        condition: WriteCondition | None = None,
        cause: Cause = PUT,
    ) -> ObjectInfo:
        """Make ``written`` the object at ``key``, durably; in a versioned bucket the one before stays, as a version.
        ``etag`` is its MD5 unless given. On any error what was written is gone and nothing has changed; ``condition``
        unmet raises ``ConditionNotMet``."""
        return self.settle(
            written,
            lambda tx: self.commit_in(tx, bucket, key, written, details, etag=etag, condition=condition, cause=cause),
        )

    def settle(self, written: Written, change: Change[T]) -> T:
        """Do ``change``, which writes the row that names ``written``; without it that is nobody's."""
        try:
            answer = self._database.write(change)
        except BaseException:
            if written.file:
                self.files.remove([written.file])
            raise
        if written.file:
            self.files.forget_temporary(written.file)
        return answer

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
        cause: Cause = PUT,
    ) -> ObjectInfo:
        """``commit``'s part inside the transaction of a ``settle``."""
        at = self._clock.time()
        info = versions.place(tx, self.removal, at, bucket, key, written, details, etag=etag, condition=condition)
        if (watched := self._watched(bucket)) is not None:
            self._tell(tx, happened.of_object(cause, watched, info, at))
        return info

    def _watched(self, bucket: str) -> Bucket | None:
        """The bucket, where somebody is to be told of its changes."""
        found = self.buckets.get(bucket)
        return found if NOTIFICATION in found.configuration else None

    def _tell(self, tx: sqlite3.Connection, change: happened.Happened) -> None:
        if self.when_changed is not None:
            self.when_changed(tx, change)

    def put_bytes(
        self,
        bucket: str,
        key: str,
        data: bytes | memoryview,
        details: Details | None = None,
        *,
        condition: WriteCondition | None = None,
    ) -> ObjectInfo:
        """Store ``data``, durably."""
        self.buckets.get(bucket)
        with self.writer((DEFAULT,)) as writer:
            writer.write(data)
            written = writer.finish()
        return self.commit(bucket, key, written, _summed(details, written), condition=condition)

    def put_stream(
        self,
        bucket: str,
        key: str,
        stream: BinaryIO,
        *,
        is_whole: Callable[[], bool] = lambda: True,
        condition: WriteCondition | None = None,
    ) -> ObjectInfo | None:
        """Store what ``stream`` holds, durably; nothing, if ``is_whole`` says no once all was read."""
        self.buckets.get(bucket)
        with self.writer((DEFAULT,)) as writer:
            writer.write_from(stream)
            if not is_whole():
                return None
            written = writer.finish()
        return self.commit(bucket, key, written, _summed(None, written), condition=condition)

    def put_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        details: Details | None = None,
        *,
        move: bool = True,
    ) -> ObjectInfo:
        """Store the file at ``path``, durably. With ``move`` (nobody else may be writing to it) it is gone from
        ``path`` afterwards where its link count allows: a large one is taken in by rename where the file systems
        allow that, too; otherwise it is copied and left."""
        self.buckets.get(bucket)
        moves = move and not path.is_symlink() and path.stat().st_nlink == 1
        written = self._take(path) if moves else None
        if written is None:
            with self.writer((DEFAULT,)) as writer, path.open("rb") as source:
                writer.write_from(source)
                written = writer.finish()
        info = self.commit(bucket, key, written, _summed(details, written))
        if moves and blobs.is_blob(info.file):
            path.unlink()
        return info

    def take_part(
        self,
        bucket: str,
        key: str,
        path: Path,
        size: int,
        etag: str,
        checksums: Mapping[str, str],
        *,
        condition: WriteCondition | None = None,
    ) -> ObjectInfo:
        """Take in by rename, durably, the file at ``path``, which nobody writes to and whose ``checksums`` its maker
        has told, as an upload of this one part: nothing is read. Raises ``OSError`` from another file system."""
        self.buckets.get(bucket)
        file = self.files.adopt(path)
        finish_hashed(self.files, file)
        details = Details(checksums=checksums, checksum_type="FULL_OBJECT", parts=(ObjectPart(1, size, checksums),))
        return self.commit(bucket, key, Written(file, size, etag, checksums), details, condition=condition)

    def _take(self, path: Path) -> Written | None:
        if path.stat().st_size <= blobs.BLOB_BYTES_MAX:
            return None
        try:
            file = self.files.adopt(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return None
        try:
            return finish_temporary(self.files, file, (DEFAULT,))
        except BaseException:
            self.files.temporary(file).rename(path)
            raise

    def duplicate(self, info: ObjectInfo, source: bytes | Path, algorithms: tuple[str, ...] = ()) -> Written:
        """The bytes of an object as ``open`` answered it, to be committed under another key: a hard link of a data
        file where the file system allows (they never change), else a copy. ``algorithms`` are computed afresh."""
        file = None if isinstance(source, bytes) else self.files.link(source)
        if file is None:
            with self.writer(algorithms) as writer, opened(source) as stream:
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

    def update_details(
        self, info: ObjectInfo, change: Callable[[Details], Details], *, cause: Cause | None = None
    ) -> ObjectInfo:
        """Replace what is said about the object ``info`` (its tags, say) by what ``change`` makes of it; bytes, ETag
        and dates stay, and nobody is told without a ``cause``. ``change`` runs in the transaction, sees what is there
        now, and may raise. ``KeyNotFound`` when the object has been replaced or deleted meanwhile."""

        def update(tx: sqlite3.Connection) -> ObjectInfo:
            now = versions.version_of(tx, info.bucket, info.key, info.version)
            if now is None or now.file != info.file:
                raise KeyNotFound(info.bucket, info.key)
            details = change(now.details)
            tx.execute(
                "UPDATE objects SET details = ? WHERE bucket = ? AND key = ? AND version = ?",
                (details.to_json(), info.bucket, info.key, info.version),
            )
            updated = replace(now, details=details)
            if cause is not None and (watched := self._watched(info.bucket)) is not None:
                self._tell(tx, happened.of_object(cause, watched, updated, self._clock.time()))
            return updated

        return self._database.write(update)

    # -- deleting ----------------------------------------------------------------------------------------

    def delete(
        self,
        bucket: str,
        key: str,
        *,
        version: str = "",
        bypass_governance: bool = False,
        condition: WriteCondition | None = None,
        cause: Cause = REMOVED,
    ) -> Deletion:
        """Remove the object, durably; in a versioned bucket, put a delete marker on top of it, or remove the one
        ``version`` for good. That there was none is no error. Raises ``ObjectLocked``, ``ConditionNotMet``."""
        (done,) = self.delete_many(bucket, [Doomed(key, version, bypass_governance, condition)], cause=cause)
        if isinstance(done, StoreError):
            raise done
        return done

    def delete_many(
        self, bucket: str, wanted: Iterable[Doomed], *, cause: Cause = REMOVED
    ) -> Sequence[Deletion | StoreError]:
        """Delete in one transaction; for each what was done, or why nothing was."""
        doomed = list(wanted)

        def change(tx: sqlite3.Connection) -> Sequence[Deletion | StoreError]:
            if tx.execute("SELECT 1 FROM buckets WHERE name = ?", (bucket,)).fetchone() is None:
                raise BucketNotFound(bucket)
            done = [self._delete(tx, bucket, one) for one in doomed]
            if (watched := self._watched(bucket)) is not None:
                self._tell_removals(tx, watched, doomed, done, cause)
            return done

        return self._database.write(change)

    def _tell_removals(
        self,
        tx: sqlite3.Connection,
        bucket: Bucket,
        doomed: Sequence[Doomed],
        done: Sequence[Deletion | StoreError],
        cause: Cause,
    ) -> None:
        at = self._clock.time()
        for one, result in zip(doomed, done, strict=True):
            if isinstance(result, Deletion) and (result.existed or (result.is_delete_marker and not one.version)):
                self._tell(tx, happened.of_removal(cause, bucket, result, at, named=bool(one.version)))

    def _delete(self, tx: sqlite3.Connection, bucket: str, one: Doomed) -> Deletion | StoreError:
        at = self._clock.time()
        try:
            if one.sequence and self._sequence(tx, bucket, one) != one.sequence:
                return Deletion(one.key, one.version, existed=False)
            if not one.version:
                return versions.remove_current(tx, self.removal, at, bucket, one.key, condition=one.condition)
            return versions.remove_version(
                tx,
                self.removal,
                at,
                bucket,
                one.key,
                one.version,
                bypass_governance=one.bypass_governance,
                condition=one.condition,
            )
        except StoreError as error:  # raised before anything was changed
            return error

    def _sequence(self, tx: sqlite3.Connection, bucket: str, one: Doomed) -> int:
        if one.version:
            info = versions.version_of(tx, bucket, one.key, one.version)
        else:
            info = versions.latest_of(tx, bucket, one.key)
        return 0 if info is None else info.sequence

    def close(self) -> None:
        """Stop the background removal. What it has not removed is removed after the next start."""
        self.removal.close()


def _summed(details: Details | None, written: Written) -> Details:
    return replace(details or Details(), checksums=written.checksums, checksum_type="FULL_OBJECT")
