"""What the tagging API asks, answered over the index and those owners that keep tags elsewhere."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from itertools import islice

from cloche.engines.tagging.owners import TAGS_MAX, Owner
from cloche.foundation.errors import NotSupported
from cloche.storage.metadata import tag_index
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.tag_index import Search, Tagged

__all__ = ["TAGS_MAX", "Tagging"]


class Tagging:
    def __init__(self, database: Database, owners: Sequence[Owner]) -> None:
        self._database = database
        self._owners = owners

    def resources(self, search: Search, *, after: str, limit: int) -> list[Tagged]:
        """The first ``limit`` that fit beyond the ARN ``after``, by ARN."""
        indexed = tag_index.page(self._database.reader, search, after=after, limit=limit)
        others = [
            found
            for found in self._elsewhere(search.account, search.region)
            if found.arn > after and search.fits(found, *_kind(found.arn))
        ]
        if not others:
            return indexed
        others.sort(key=_by_arn)
        return list(islice(heapq.merge(indexed, others, key=_by_arn), limit))

    def keys(self, account: str, region: str, *, after: str, limit: int) -> list[str]:
        """Keys in use beyond ``after``, in order."""
        indexed = tag_index.keys(self._database.reader, account, region, after=after, limit=limit)
        others = {key for found in self._elsewhere(account, region) for key, _ in found.tags if key > after}
        return _first(indexed, others, limit)

    def values(self, account: str, region: str, key: str, *, after: str | None, limit: int) -> list[str]:
        """Values of ``key`` beyond ``after`` (``None``: from the first), in order."""
        indexed = tag_index.values(self._database.reader, account, region, key, after=after, limit=limit)
        held = (value for found in self._elsewhere(account, region) for name, value in found.tags if name == key)
        return _first(indexed, {value for value in held if after is None or value > after}, limit)

    def tag(self, account: str, region: str, arn: str, pairs: Sequence[tuple[str, str]]) -> None:
        """Raises what ``Owner`` says; ``NotSupported`` for an ARN of something that Cloche has not."""
        self._owner(arn).tag(account, region, arn, pairs)

    def untag(self, account: str, region: str, arn: str, keys: Sequence[str]) -> None:
        self._owner(arn).untag(account, region, arn, keys)

    def _owner(self, arn: str) -> Owner:
        for owner in self._owners:
            if owner.owns(arn):
                return owner
        raise NotSupported(f"Cloche has no resources of the kind of {arn}")

    def _elsewhere(self, account: str, region: str) -> Iterable[Tagged]:
        for owner in self._owners:
            yield from owner.listed(account, region)


def _by_arn(found: Tagged) -> str:
    return found.arn


def _kind(arn: str) -> tuple[str, str]:
    """Service and resource type."""
    _, _, service, _, _, resource = arn.split(":", 5)
    return service, resource.replace("/", ":").partition(":")[0]


def _first(indexed: list[str], others: set[str], limit: int) -> list[str]:
    return sorted({*indexed, *others})[:limit] if others else indexed
