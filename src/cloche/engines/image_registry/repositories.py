"""Repositories: records of their account and region, whose name and host make the URI of an image."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cloche.engines.image_registry.errors import RepositoryExists, RepositoryNotEmpty, RepositoryUnknown
from cloche.engines.image_registry.schema import OF_REPOSITORY
from cloche.foundation.errors import AlreadyExists
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

REPOSITORY: Final = "ecr/Repository"
NAME: Final = re.compile(
    r"(?=.{2,256}$)[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
"""ECR's model (RepositoryName), which is that of the distribution spec, but for the least length."""
_HOST: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr\.(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9])\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
)
"""docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html, and the dual-stack form beside it."""


@dataclass(frozen=True, slots=True)
class Repository:
    id: int
    account: str
    region: str
    name: str
    arn: str
    created_at: float
    settings: Mapping[str, Any]
    """Members of the request that made it, as later ones have changed them; ``policy`` is its policy's text."""

    @property
    def uri(self) -> str:
        return f"{host(self.account, self.region)}/{self.name}"

    def is_immutable(self, tag: str) -> bool:
        """Whether ``tag``, once given, stays where it is. Tags that match an exclusion filter behave the other way
        (docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html)."""
        mode = self.settings.get("imageTagMutability", "MUTABLE")
        filters = self.settings.get("imageTagMutabilityExclusionFilters") or ()
        excluded = any(_wildcard(each["filter"]).fullmatch(tag) for each in filters)
        return bool(mode.startswith("IMMUTABLE") != (excluded and mode.endswith("_WITH_EXCLUSION")))


@lru_cache(maxsize=256)
def _wildcard(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))))


def host(account: str, region: str) -> str:
    """The registry's name, as image URIs have it."""
    return f"{account}.dkr.ecr.{region}.amazonaws.com"


def registry_of_host(name: str) -> tuple[str, str] | None:
    """(account, region) of an AWS host name without a port; ``None`` where it names no registry."""
    found = _HOST.fullmatch(name.lower().rstrip("."))
    return None if found is None else (found["account"], found["region"])


def of_record(record: Record) -> Repository:
    return Repository(
        record.id, record.account, record.region, record.name, record.arn, record.created_at, record.request
    )


def find(connection: sqlite3.Connection, account: str, region: str, name: str) -> Repository | None:
    found = records.find(connection, account, region, REPOSITORY, name)
    return None if found is None else of_record(found)


def get(connection: sqlite3.Connection, account: str, region: str, name: str) -> Repository:
    """Raises ``RepositoryUnknown``."""
    found = find(connection, account, region, name)
    if found is None:
        raise RepositoryUnknown(name, account)
    return found


def again(connection: sqlite3.Connection, repository: Repository) -> Repository:
    """The repository as it is now. Raises ``RepositoryUnknown`` where it has gone, or is another of that name."""
    found = find(connection, repository.account, repository.region, repository.name)
    if found is None or found.id != repository.id:
        raise RepositoryUnknown(repository.name, repository.account)
    return found


def create(
    tx: sqlite3.Connection, account: str, region: str, name: str, at: float, settings: dict[str, Any]
) -> Repository:
    """Raises ``RepositoryExists``."""
    arn = f"arn:aws:ecr:{region}:{account}:repository/{name}"
    try:
        made = records.insert(
            tx, account=account, region=region, kind=REPOSITORY, name=name, arn=arn, at=at, request=settings
        )
    except AlreadyExists:
        raise RepositoryExists(name, account) from None
    return of_record(made)


def change(tx: sqlite3.Connection, repository: Repository, at: float, **settings: Any) -> Repository:
    """Replace settings; ``None`` takes one away. Raises ``RepositoryUnknown``."""
    held = again(tx, repository)
    kept = {name: value for name, value in {**held.settings, **settings}.items() if value is not None}
    records.replace_request(tx, held.arn, kept, at)
    return get(tx, held.account, held.region, held.name)


def delete(tx: sqlite3.Connection, repository: Repository, *, force: bool) -> None:
    """With all that it has. What only it had of layers becomes garbage. Raises ``RepositoryUnknown``, and
    ``RepositoryNotEmpty`` for one with images, unless ``force``."""
    again(tx, repository)
    held = tx.execute("SELECT 1 FROM images WHERE repository = ? LIMIT 1", (repository.id,)).fetchone()
    if held is not None and not force:
        raise RepositoryNotEmpty(repository.name, repository.account)
    tx.execute(
        "INSERT OR IGNORE INTO image_garbage SELECT digest FROM image_layers WHERE repository = ?", (repository.id,)
    )
    for table in OF_REPOSITORY:
        tx.execute(f"DELETE FROM {table} WHERE repository = ?", (repository.id,))  # noqa: S608 - our own names
    records.remove(tx, repository.arn)
