"""``ImageRegistry``: the whole of it, as ECR's operations and the registry protocol see it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

from cloche.compute.images.finding import ManifestFound
from cloche.compute.images.store import BlobStore
from cloche.engines.image_registry import images, layers, repositories, tokens
from cloche.engines.image_registry.collecting import Collector
from cloche.engines.image_registry.images import Image
from cloche.engines.image_registry.lifecycle import Lifecycles
from cloche.engines.image_registry.loading import Loading
from cloche.engines.image_registry.manifests import Manifest
from cloche.engines.image_registry.repositories import REPOSITORY, Repository
from cloche.engines.image_registry.tokens import Holder
from cloche.engines.image_registry.uploads import Uploads
from cloche.foundation.agenda import Agenda
from cloche.foundation.clock import Clock
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.database import Database

MOUNTING: Final = "BLOB_MOUNTING"


class ImageRegistry:
    """``account`` and ``region`` are home: there images are seen that were loaded from files."""

    def __init__(self, store: BlobStore, database: Database, clock: Clock, account: str, region: str) -> None:
        self.store = store
        self._database, self._clock = database, clock
        self.uploads = Uploads(store, database, clock)
        self.lifecycles = Lifecycles(database, clock)
        self.collector = Collector(store, database, clock, self.uploads)
        self.loading = Loading(store, database, clock, account, region)
        self._poke: Callable[[], None] = lambda: None
        self.happened: Callable[[sqlite3.Connection, Repository, str, Image, str], None] = lambda *told: None
        """Told of each image that was pushed or deleted, in that transaction: ``PUSH`` or ``DELETE``, and its tag (or
        none). Set before serving."""
        self.lifecycles.gone = self._told_gone
        self.link: Callable[[str], str]
        """Makes a link to a layer that is good for a while; set before serving."""

    def join(self, agenda: Agenda) -> None:
        self._poke = self.lifecycles.poke = agenda.poke
        agenda.add("images loaded from files", self.loading.next_at, self.loading.run)
        agenda.add("lifecycle policies of images", self.lifecycles.next_at, self.lifecycles.run)
        agenda.add("image layers that nobody needs", self.collector.next_at, self.collector.run)

    def close(self) -> None:
        self.uploads.close()

    def abandon(self, account: str) -> None:
        """All repositories of an account go, with what is in them."""
        rows = self._database.reader.execute(
            "SELECT * FROM records WHERE account = ? AND kind = ?", (account, REPOSITORY)
        ).fetchall()
        for row in rows:
            self.delete(repositories.of_record(records.from_row(row)), force=True)

    # -- repositories --------------------------------------------------------------------------------------

    def create(
        self, account: str, region: str, name: str, settings: dict[str, Any], pairs: Sequence[tuple[str, str]] = ()
    ) -> Repository:
        """Raises ``RepositoryExists``."""

        def change(tx: sqlite3.Connection) -> Repository:
            made = repositories.create(tx, account, region, name, self._clock.time(), settings)
            tags.put(tx, made.arn, pairs)
            return made

        return self._database.write(change)

    def get(self, account: str, region: str, name: str) -> Repository:
        """Raises ``RepositoryUnknown``."""
        return repositories.get(self._database.reader, account, region, name)

    def change(self, repository: Repository, **settings: Any) -> Repository:
        return self._database.write(lambda tx: repositories.change(tx, repository, self._clock.time(), **settings))

    def delete(self, repository: Repository, *, force: bool = False) -> None:
        """Raises ``RepositoryNotEmpty``, ``RepositoryUnknown``."""
        self._database.write(lambda tx: repositories.delete(tx, repository, force=force))
        self._poke()

    # -- images --------------------------------------------------------------------------------------------

    def find(self, repository: Repository, reference: str) -> tuple[Image, bytes] | None:
        """An image by tag or digest, with its manifest."""
        reader = self._database.reader
        image = images.referred(reader, repository, reference)
        return None if image is None else (image, images.manifest(reader, image))

    def found(self, account: str, region: str, name: str, reference: str) -> ManifestFound | None:
        """The manifest of an image that is to be run; ``None`` where there is no such repository or image."""
        repository = repositories.find(self._database.reader, account, region, name)
        found = None if repository is None else self.find(repository, reference)
        if repository is None or found is None:
            return None
        self.pulled(found[0])
        return ManifestFound(found[0].digest, found[0].media_type, found[1])

    def put(self, repository: Repository, given: Manifest, tag: str | None, *, again: bool) -> Image:
        """See ``images.put``."""

        def change(tx: sqlite3.Connection) -> Image:
            at = self._clock.time()
            held = repositories.again(tx, repository)
            image = images.put(tx, held, given, tag, at, again=again)
            self.happened(tx, held, "PUSH", image, tag or "")
            return image

        return self._database.write(change)

    def delete_image(self, repository: Repository, *, digest: str | None = None, tag: str | None = None) -> list[str]:
        """By its digest, an image with all its tags; by a tag, the tag, and the image with its last one
        (API_BatchDeleteImage.html). Answers the tags that went. Raises ``ImageUnknown``, ``ImageReferenced``."""

        def change(tx: sqlite3.Connection) -> list[str]:
            image = images.get(tx, repository, digest=digest, tag=tag)
            held = images.tags_of(tx, repository, image.digest)
            if tag is not None and digest is None and held != [tag]:
                images.untag(tx, repository, tag)
                return [tag]
            images.delete(tx, repository, image, self._clock.time())
            self._told_gone(tx, repository, image, held)
            return held

        gone = self._database.write(change)
        self._poke()
        return gone

    def untag(self, repository: Repository, tag: str) -> None:
        """The registry protocol's deletion of a tag, which leaves the image. Raises ``ImageUnknown``."""

        def change(tx: sqlite3.Connection) -> None:
            images.get(tx, repository, tag=tag)
            images.untag(tx, repository, tag)

        self._database.write(change)

    def pulled(self, image: Image) -> None:
        """Somebody pulls it; told now and then, and nobody waits for it."""
        now = self._clock.time()
        if not images.is_pull_told(image, now):
            self._database.submit(lambda tx: images.pulled(tx, image, now))

    def _told_gone(self, tx: sqlite3.Connection, repository: Repository, image: Image, held: Sequence[str]) -> None:
        for tag in held or ("",):
            self.happened(tx, repository, "DELETE", image, tag)

    # -- layers --------------------------------------------------------------------------------------------

    def layer_size(self, repository: Repository, digest: str) -> int | None:
        """``None`` where the repository has no such layer. One that waits for its image waits on from now."""
        reader = self._database.reader
        size = layers.size(reader, repository, digest)
        if size is not None and layers.is_old(reader, repository, digest, self._clock.time()):
            self._database.write(lambda tx: layers.touch(tx, repository, digest, self._clock.time()))
        return size

    def mount(self, source: Repository, target: Repository, digest: str) -> bool:
        """Give ``target`` a layer that ``source`` has; whether that could be."""

        def change(tx: sqlite3.Connection) -> bool:
            size = layers.size(tx, source, digest)
            if size is None or not self.store.has(digest):
                return False
            layers.add(tx, repositories.again(tx, target), digest, size, self._clock.time())
            return True

        return self._database.write(change)

    def delete_layer(self, repository: Repository, digest: str) -> None:
        """Raises ``LayersUnknown``, ``LayerInUse``."""
        self._database.write(lambda tx: layers.delete(tx, repository, digest))
        self._poke()

    # -- who may come in -----------------------------------------------------------------------------------

    def token(self, holder: Holder) -> tuple[str, float]:
        """An authorization token, and when it expires (seconds since 1970)."""
        return tokens.make(self._secret(), holder, self._clock.time())

    def holder(self, authorization: str) -> Holder:
        """Raises ``TokenRefused``."""
        return tokens.read(self._secret(), authorization, self._clock.time())

    def _secret(self) -> bytes:
        return records.page_secret(self._database.reader)

    # -- what holds for a whole registry -------------------------------------------------------------------

    def document(self, account: str, region: str, aspect: str) -> Any:
        """``None`` where nobody has put one."""
        row = self._database.reader.execute(
            "SELECT document FROM image_registries WHERE account = ? AND region = ? AND aspect = ?",
            (account, region, aspect),
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def keep_document(self, account: str, region: str, aspect: str, document: Any) -> None:
        """``None`` takes it away."""

        def change(tx: sqlite3.Connection) -> None:
            where = (account, region, aspect)
            tx.execute("DELETE FROM image_registries WHERE account = ? AND region = ? AND aspect = ?", where)
            if document is not None:
                tx.execute("INSERT INTO image_registries VALUES (?, ?, ?, ?)", (*where, json.dumps(document)))

        self._database.write(change)
