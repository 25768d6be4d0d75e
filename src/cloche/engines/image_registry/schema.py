"""The tables of the image registry; repositories themselves are records, and blobs lie in the store of images.

``repository`` is the id of a record. ``image_layers`` is what a repository has of blobs; ``unused_since`` is when the
last image that needed one went (or when it came, until an image needs it): such blobs go after a while. Once no
repository has one any more it is ``image_garbage``, until its file is gone. ``image_parts`` tells which layers and
which other images each manifest names.
"""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "image-registry-1",
        """
        CREATE TABLE images (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            repository INTEGER NOT NULL,
            digest TEXT NOT NULL,
            media_type TEXT NOT NULL,
            artifact_type TEXT NOT NULL,
            subject TEXT,
            annotations TEXT NOT NULL,
            manifest BLOB NOT NULL,
            size INTEGER NOT NULL,
            depth INTEGER NOT NULL,
            pushed_at REAL NOT NULL,
            pulled_at REAL
        ) STRICT;
        CREATE UNIQUE INDEX images_by_digest ON images (repository, digest);
        CREATE INDEX images_by_subject ON images (repository, subject, digest);
        CREATE TABLE image_tags (
            repository INTEGER NOT NULL,
            tag TEXT NOT NULL,
            digest TEXT NOT NULL,
            PRIMARY KEY (repository, tag)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX image_tags_by_digest ON image_tags (repository, digest, tag);
        CREATE TABLE image_parts (
            repository INTEGER NOT NULL,
            part TEXT NOT NULL,
            image TEXT NOT NULL,
            PRIMARY KEY (repository, part, image)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX image_parts_of_image ON image_parts (repository, image);
        CREATE TABLE image_layers (
            repository INTEGER NOT NULL,
            digest TEXT NOT NULL,
            size INTEGER NOT NULL,
            unused_since REAL,
            PRIMARY KEY (repository, digest)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX image_layers_by_digest ON image_layers (digest);
        CREATE INDEX image_layers_unused ON image_layers (unused_since) WHERE unused_since IS NOT NULL;
        CREATE TABLE image_garbage (digest TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
        CREATE TABLE image_uploads (
            id TEXT PRIMARY KEY,
            repository INTEGER NOT NULL,
            begun_at REAL NOT NULL,
            last_part_bytes INTEGER,
            has_short_part INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX image_uploads_by_age ON image_uploads (begun_at);
        CREATE INDEX image_uploads_of_repository ON image_uploads (repository);
        CREATE TABLE image_lifecycles (
            repository INTEGER PRIMARY KEY,
            policy TEXT NOT NULL,
            due_at REAL NOT NULL,
            evaluated_at REAL
        ) STRICT;
        CREATE INDEX image_lifecycles_by_time ON image_lifecycles (due_at);
        CREATE TABLE image_lifecycle_previews (
            repository INTEGER PRIMARY KEY,
            policy TEXT NOT NULL,
            results TEXT NOT NULL
        ) STRICT;
        CREATE TABLE image_registries (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            aspect TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (account, region, aspect)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
]
OF_REPOSITORY: Final = (
    "images",
    "image_tags",
    "image_parts",
    "image_layers",
    "image_uploads",
    "image_lifecycles",
    "image_lifecycle_previews",
)
