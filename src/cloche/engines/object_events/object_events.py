"""``ObjectEvents``: whoever a bucket's configuration names is told of a change in the transaction that makes it.

So a change that is on the disk has been told, and one that is not has not; each once. A destination that refuses, since
it has gone or lets nobody in, loses the event, as on S3, which has no dead letters.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from cloche.engines.object_events import told
from cloche.engines.object_events.rules import rules_of
from cloche.foundation.errors import ClocheError
from cloche.storage.objects import Happened
from cloche.storage.objects.happened import NOTIFICATION

log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Takes what a bucket of that account tells, within the caller's transaction. Raises a ``ClocheError``."""

    def deliver(self, tx: sqlite3.Connection, account: str, bucket: str, arn: str, body: str) -> None: ...


class Bus(Protocol):
    """The account's default event bus."""

    def is_wanted(self, tx: sqlite3.Connection, account: str, region: str, detail_type: str) -> bool: ...

    def tell(self, tx: sqlite3.Connection, change: Happened, detail_type: str, detail: Mapping[str, Any]) -> None: ...


class ObjectEvents:
    """``outlets`` by the service in a destination's ARN. ``host_id`` makes a request's second id of its first."""

    def __init__(self, outlets: Mapping[str, Outlet], bus: Bus, host_id: Callable[[str], str]) -> None:
        self.outlets, self._bus, self._host_id = outlets, bus, host_id

    def changed(self, tx: sqlite3.Connection, change: Happened) -> None:
        """The object store's listener."""
        configuration = change.bucket.configuration[NOTIFICATION]
        for rule in rules_of(configuration):
            if rule.wants(change.event, change.key):
                body = {"Records": [told.record(change, rule.id, self._host_id)]}
                self._deliver(tx, change.bucket.account, change.bucket.name, rule.arn, orjson.dumps(body).decode())
        if configuration.get("EventBridgeConfiguration") is not None:
            kind, bucket = told.detail_type(change), change.bucket
            if self._bus.is_wanted(tx, bucket.account, bucket.region, kind):
                self._bus.tell(tx, change, kind, told.detail(change))

    def try_out(self, tx: sqlite3.Connection, account: str, bucket: str, arn: str, body: str) -> None:
        """Hand a destination its first message. Raises a ``ClocheError`` where it does not take it."""
        self.outlets[arn.split(":")[2]].deliver(tx, account, bucket, arn, body)

    def _deliver(self, tx: sqlite3.Connection, account: str, bucket: str, arn: str, body: str) -> None:
        tx.execute("SAVEPOINT notification")
        try:
            self.outlets[arn.split(":")[2]].deliver(tx, account, bucket, arn, body)
        except ClocheError as error:
            tx.execute("ROLLBACK TO notification")
            log.warning("%s was not told of a change in %s: %s", arn, bucket, error.message)
        finally:
            tx.execute("RELEASE notification")
