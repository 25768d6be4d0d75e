"""Which blobs a repository has. A blob lies in the store once, and each repository that was given it has a row.

A layer that no image needs is kept for a day after it came, or after the last image that needed it went: a push sends
its layers first and the manifest that needs them last.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from cloche.engines.image_registry.errors import LayerInUse, LayersUnknown
from cloche.engines.image_registry.manifests import Part
from cloche.engines.image_registry.repositories import Repository

UNUSED_SECONDS: Final = 86_400.0
TOUCHED_SECONDS: Final = 3_600.0
"""One that somebody asked for, perhaps to push no second time, is kept for another day; written so often at most."""


def size(connection: sqlite3.Connection, repository: Repository, digest: str) -> int | None:
    """In bytes; ``None`` where the repository has no such layer."""
    row = connection.execute(
        "SELECT size FROM image_layers WHERE repository = ? AND digest = ?", (repository.id, digest)
    ).fetchone()
    return None if row is None else row[0]


def is_used(connection: sqlite3.Connection, repository: Repository, digest: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM image_parts WHERE repository = ? AND part = ? LIMIT 1", (repository.id, digest)
    ).fetchone()
    return row is not None


def add(tx: sqlite3.Connection, repository: Repository, digest: str, size_bytes: int, at: float) -> None:
    """The blob must be in the store, which is looked at in the same transaction."""
    tx.execute(
        "INSERT INTO image_layers VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET unused_since = iif(unused_since IS NULL, NULL, excluded.unused_since)",
        (repository.id, digest, size_bytes, at),
    )


def is_old(connection: sqlite3.Connection, repository: Repository, digest: str, at: float) -> bool:
    """Whether it waits for an image since so long that ``touch`` is due."""
    row = connection.execute(
        "SELECT 1 FROM image_layers WHERE repository = ? AND digest = ? AND unused_since < ?",
        (repository.id, digest, at - TOUCHED_SECONDS),
    ).fetchone()
    return row is not None


def touch(tx: sqlite3.Connection, repository: Repository, digest: str, at: float) -> None:
    tx.execute(
        "UPDATE image_layers SET unused_since = ? WHERE repository = ? AND digest = ? AND unused_since IS NOT NULL",
        (at, repository.id, digest),
    )


def use(tx: sqlite3.Connection, repository: Repository, parts: Sequence[Part]) -> list[Part]:
    """An image needs these from now on. Answers those whose size is another than the manifest says. Raises
    ``LayersUnknown``."""
    missing, other = [], []
    for part in parts:
        held = size(tx, repository, part.digest)
        if held is None:
            missing.append(part.digest)
        elif held != part.size:
            other.append(part)
        else:
            tx.execute(
                "UPDATE image_layers SET unused_since = NULL"
                " WHERE repository = ? AND digest = ? AND unused_since IS NOT NULL",
                (repository.id, part.digest),
            )
    if missing:
        raise LayersUnknown(list(dict.fromkeys(missing)), repository.name, repository.account)
    return other


def let_go(tx: sqlite3.Connection, repository: Repository, digests: Iterable[str], at: float) -> None:
    """An image that needed these has gone."""
    for digest in digests:
        if not is_used(tx, repository, digest):
            tx.execute(
                "UPDATE image_layers SET unused_since = ? WHERE repository = ? AND digest = ?",
                (at, repository.id, digest),
            )


def delete(tx: sqlite3.Connection, repository: Repository, digest: str) -> None:
    """Raises ``LayersUnknown``, and ``LayerInUse`` while an image needs it."""
    if size(tx, repository, digest) is None:
        raise LayersUnknown([digest], repository.name, repository.account)
    if is_used(tx, repository, digest):
        raise LayerInUse(f"The layer {digest} is needed by an image of the repository '{repository.name}'")
    tx.execute("DELETE FROM image_layers WHERE repository = ? AND digest = ?", (repository.id, digest))
    tx.execute("INSERT OR IGNORE INTO image_garbage VALUES (?)", (digest,))
