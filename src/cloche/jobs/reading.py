"""What a job read: which version of which object, at the moment it was laid out for the job.

Objects in S3 change under their names; a job's inputs are hard links to the versions that were there when it was
staged. These are noted while staging (``note``), kept before the job begins, and go with it: by then its
lineage tells the data that trained a model from what lies there now.

The digest is SHA-256 over the objects in the order of their keys, each as its address, version and ETag. It is the
same for the same objects, however many hosts shared them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from cloche.jobs.inputs import S3Input
from cloche.storage.metadata.database import Database
from cloche.storage.objects import ObjectInfo

LISTED_MAX: Final = 1_000
"""Objects of one input that are listed one by one; the digest covers all of them."""

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "job-inputs-1",
        """
        CREATE TABLE job_inputs (
            job TEXT NOT NULL,
            input TEXT NOT NULL,
            uri TEXT NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            digest TEXT NOT NULL,
            objects TEXT NOT NULL,
            PRIMARY KEY (job, input)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
    # What a job read is on its lineage by then; one made anew under its name has read nothing.
    (
        "job-inputs-2",
        """
        CREATE TRIGGER job_inputs_removed AFTER DELETE ON records WHEN OLD.kind LIKE 'sagemaker/%Job'
            BEGIN DELETE FROM job_inputs WHERE job = OLD.arn; END
        """,
    ),
]

_Seen = dict[tuple[str, str], tuple[str, str, int]]
"""(bucket, key) → (version, ETag, size)."""


@dataclass(frozen=True, slots=True)
class InputRead:
    """One input of one job."""

    name: str
    uri: str
    count: int
    bytes: int
    digest: str
    objects: tuple[tuple[str, str, str, int], ...]
    """(address, version, ETag, size) of the first of them."""


@dataclass(slots=True)
class _Reading:
    inputs: dict[tuple[str, str], _Seen] = field(default_factory=dict)


_now: ContextVar[_Reading | None] = ContextVar("reading", default=None)


def note(input: S3Input, info: ObjectInfo) -> None:
    """This version is what the job gets as part of ``input``. Nothing where nobody reads for a job."""
    reading = _now.get()
    if reading is not None:
        seen = reading.inputs.setdefault((input.name, input.uri), {})
        seen[info.bucket, info.key] = (info.version, info.etag, info.size)


class Readings:
    """Keeps what jobs read. Safe for several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def of(self, job: str) -> Iterator[None]:
        """What is noted inside, in this thread, is what ``job`` reads; a repeated staging begins anew.

        It is kept by a change that is queued at the end and not waited for: before the process has begun, or with the
        transition that says so, which is queued behind it.
        """
        reading = _Reading()
        token = _now.set(reading)
        try:
            yield
        finally:
            _now.reset(token)
        if reading.inputs:
            self._database.submit(lambda tx: _keep(tx, job, reading))


def _keep(tx: sqlite3.Connection, job: str, reading: _Reading) -> None:
    tx.execute("DELETE FROM job_inputs WHERE job = ?", (job,))
    for (name, uri), seen in reading.inputs.items():
        ordered = sorted((f"s3://{bucket}/{key}", *rest) for (bucket, key), rest in seen.items())
        digest = hashlib.sha256()
        for address, version, etag, _ in ordered:
            digest.update(orjson.dumps([address, version, etag]) + b"\n")
        size = sum(each[3] for each in ordered)
        listed = orjson.dumps(ordered[:LISTED_MAX]).decode()
        tx.execute(
            "INSERT OR REPLACE INTO job_inputs VALUES (?, ?, ?, ?, ?, ?, ?)",
            (job, name, uri, len(ordered), size, digest.hexdigest(), listed),
        )


def inputs_read(connection: sqlite3.Connection, job: str) -> list[InputRead]:
    rows = connection.execute("SELECT * FROM job_inputs WHERE job = ? ORDER BY input", (job,))
    return [_from_row(row) for row in rows]


def _from_row(row: sqlite3.Row) -> InputRead:
    objects: list[Any] = orjson.loads(row["objects"])
    return InputRead(
        row["input"], row["uri"], row["count"], row["bytes"], row["digest"], tuple(tuple(each) for each in objects)
    )
