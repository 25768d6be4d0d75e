"""Layers on their way: begun, gone on with in order, and given to a repository once they are what was said.

What came of one is a file of the store of images, which outlives the server; how much of it is there is the file's
size, so a client that asks after a crash is told what really is. One request at a time writes to an upload.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from cloche.compute.images.store import BlobStore, Upload
from cloche.engines.image_registry import layers, repositories
from cloche.engines.image_registry.errors import DigestDiffers, LayerTooLarge, UploadBusy, UploadUnknown
from cloche.engines.image_registry.repositories import Repository
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Conflict, LimitReached
from cloche.foundation.limits import LAYER_BYTES_MAX
from cloche.storage.metadata.database import Database

OPEN_MAX: Final = 64
"""Files and hashes that are kept between the requests of an upload; one that is opened again is hashed again."""


@dataclass(slots=True)
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    upload: Upload | None = None


class Held:
    """An upload that is this request's alone."""

    def __init__(self, uploads: Uploads, repository: Repository, id: str, upload: Upload) -> None:
        self.id, self.repository = id, repository
        self._uploads, self._upload = uploads, upload

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self._upload.size

    @property
    def digest(self) -> str:
        """Of what is there."""
        return self._upload.digest

    def append(self, piece: bytes) -> None:
        """Raises ``LayerTooLarge``; then what was there before stays."""
        try:
            self._upload.append(piece)
        except LimitReached as error:
            raise LayerTooLarge(error.message) from None

    def finish(self, expected: Sequence[str]) -> str:
        """Give it to the repository, durably; its digest. Raises ``DigestDiffers`` where it is none of ``expected``;
        then the upload is as it was."""
        digest = self._upload.digest
        if digest not in expected:
            raise DigestDiffers.of_layer()
        self._uploads.keep(self.repository, self.id, self._upload, digest)
        return digest


class Uploads:
    def __init__(self, store: BlobStore, database: Database, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, repository: Repository) -> str:
        """Its id. Raises ``RepositoryUnknown``."""
        id = str(uuid.uuid4())

        def insert(tx: sqlite3.Connection) -> None:
            repositories.again(tx, repository)
            tx.execute(
                "INSERT INTO image_uploads (id, repository, begun_at) VALUES (?, ?, ?)",
                (id, repository.id, self._clock.time()),
            )

        self._database.write(insert)
        return id

    @contextmanager
    def hold(self, repository: Repository, id: str) -> Iterator[Held]:
        """Raises ``UploadUnknown``, and ``UploadBusy`` while another request has it."""
        self._require(repository, id)
        with self._lock:
            entry = self._entries.setdefault(id, _Entry())
            self._entries.move_to_end(id)
            if not entry.lock.acquire(blocking=False):
                raise UploadBusy(f"Another request is writing to the upload '{id}'")
        try:
            if entry.upload is None:
                entry.upload = self._store.upload(id, LAYER_BYTES_MAX)
            yield Held(self, repository, id, entry.upload)
        finally:
            entry.lock.release()
            self._put_away()

    def cancel(self, repository: Repository, id: str) -> None:
        """Leave nothing of it. Raises ``UploadUnknown``, ``UploadBusy``."""
        with self.hold(repository, id):
            self._discard(id)
            self._database.write(lambda tx: tx.execute("DELETE FROM image_uploads WHERE id = ?", (id,)))

    def give_up(self, repository: Repository, id: str) -> None:
        """``cancel`` for who does not mind what is there."""
        with suppress(UploadUnknown, UploadBusy):
            self.cancel(repository, id)

    def discard(self, id: str) -> None:
        """What is left of an upload whose row has gone, unless a request is at it."""
        with self._lock:
            entry = self._entries.setdefault(id, _Entry())
            if not entry.lock.acquire(blocking=False):
                return
        try:
            self._discard(id)
        finally:
            entry.lock.release()
            self._put_away()

    def keep(self, repository: Repository, id: str, upload: Upload, digest: str) -> None:
        """The layer is in the store before the row that tells of it, and looked for with it: what collects blobs does
        so in transactions, too. Raises ``RepositoryUnknown``."""
        size = upload.size
        upload.finish(digest)
        self._entries[id].upload = None

        def commit(tx: sqlite3.Connection) -> None:
            repositories.again(tx, repository)
            if not self._store.has(digest):
                raise Conflict(f"the layer {digest} was collected in the moment it came; send it again")
            layers.add(tx, repository, digest, size, self._clock.time())
            tx.execute("DELETE FROM image_uploads WHERE id = ?", (id,))

        self._database.write(commit)

    def close(self) -> None:
        """Leave what is there for the next start."""
        with self._lock:
            for entry in self._entries.values():
                if entry.upload is not None:
                    entry.upload.close()
            self._entries.clear()

    def _require(self, repository: Repository, id: str) -> None:
        row = self._database.reader.execute("SELECT repository FROM image_uploads WHERE id = ?", (id,)).fetchone()
        if row is None or row[0] != repository.id:
            raise UploadUnknown(id, repository.name, repository.account)

    def _discard(self, id: str) -> None:
        entry = self._entries[id]
        upload = entry.upload or self._store.upload(id)
        entry.upload = None
        upload.discard()

    def _put_away(self) -> None:
        """Forget what is finished, and close what is too much."""
        with self._lock:
            for id, entry in list(self._entries.items()):
                if not entry.lock.acquire(blocking=False):
                    continue
                try:
                    if entry.upload is not None and len(self._entries) > OPEN_MAX:
                        entry.upload.close()
                        entry.upload = None
                    if entry.upload is None:
                        del self._entries[id]
                finally:
                    entry.lock.release()
