"""Multipart uploads: parts are contents of their own until they are put together.

Putting together copies inside the kernel (or only renames, for one part); the parts were hashed when they came,
and the whole's ETag and checksums are computed from theirs. Row changes of a completion are one transaction.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cloche.foundation.clock import Clock, from_epoch
from cloche.foundation.limits import PART_BYTES_MIN
from cloche.storage.metadata.database import Database
from cloche.storage.objects import checksums
from cloche.storage.objects.errors import (
    BucketNotFound,
    ChecksumMismatch,
    PartInvalid,
    PartTooSmall,
    SizeMismatch,
    UploadNotFound,
)
from cloche.storage.objects.happened import COMPLETED, Cause
from cloche.storage.objects.listing import common_prefix, first_key, successor
from cloche.storage.objects.records import (
    Details,
    ObjectInfo,
    ObjectPart,
    Part,
    Upload,
    WriteCondition,
    part_from,
    upload_from,
)
from cloche.storage.objects.writer import Written

if TYPE_CHECKING:
    from cloche.storage.objects.store import ObjectStore


@dataclass(frozen=True, slots=True)
class UploadsPage:
    """``last`` is the last entry: (key, upload id), or (common prefix, "")."""

    uploads: list[Upload]
    common_prefixes: list[str]
    is_truncated: bool
    last: tuple[str, str]


class Uploads:
    """Missing uploads raise ``UploadNotFound``."""

    def __init__(self, store: ObjectStore, database: Database, clock: Clock) -> None:
        self._store = store
        self._database = database
        self._clock = clock

    def create(
        self, bucket: str, key: str, details: Details, checksum_algorithm: str = "", checksum_type: str = ""
    ) -> Upload:
        """Begin an upload; ``details`` are the object's to be. ``checksum_type`` (``FULL_OBJECT`` or
        ``COMPOSITE``) tells how the object's checksum is made of the parts'."""
        details = replace(details, checksum_type=checksum_type)
        at = self._clock.time()
        upload_id = f"{time.time_ns():016x}{secrets.token_hex(16)}"  # by age: S3 lists a key's uploads so
        members = json.loads(details.to_json()) | {"algorithm": checksum_algorithm}

        def change(tx: sqlite3.Connection) -> None:
            if tx.execute("SELECT 1 FROM buckets WHERE name = ?", (bucket,)).fetchone() is None:
                raise BucketNotFound(bucket)
            tx.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", (bucket, key, upload_id, at, json.dumps(members)))

        self._database.write(change)
        return Upload(bucket, key, upload_id, from_epoch(at), details, checksum_algorithm, checksum_type)

    def get(self, bucket: str, key: str, upload_id: str) -> Upload:
        return self._get(self._database.reader, bucket, key, upload_id)

    def _get(self, connection: sqlite3.Connection, bucket: str, key: str, upload_id: str) -> Upload:
        row = connection.execute(
            "SELECT * FROM uploads WHERE bucket = ? AND key = ? AND id = ?", (bucket, key, upload_id)
        ).fetchone()
        if row is None:
            raise UploadNotFound(upload_id)
        return upload_from(row)

    def put_part(self, upload: Upload, number: int, written: Written) -> Part:
        """Keep what was written as the part of that number, durably, in place of an earlier one. On any error
        it is gone."""
        at = self._clock.time()

        def change(tx: sqlite3.Connection) -> Part:
            self._get(tx, upload.bucket, upload.key, upload.id)
            old = tx.execute(
                "SELECT file FROM upload_parts WHERE upload = ? AND number = ?", (upload.id, number)
            ).fetchone()
            if old is not None:
                self._store.removal.note(tx, [old["file"]])
            name = written.kept(tx)
            tx.execute(
                "INSERT OR REPLACE INTO upload_parts VALUES (?, ?, ?, ?, ?, ?, ?)",
                (upload.id, number, name, written.size, written.md5, at, json.dumps(dict(written.checksums))),
            )
            return Part(number, written.size, written.md5, from_epoch(at), written.checksums, name)

        return self._store.settle(written, change)

    def parts(self, upload: Upload, *, after: int = 0, limit: int = 10_000) -> list[Part]:
        """The parts by number, those after number ``after``."""
        rows = self._database.reader.execute(
            "SELECT * FROM upload_parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
            (upload.id, after, limit),
        )
        return [part_from(row) for row in rows]

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Forget the upload and its parts."""

        def change(tx: sqlite3.Connection) -> None:
            self._get(tx, bucket, key, upload_id)
            self._forget(tx, bucket, key, upload_id)

        self._database.write(change)

    def complete(
        self,
        upload: Upload,
        wanted: Sequence[tuple[int, str]],
        *,
        expected_checksums: Mapping[str, str] | None = None,
        expected_size: int | None = None,
        condition: WriteCondition | None = None,
        cause: Cause = COMPLETED,
    ) -> ObjectInfo:
        """Make the parts ``wanted`` (number, unquoted ETag; ascending) the object, durably.

        Raises ``PartInvalid``, ``PartTooSmall``, ``ChecksumMismatch``, ``SizeMismatch``, and whatever an unmet
        ``condition`` raises; the upload then stays as it is.
        """
        parts = self._chosen(upload, wanted)
        md5 = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
        etag = f"{md5.hexdigest()}-{len(parts)}"
        details = _completed(upload, parts)
        _check_whole(parts, details, expected_checksums or {}, expected_size)
        written = self._concatenate(parts)

        def change(tx: sqlite3.Connection) -> ObjectInfo:
            self._get(tx, upload.bucket, upload.key, upload.id)
            info = self._store.commit_in(
                tx, upload.bucket, upload.key, written, details, etag=etag, condition=condition, cause=cause
            )
            self._forget(tx, upload.bucket, upload.key, upload.id)
            return info

        return self._store.settle(written, change)

    def _chosen(self, upload: Upload, wanted: Sequence[tuple[int, str]]) -> list[Part]:
        known = {part.number: part for part in self.parts(upload)}
        chosen: list[Part] = []
        for number, etag in wanted:
            part = known.get(number)
            if part is None or part.etag != etag:
                raise PartInvalid(number, etag)
            chosen.append(part)
        for part in chosen[:-1]:
            if part.size < PART_BYTES_MIN:
                raise PartTooSmall(part.number, part.etag, part.size, PART_BYTES_MIN)
        return chosen

    def _concatenate(self, parts: list[Part]) -> Written:
        with self._store.writer() as writer:
            for part in parts:
                writer.append(self._store.content(part.file))
            return writer.finish()

    def _forget(self, tx: sqlite3.Connection, bucket: str, key: str, upload_id: str) -> None:
        files = tx.execute("SELECT file FROM upload_parts WHERE upload = ?", (upload_id,)).fetchall()
        self._store.removal.note(tx, [row["file"] for row in files])
        tx.execute("DELETE FROM upload_parts WHERE upload = ?", (upload_id,))
        tx.execute("DELETE FROM uploads WHERE bucket = ? AND key = ? AND id = ?", (bucket, key, upload_id))

    # -- listing -----------------------------------------------------------------------------------------

    def list(
        self,
        bucket: str,
        prefix: str = "",
        *,
        delimiter: str = "",
        after: tuple[str, str] = ("", ""),
        limit: int = 1000,
    ) -> UploadsPage:
        """A page of the bucket's uploads by key and age, those after ``after`` (key, upload id); without an
        id, those of later keys only."""
        uploads: list[Upload] = []
        prefixes: list[str] = []
        last = ("", "")
        key, upload_id = after
        start: tuple[str, str] | None = (key, upload_id) if upload_id else _from(first_key(prefix, delimiter, key))
        while start is not None:
            seek, start = start, None
            for upload in self._rows(bucket, prefix, seek):
                if len(uploads) + len(prefixes) == limit:
                    return UploadsPage(uploads, prefixes, limit > 0, last)
                folded = common_prefix(upload.key, prefix, delimiter)
                last = (folded, "") if folded else (upload.key, upload.id)
                if folded:
                    prefixes.append(folded)
                    start = _from(successor(folded))
                    break
                uploads.append(upload)
        return UploadsPage(uploads, prefixes, False, last)

    def _rows(self, bucket: str, prefix: str, start: tuple[str, str]) -> Iterator[Upload]:
        end = successor(prefix)
        rows = self._database.reader.execute(
            "SELECT * FROM uploads WHERE bucket = ? AND (key, id) > (?, ?) AND (? IS NULL OR key < ?) ORDER BY key, id",
            (bucket, *start, end, end),
        )
        return map(upload_from, rows)


