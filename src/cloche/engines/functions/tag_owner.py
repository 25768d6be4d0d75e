"""Functions as owners of tags, for the one index over everybody's."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from cloche.engines.functions import rows
from cloche.engines.functions.plan import LATEST, Owner
from cloche.foundation.errors import Invalid, LimitReached, NotFound
from cloche.storage.metadata import tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.tag_index import Tagged

TAGS_MAX = 50


class FunctionOwner:
    """See ``engines/tagging``: its port ``Owner``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def owns(self, arn: str) -> bool:
        return arn.startswith("arn:aws:lambda:") and ":function:" in arn

    def tag(self, account: str, region: str, arn: str, pairs: Sequence[tuple[str, str]]) -> None:
        def change(tx: sqlite3.Connection) -> None:
            known = self._find(tx, account, region, arn)
            tags.put(tx, known, pairs)
            if len(tags.read(tx, known)) > TAGS_MAX:
                raise LimitReached(f"{known} may not have more than {TAGS_MAX} tags")

        self._database.write(change)

    def untag(self, account: str, region: str, arn: str, keys: Sequence[str]) -> None:
        self._database.write(lambda tx: tags.remove(tx, self._find(tx, account, region, arn), keys))

    def listed(self, account: str, region: str) -> Sequence[Tagged]:
        return ()

    @staticmethod
    def _find(tx: sqlite3.Connection, account: str, region: str, arn: str) -> str:
        parts = arn.split(":")
        if len(parts) != 7:
            raise Invalid(f"{arn} is a version or an alias; functions have tags")
        if parts[3] != region:
            raise Invalid(f"{arn} is not in the region {region}")
        if parts[4] != account:
            raise NotFound(f"There is no resource {arn}")
        rows.version(tx, Owner(account, region, parts[6]), LATEST)
        return arn
