"""Giving back the disk: layers that no image has needed for a day, uploads that nobody went on with, blobs that no
repository has any more.

A blob's file goes inside the transaction that finds that no row tells of it. Rows of layers are written in transactions
that look for the file, and there is one writer, so neither can come between the other's look and its deed. Blobs of
images that were loaded under a name, and what was read of them, are not this registry's to remove.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import suppress
from typing import Final

from cloche.compute.images.store import BlobStore
from cloche.engines.image_registry.layers import UNUSED_SECONDS
from cloche.engines.image_registry.manifests import DIGEST, MANIFEST_BYTES_MAX
from cloche.engines.image_registry.uploads import Uploads
from cloche.foundation.clock import Clock
from cloche.storage.metadata.database import Database

log = logging.getLogger(__name__)
UPLOAD_SECONDS_MAX: Final = 86_400.0
"""An upload ends a day after it began, if it was not finished."""
STRAY_SECONDS: Final = 86_400.0
"""A blob that no row tells of is removed when it is so old: one that just came is on its way to a row."""
TAKEN_TOGETHER: Final = 16
"""Files that are removed in one transaction; the next write waits for it."""
_IDLE: Final = "unused_since IS NOT NULL AND repository NOT IN (SELECT repository FROM image_uploads)"
"""Layers that no image needs, but for those of repositories that somebody is just pushing to."""


class Collector:
    def __init__(self, store: BlobStore, database: Database, clock: Clock, uploads: Uploads) -> None:
        self._store, self._database, self._clock, self._uploads = store, database, clock, uploads
        self._swept = False

    def next_at(self) -> float | None:
        """A start looks once for what a death may have left behind."""
        if not self._swept:
            return 0.0
        row = self._database.reader.execute(
            f"SELECT (SELECT min(unused_since) + ? FROM image_layers WHERE {_IDLE}),"  # noqa: S608 - our own words
            " (SELECT min(begun_at) + ? FROM image_uploads), (SELECT 0.0 FROM image_garbage LIMIT 1)",
            (UNUSED_SECONDS, UPLOAD_SECONDS_MAX),
        ).fetchone()
        return min((moment for moment in row if moment is not None), default=None)

    def run(self, now: float) -> None:
        """A repetition finds nothing more to do."""
        for id in self._database.write(lambda tx: _end_uploads(tx, now)):
            self._uploads.discard(id)
        self._database.write(lambda tx: _drop_layers(tx, now))
        loaded = named_in_layout(self._store)
        while self._database.write(lambda tx: self._remove_garbage(tx, loaded)):
            pass
        if not self._swept:
            self._sweep(loaded)
            self._swept = True

    def _remove_garbage(self, tx: sqlite3.Connection, loaded: set[str]) -> bool:
        """Whether there is more."""
        digests = [row[0] for row in tx.execute("SELECT digest FROM image_garbage LIMIT ?", (TAKEN_TOGETHER,))]
        for digest in digests:
            if not _is_had(tx, digest) and digest not in loaded:
                self._store.delete(digest)
            tx.execute("DELETE FROM image_garbage WHERE digest = ?", (digest,))
        return len(digests) == TAKEN_TOGETHER

    def _sweep(self, loaded: set[str]) -> None:
        oldest, strays = time.time() - STRAY_SECONDS, []  # the file system's clock, not Cloche's
        rows = self._database.reader.execute("SELECT digest FROM image_layers UNION SELECT digest FROM images")
        known = loaded.union(row[0] for row in rows)  # a manifest lies there, too, once its image has run
        for digest in map(str, self._store.digests()):
            if digest in known:
                continue
            with suppress(FileNotFoundError):
                if self._store.path(digest).stat().st_mtime < oldest:
                    strays.append((digest,))
        if strays:
            log.info("%d blobs that no image has are removed", len(strays))
            self._database.write(lambda tx: tx.executemany("INSERT OR IGNORE INTO image_garbage VALUES (?)", strays))
            while self._database.write(lambda tx: self._remove_garbage(tx, loaded)):
                pass
        self._store.sweep()


def named_in_layout(store: BlobStore) -> set[str]:
    """Digests of all that the images need which the layout's own index names: those that were loaded from files. Every
    digest that stands in one of their documents counts, whatever it means there."""
    found: set[str] = set()
    texts = [(store.root / "index.json").read_text()]
    while texts:
        for digest in DIGEST.findall(texts.pop()):
            if digest in found or not store.has(digest):
                continue
            found.add(digest)
            if store.size(digest) <= MANIFEST_BYTES_MAX:
                texts.append(store.read(digest, MANIFEST_BYTES_MAX).decode("latin-1"))
    return found


def _is_had(connection: sqlite3.Connection, digest: str) -> bool:
    return connection.execute("SELECT 1 FROM image_layers WHERE digest = ? LIMIT 1", (digest,)).fetchone() is not None


def _end_uploads(tx: sqlite3.Connection, now: float) -> list[str]:
    before = now - UPLOAD_SECONDS_MAX
    ids = [row[0] for row in tx.execute("SELECT id FROM image_uploads WHERE begun_at <= ?", (before,))]
    tx.execute("DELETE FROM image_uploads WHERE begun_at <= ?", (before,))
    return ids


def _drop_layers(tx: sqlite3.Connection, now: float) -> None:
    where, before = f"{_IDLE} AND unused_since <= ?", (now - UNUSED_SECONDS,)
    tx.execute(f"INSERT OR IGNORE INTO image_garbage SELECT digest FROM image_layers WHERE {where}", before)  # noqa: S608
    tx.execute(f"DELETE FROM image_layers WHERE {where}", before)  # noqa: S608