def _from(key: str | None) -> tuple[str, str] | None:
    """Before the first upload of ``key``."""
    return None if key is None else (key, "")


def _completed(upload: Upload, parts: list[Part]) -> Details:
    """The object's details, with what is computed from its parts; where no checksum was declared, S3's default."""
    declared = upload.checksum_algorithm
    algorithm = declared or checksums.DEFAULT
    kind = upload.checksum_type or "FULL_OBJECT"
    laid_out = tuple(ObjectPart(part.number, part.size, _told(part.checksums, declared)) for part in parts)
    made: dict[str, str] = {}
    if all(algorithm in part.checksums for part in parts):
        if kind == "FULL_OBJECT":
            sums = [(part.checksums[algorithm], part.size) for part in parts]
            made[algorithm] = checksums.full_object(algorithm, sums)
        else:
            made[algorithm] = checksums.composite(algorithm, [part.checksums[algorithm] for part in parts])
    return replace(
        upload.details,
        checksums=made,
        checksum_type=kind if made else "",
        parts=laid_out,
        upload=upload.id,
    )


def _told(sums: Mapping[str, str], declared: str) -> dict[str, str]:
    """A part's checksums without the default one, which is computed for the whole's sake."""
    return {name: value for name, value in sums.items() if name == declared or name != checksums.DEFAULT}


def _check_whole(
    parts: list[Part], details: Details, expected_checksums: Mapping[str, str], expected_size: int | None
) -> None:
    size = sum(part.size for part in parts)
    if expected_size is not None and expected_size != size:
        raise SizeMismatch(expected_size, size)
    for algorithm, value in expected_checksums.items():
        made = details.checksums.get(algorithm, "")
        if value not in (made, made.partition("-")[0]) or not made:
            raise ChecksumMismatch(algorithm, next(iter(details.checksums), ""))
