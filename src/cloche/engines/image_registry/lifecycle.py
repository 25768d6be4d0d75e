"""Lifecycle policies at work: each repository that has one is looked at once a day of Cloche's clock.

AWS promises no more than that images go within 24 hours after a policy lets them (LifecyclePolicies.html); the first
look is a day after the policy was put, which leaves time to see its preview and think better of it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from cloche.engines.image_registry import images, lifecycle_rules, repositories
from cloche.engines.image_registry.errors import ImageReferenced
from cloche.engines.image_registry.lifecycle_rules import DAY, Candidate, Expiring
from cloche.engines.image_registry.repositories import REPOSITORY, Repository
from cloche.foundation.clock import Clock
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database

log = logging.getLogger(__name__)
TAKEN_TOGETHER: Final = 100
"""Images that go in one transaction."""
Gone = Callable[[sqlite3.Connection, Repository, images.Image, Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Policy:
    text: str
    evaluated_at: float | None
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Preview:
    text: str
    results: Sequence[dict[str, Any]]
    """``digest``, ``tags``, ``pushed_at`` and ``priority`` of what would go, oldest first."""


class Lifecycles:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self.gone: Gone = lambda tx, repository, image, tags: None
        """Told of each image that a policy lets go, in the transaction that does. Set before serving."""
        self.poke: Callable[[], None] = lambda: None
        """Told when something may fall due earlier; set before serving."""

    def get(self, repository: Repository) -> Policy | None:
        row = self._database.reader.execute(
            "SELECT policy, evaluated_at FROM image_lifecycles WHERE repository = ?", (repository.id,)
        ).fetchone()
        return None if row is None else Policy(row["policy"], row["evaluated_at"])

    def put(self, repository: Repository, text: str) -> None:
        """Raises ``Invalid``, ``NotSupported``, ``RepositoryUnknown``."""
        lifecycle_rules.read(text)

        def change(tx: sqlite3.Connection) -> None:
            repositories.again(tx, repository)
            tx.execute(
                "INSERT INTO image_lifecycles VALUES (?, ?, ?, NULL) ON CONFLICT DO UPDATE SET"
                " policy = excluded.policy, due_at = excluded.due_at, evaluated_at = NULL",
                (repository.id, text, self._clock.time() + DAY),
            )

        self._database.write(change)
        self.poke()

    def delete(self, repository: Repository) -> None:
        self._database.write(
            lambda tx: tx.execute("DELETE FROM image_lifecycles WHERE repository = ?", (repository.id,))
        )

    def preview(self, repository: Repository, text: str) -> Preview:
        """What a policy would let go now, kept until the next. Raises as ``put`` does."""
        rules = lifecycle_rules.read(text)
        found = lifecycle_rules.evaluate(rules, _candidates(self._database.reader, repository), self._clock.time())
        results = [_result(each) for each in found]

        def change(tx: sqlite3.Connection) -> None:
            repositories.again(tx, repository)
            tx.execute(
                "INSERT INTO image_lifecycle_previews VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET"
                " policy = excluded.policy, results = excluded.results",
                (repository.id, text, json.dumps(results)),
            )

        self._database.write(change)
        return Preview(text, results)

    def previewed(self, repository: Repository) -> Preview | None:
        row = self._database.reader.execute(
            "SELECT policy, results FROM image_lifecycle_previews WHERE repository = ?", (repository.id,)
        ).fetchone()
        return None if row is None else Preview(row["policy"], json.loads(row["results"]))

    # -- what falls due ------------------------------------------------------------------------------------

    def next_at(self) -> float | None:
        row = self._database.reader.execute("SELECT min(due_at) FROM image_lifecycles").fetchone()
        return None if row is None else row[0]

    def run(self, now: float) -> None:
        """Look at every repository whose day has come. A repetition finds nothing more to let go."""
        due = self._database.reader.execute(
            "SELECT repository, policy FROM image_lifecycles WHERE due_at <= ? ORDER BY due_at", (now,)
        ).fetchall()
        for row in due:
            record = records.read_by_id(self._database.reader, row["repository"])
            if record is not None and record.kind == REPOSITORY:
                self._expire(repositories.of_record(record), row["policy"], now)
            self._database.write(partial(_looked_at, repository=row["repository"], now=now))

    def _expire(self, repository: Repository, text: str, now: float) -> None:
        rules = lifecycle_rules.read(text)
        found = lifecycle_rules.evaluate(rules, _candidates(self._database.reader, repository), now)
        for start in range(0, len(found), TAKEN_TOGETHER):
            group = [each.image for each in found[start : start + TAKEN_TOGETHER]]
            self._database.write(partial(self._remove, repository=repository, group=group, now=now))
        if found:
            log.info("%d images of %s have expired by its lifecycle policy", len(found), repository.arn)

    def _remove(self, tx: sqlite3.Connection, repository: Repository, group: list[Candidate], now: float) -> None:
        for each in group:
            image = images.find(tx, repository, digest=each.digest)
            tags = images.tags_of(tx, repository, each.digest)
            if image is None or list(each.tags) != tags:  # it was pushed or tagged again meanwhile
                continue
            try:
                images.delete(tx, repository, image, now)
            except ImageReferenced:
                continue
            self.gone(tx, repository, image, tags)


def _looked_at(tx: sqlite3.Connection, repository: int, now: float) -> None:
    tx.execute(
        "UPDATE image_lifecycles SET due_at = ?, evaluated_at = ? WHERE repository = ? AND due_at <= ?",
        (now + DAY, now, repository, now),
    )


def _candidates(connection: sqlite3.Connection, repository: Repository) -> list[Candidate]:
    tags: dict[str, list[str]] = {}
    for row in connection.execute(
        "SELECT tag, digest FROM image_tags WHERE repository = ? ORDER BY tag", (repository.id,)
    ):
        tags.setdefault(row["digest"], []).append(row["tag"])
    parents: dict[str, list[str]] = {}
    for row in connection.execute("SELECT part, image FROM image_parts WHERE repository = ?", (repository.id,)):
        parents.setdefault(row["part"], []).append(row["image"])
    return [
        Candidate(
            row["digest"],
            tags.get(row["digest"], ()),
            row["pushed_at"],
            row["pulled_at"],
            parents.get(row["digest"], ()),
        )
        for row in connection.execute(
            "SELECT digest, pushed_at, pulled_at FROM images WHERE repository = ?", (repository.id,)
        )
    ]


def _result(each: Expiring) -> dict[str, Any]:
    image = each.image
    return {
        "digest": image.digest,
        "tags": list(image.tags),
        "pushed_at": image.pushed_at,
        "priority": each.priority,
    }
