"""Images of a repository: manifests by digest, tags that lead to one, and what each needs.

An image is there or not by one row; whatever it names was there in the transaction that wrote it, and stays for as long
as it does. Functions that take ``tx`` run inside ``database.write``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cloche.engines.image_registry import layers
from cloche.engines.image_registry.errors import (
    ChildrenUnknown,
    ImageExists,
    ImageReferenced,
    ImageUnknown,
    ManifestInvalid,
    TagImmutable,
)
from cloche.engines.image_registry.manifests import DEPTH_MAX, DIGEST, INDEXES, Manifest
from cloche.engines.image_registry.repositories import Repository
from cloche.foundation.errors import LimitReached

TAGS_MAX: Final = 1_000
"""docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html: tags per image."""
PULLED_SECONDS: Final = 3_600.0
"""The time of the last pull is written so often at most; AWS does it at least daily (API_ImageDetail.html)."""


@dataclass(frozen=True, slots=True)
class Image:
    """A row, without the manifest itself."""

    id: int
    digest: str
    media_type: str
    artifact_type: str
    subject: str | None
    annotations: Mapping[str, str]
    size: int
    manifest_bytes: int
    depth: int
    pushed_at: float
    pulled_at: float | None


COLUMNS: Final = (
    "id, digest, media_type, artifact_type, subject, annotations, size, length(manifest) AS manifest_bytes, depth,"
    " pushed_at, pulled_at"
)


def of_row(row: sqlite3.Row) -> Image:
    columns = {name: row[name] for name in Image.__slots__}
    columns["annotations"] = json.loads(columns["annotations"])
    return Image(**columns)


def find(
    connection: sqlite3.Connection, repository: Repository, *, digest: str | None = None, tag: str | None = None
) -> Image | None:
    """By its digest, its tag, or both."""
    if tag is not None:
        held = digest_of_tag(connection, repository, tag)
        if held is None or digest not in (None, held):
            return None
        digest = held
    row = connection.execute(
        f"SELECT {COLUMNS} FROM images WHERE repository = ? AND digest = ?",  # noqa: S608 - our own words
        (repository.id, digest),
    ).fetchone()
    return None if row is None else of_row(row)


def referred(connection: sqlite3.Connection, repository: Repository, reference: str) -> Image | None:
    """By what stands after ``@`` or ``:`` in an image's name."""
    if DIGEST.fullmatch(reference):
        return find(connection, repository, digest=reference)
    return find(connection, repository, tag=reference)


def get(
    connection: sqlite3.Connection, repository: Repository, *, digest: str | None = None, tag: str | None = None
) -> Image:
    """Raises ``ImageUnknown``."""
    found = find(connection, repository, digest=digest, tag=tag)
    if found is None:
        said = f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"
        raise ImageUnknown(said, repository.name, repository.account)
    return found


def manifest(connection: sqlite3.Connection, image: Image) -> bytes:
    row = connection.execute("SELECT manifest FROM images WHERE id = ?", (image.id,)).fetchone()
    return b"" if row is None else bytes(row[0])


def digest_of_tag(connection: sqlite3.Connection, repository: Repository, tag: str) -> str | None:
    row = connection.execute(
        "SELECT digest FROM image_tags WHERE repository = ? AND tag = ?", (repository.id, tag)
    ).fetchone()
    return None if row is None else row[0]


def tags_of(connection: sqlite3.Connection, repository: Repository, digest: str) -> list[str]:
    rows = connection.execute(
        "SELECT tag FROM image_tags WHERE repository = ? AND digest = ? ORDER BY tag", (repository.id, digest)
    )
    return [row[0] for row in rows]


def parents_of(connection: sqlite3.Connection, repository: Repository, digest: str) -> list[str]:
    """The lists that name it."""
    rows = connection.execute(
        "SELECT image FROM image_parts WHERE repository = ? AND part = ? ORDER BY image", (repository.id, digest)
    )
    return [row[0] for row in rows]


