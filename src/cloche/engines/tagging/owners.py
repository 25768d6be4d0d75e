"""Those who have resources with tags, as far as storage tells them apart."""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cloche.foundation.errors import Invalid, LimitReached, NotFound
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.tag_index import Tagged
from cloche.storage.objects import BucketNotFound, ObjectStore

TAGS_MAX: Final = 50
"""docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html: user-created tags per resource."""
TAGGING: Final = "Tagging"
"""The aspect of a bucket's configuration."""
Pairs = Sequence[tuple[str, str]]


class Owner(Protocol):
    """All raise ``NotFound`` for a resource that is not there or another account's, ``Invalid`` for an ARN that
    names none of theirs, ``LimitReached`` for too many tags. ``region`` is the one that the request is for."""

    def owns(self, arn: str) -> bool:
        """By its form alone."""

    def tag(self, account: str, region: str, arn: str, pairs: Pairs) -> None:
        """Add tags; a key that is there gets the new value."""

    def untag(self, account: str, region: str, arn: str, keys: Sequence[str]) -> None:
        """Keys that are not there are passed over."""

    def listed(self, account: str, region: str) -> Sequence[Tagged]:
        """What has tags and is not in the index; few enough to be looked through."""


class _Indexed(ABC):
    """An owner whose tags are rows of the index: in one transaction, the resource is looked for and changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tag(self, account: str, region: str, arn: str, pairs: Pairs) -> None:
        def change(tx: sqlite3.Connection) -> None:
            known = self.find(tx, account, region, arn)
            tags.put(tx, known, pairs)
            if len(tags.read(tx, known)) > TAGS_MAX:
                raise LimitReached(f"{known} may not have more than {TAGS_MAX} tags")

        self._database.write(change)

    def untag(self, account: str, region: str, arn: str, keys: Sequence[str]) -> None:
        self._database.write(lambda tx: tags.remove(tx, self.find(tx, account, region, arn), keys))

    def listed(self, account: str, region: str) -> Sequence[Tagged]:
        return ()

    @abstractmethod
    def find(self, tx: sqlite3.Connection, account: str, region: str, arn: str) -> str:
        """The ARN under which the resource is kept."""


class RecordOwner(_Indexed):
    """Nouns that are records: SageMaker's, CloudWatch's dashboards."""

    def __init__(self, database: Database, services: Sequence[str]) -> None:
        super().__init__(database)
        self._prefixes = tuple(f"arn:aws:{service}:" for service in services)

    def owns(self, arn: str) -> bool:
        return arn.startswith(self._prefixes)

    def find(self, tx: sqlite3.Connection, account: str, region: str, arn: str) -> str:
        checked(arn, account, region)
        if records.find_arn(tx, arn) is None:
            raise _missing(arn)
        return arn


class LogGroupOwner(_Indexed):
    def owns(self, arn: str) -> bool:
        return arn.startswith("arn:aws:logs:") and ":log-group:" in arn

    def find(self, tx: sqlite3.Connection, account: str, region: str, arn: str) -> str:
        arn = arn.removesuffix(":*")
        checked(arn, account, region)
        name = arn.split(":", 6)[6]
        found = tx.execute(
            "SELECT 1 FROM log_groups WHERE account = ? AND region = ? AND name = ?", (account, region, name)
        )
        if found.fetchone() is None:
            raise _missing(arn)
        return arn


class BucketOwner:
    """A bucket's tags are an aspect of its configuration; the index follows by triggers (``following``)."""

    def __init__(self, objects: ObjectStore) -> None:
        self._buckets = objects.buckets
        self._lock = threading.Lock()

    def owns(self, arn: str) -> bool:
        return arn.startswith("arn:aws:s3:::")

    def tag(self, account: str, region: str, arn: str, pairs: Pairs) -> None:
        self._change(account, arn, lambda held: {**held, **dict(pairs)})

    def untag(self, account: str, region: str, arn: str, keys: Sequence[str]) -> None:
        self._change(account, arn, lambda held: {key: value for key, value in held.items() if key not in keys})

    def listed(self, account: str, region: str) -> Sequence[Tagged]:
        return ()

    def _change(self, account: str, arn: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        name = arn.removeprefix("arn:aws:s3:::")
        if "/" in name:
            raise Invalid(f"{arn} is an object; objects are tagged by PutObjectTagging")
        with self._lock:
            try:
                bucket = self._buckets.get(name)
            except BucketNotFound:
                raise _missing(arn) from None
            if bucket.account != account:
                raise _missing(arn)
            held = change(dict(bucket.configuration.get(TAGGING) or {}))
            if len(held) > TAGS_MAX:
                raise LimitReached(f"{arn} may not have more than {TAGS_MAX} tags")
            self._buckets.configure(name, TAGGING, held or None)


def checked(arn: str, account: str, region: str) -> None:
    """Raises where the ARN names another account's or region's resource."""
    _, _, _, in_region, in_account, _ = arn.split(":", 5)
    if in_region not in ("", region):
        raise Invalid(f"{arn} is not in the region {region}")
    if in_account != account:
        raise _missing(arn)


def _missing(arn: str) -> NotFound:
    return NotFound(f"There is no resource {arn}")
