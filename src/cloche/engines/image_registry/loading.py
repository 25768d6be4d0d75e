"""Images that were loaded from files are seen in the registry, too: in a repository of that name in the home account.

They stand in the layout's own ``index.json``, which a command line writes while the server runs or not; it is looked at
when it has changed. What was taken over once is remembered, so that an image which is deleted here stays deleted.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from functools import partial
from typing import Final

from cloche.compute.images.store import BlobStore
from cloche.engines.image_registry import images, layers, manifests, repositories
from cloche.engines.image_registry.manifests import MANIFEST_BYTES_MAX, TAG
from cloche.engines.image_registry.repositories import NAME, Repository
from cloche.foundation.clock import Clock
from cloche.foundation.errors import ClocheError
from cloche.storage.metadata.database import Database

log = logging.getLogger(__name__)
REFERENCE: Final = "org.opencontainers.image.ref.name"
"""github.com/opencontainers/image-spec, annotations.md"""
_REFERENCE: Final = re.compile(r"(?P<name>[^:]+):(?P<tag>[^:]+)")
ASPECT: Final = "loaded"


class Loading:
    def __init__(self, store: BlobStore, database: Database, clock: Clock, account: str, region: str) -> None:
        self._store, self._database, self._clock = store, database, clock
        self._account, self._region = account, region
        self._index = store.root / "index.json"
        self._seen = 0

    def next_at(self) -> float | None:
        return None if self._index.stat().st_mtime_ns == self._seen else 0.0

    def run(self, now: float) -> None:
        """A repetition finds nothing more to take over. One image that cannot be does not stop the others."""
        seen = self._index.stat().st_mtime_ns
        try:
            entries = list(self._entries())
        except (ValueError, LookupError, AttributeError, TypeError):
            log.warning("%s is no index of an OCI image layout; no image is taken over from it", self._index)
            entries = []
        for name, tag, digest in entries:
            try:
                self._database.write(partial(self._take, name=name, tag=tag, digest=digest))
            except ClocheError as error:
                log.info("the loaded image %s:%s is not in the registry: %s", name, tag, error.message)
        self._seen = seen

    def _entries(self) -> Iterator[tuple[str, str, str]]:
        for entry in json.loads(self._index.read_bytes())["manifests"]:
            found = _REFERENCE.fullmatch((entry.get("annotations") or {}).get(REFERENCE, ""))
            if found and NAME.fullmatch(found["name"]) and TAG.fullmatch(found["tag"]):
                yield found["name"], found["tag"], entry["digest"]

    def _take(self, tx: sqlite3.Connection, name: str, tag: str, digest: str) -> None:
        where = (self._account, self._region, f"{ASPECT} {name}:{tag}")
        held = tx.execute(
            "SELECT document FROM image_registries WHERE account = ? AND region = ? AND aspect = ?", where
        ).fetchone()
        if held is not None and json.loads(held[0]) == digest:
            return
        at = self._clock.time()
        repository = repositories.find(tx, self._account, self._region, name)
        if repository is None:
            repository = repositories.create(tx, self._account, self._region, name, at, {})
        self._put(tx, repository, digest, tag, at)
        tx.execute("INSERT OR REPLACE INTO image_registries VALUES (?, ?, ?, ?)", (*where, json.dumps(digest)))

    def _put(self, tx: sqlite3.Connection, repository: Repository, digest: str, tag: str | None, at: float) -> None:
        """With what a list names before it. Raises what is wrong with it."""
        if images.find(tx, repository, digest=digest) is not None and tag is None:
            return
        given = manifests.read(self._store.read(digest, MANIFEST_BYTES_MAX))
        for child in given.children:
            self._put(tx, repository, child.digest, None, at)
        for part in given.blobs:
            if self._store.has(part.digest):
                layers.add(tx, repository, part.digest, self._store.size(part.digest), at)
        images.put(tx, repository, given, tag, at, again=True)
