"""Queues' tags, as the search over all tags sees them: rows of its index."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from cloche.engines.queues import queue as queues
from cloche.foundation.errors import LimitReached, NotFound
from cloche.storage.metadata import tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.tag_index import Tagged

TAGS_MAX = 50
"""docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html"""


class QueueTagOwner:
    """An ``Owner`` of the tagging engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def owns(self, arn: str) -> bool:
        return arn.startswith("arn:aws:sqs:")

    def tag(self, account: str, region: str, arn: str, pairs: Sequence[tuple[str, str]]) -> None:
        def change(tx: sqlite3.Connection) -> None:
            _require(tx, account, arn)
            tags.put(tx, arn, pairs)
            if len(tags.read(tx, arn)) > TAGS_MAX:
                raise LimitReached(f"{arn} may not have more than {TAGS_MAX} tags")

        self._database.write(change)

    def untag(self, account: str, region: str, arn: str, keys: Sequence[str]) -> None:
        def change(tx: sqlite3.Connection) -> None:
            _require(tx, account, arn)
            tags.remove(tx, arn, keys)

        self._database.write(change)

    def listed(self, account: str, region: str) -> Sequence[Tagged]:
        return ()


def _require(tx: sqlite3.Connection, account: str, arn: str) -> None:
    found = queues.find_arn(tx, arn)
    if found is None or found.account != account:
        raise NotFound(f"There is no resource {arn}")