def referrers(connection: sqlite3.Connection, repository: Repository, subject: str) -> list[Image]:
    """Images whose subject it is, whether it is there or not (distribution spec, "Listing Referrers")."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM images WHERE repository = ? AND subject = ? ORDER BY digest",  # noqa: S608
        (repository.id, subject),
    )
    return [of_row(row) for row in rows]


# -- changing ------------------------------------------------------------------------------------------------


def put(
    tx: sqlite3.Connection, repository: Repository, given: Manifest, tag: str | None, at: float, *, again: bool
) -> Image:
    """Keep a manifest, and have ``tag`` lead to it. With ``again`` one that is there under that tag is as good as put,
    as the registry protocol has it; without, it raises ``ImageExists``, as PutImage does.

    Raises ``LayersUnknown``, ``ChildrenUnknown``, ``ManifestInvalid`` for sizes that are not so, ``TagImmutable``,
    ``LimitReached`` for too many tags.
    """
    held = find(tx, repository, digest=given.digest)
    tagged = digest_of_tag(tx, repository, tag) if tag else None
    if held is not None and not again and (not tag or tagged == given.digest):
        raise ImageExists(given.digest, tag or "", repository.name, repository.account)
    if tag and tagged is not None and repository.is_immutable(tag):
        # also of the same image (aws/containers-roadmap#2179)
        raise TagImmutable(tag, repository.name)
    if held is None:
        held = _insert(tx, repository, given, at)
    if tag and tagged != given.digest:
        _tag(tx, repository, tag, given.digest)
    return held


def _insert(tx: sqlite3.Connection, repository: Repository, given: Manifest, at: float) -> Image:
    depth, size = 0, given.size
    if given.media_type in INDEXES:
        depth, size = _children(tx, repository, given)
    elif other := layers.use(tx, repository, [part for part in given.blobs if part.needed]):
        raise ManifestInvalid(f"the size of {other[0].digest} is not {other[0].size} bytes")
    tx.execute(
        "INSERT INTO images (repository, digest, media_type, artifact_type, subject, annotations, manifest, size,"
        " depth, pushed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            repository.id,
            given.digest,
            given.media_type,
            given.artifact_type,
            given.subject,
            json.dumps(dict(given.annotations)),
            given.content,
            size,
            depth,
            at,
        ),
    )
    parts = [part.digest for part in (*given.blobs, *given.children) if part.needed]
    tx.executemany(
        "INSERT OR IGNORE INTO image_parts VALUES (?, ?, ?)",
        [(repository.id, digest, given.digest) for digest in parts],
    )
    return get(tx, repository, digest=given.digest)


def _children(tx: sqlite3.Connection, repository: Repository, given: Manifest) -> tuple[int, int]:
    """How deep a list goes, and its size: that of the largest it names (API_ImageDetail.html)."""
    found = {part.digest: find(tx, repository, digest=part.digest) for part in given.children}
    if missing := [digest for digest, image in found.items() if image is None]:
        raise ChildrenUnknown(missing, repository.name, repository.account)
    images = [image for image in found.values() if image is not None]
    for part in given.children:
        image = found[part.digest]
        if image is not None and image.manifest_bytes != part.size:
            raise ManifestInvalid(f"the size of {part.digest} is not {part.size} bytes")
    depth = 1 + max((image.depth for image in images), default=0)
    if depth > DEPTH_MAX:
        raise ManifestInvalid(f"lists of lists may be {DEPTH_MAX} deep at most")
    return depth, max((image.size for image in images), default=0)


def _tag(tx: sqlite3.Connection, repository: Repository, tag: str, digest: str) -> None:
    count = tx.execute(
        "SELECT count(*) FROM image_tags WHERE repository = ? AND digest = ?", (repository.id, digest)
    ).fetchone()[0]
    if count >= TAGS_MAX:
        raise LimitReached(f"An image may not have more than {TAGS_MAX} tags.")
    tx.execute(
        "INSERT INTO image_tags VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET digest = excluded.digest",
        (repository.id, tag, digest),
    )


def untag(tx: sqlite3.Connection, repository: Repository, tag: str) -> None:
    tx.execute("DELETE FROM image_tags WHERE repository = ? AND tag = ?", (repository.id, tag))


def delete(tx: sqlite3.Connection, repository: Repository, image: Image, at: float) -> None:
    """With its tags. Raises ``ImageReferenced`` while a list names it."""
    if parents := parents_of(tx, repository, image.digest):
        raise ImageReferenced(parents)
    of_image = "repository = ? AND image = ?"
    parts = _column(tx, f"SELECT part FROM image_parts WHERE {of_image}", repository.id, image.digest)  # noqa: S608
    tx.execute(f"DELETE FROM image_parts WHERE {of_image}", (repository.id, image.digest))  # noqa: S608
    tx.execute("DELETE FROM image_tags WHERE repository = ? AND digest = ?", (repository.id, image.digest))
    tx.execute("DELETE FROM images WHERE id = ?", (image.id,))
    layers.let_go(tx, repository, parts, at)


def _column(connection: sqlite3.Connection, sql: str, *arguments: object) -> Sequence[str]:
    return [row[0] for row in connection.execute(sql, arguments)]


def is_pull_told(image: Image, at: float) -> bool:
    return image.pulled_at is not None and abs(at - image.pulled_at) < PULLED_SECONDS


def pulled(tx: sqlite3.Connection, image: Image, at: float) -> None:
    tx.execute("UPDATE images SET pulled_at = ? WHERE id = ?", (at, image.id))
