"""What a subscriber within this database is handed, and the port behind which it takes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Parcel:
    """``endpoint`` is the receiver's ARN. ``attributes``, ``group`` and ``deduplication`` go beside the body where the
    receiver has a place for them."""

    account: str
    topic_arn: str
    endpoint: str
    body: str
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    group: str = ""
    deduplication: str = ""


class Receiver(Protocol):
    """Takes a parcel within the caller's transaction: it is there with it or not at all. Raises a ``ClocheError``
    where it cannot, and could not later either."""

    def deliver(self, tx: sqlite3.Connection, parcel: Parcel) -> None: ...
