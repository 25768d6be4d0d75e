"""``Events``: what happens is held against the rules, and what matches is owed to their targets until it is delivered.

An event that no rule matches is gone once it has been answered, as on AWS. One that some do is a row in the outbox for
each target, in the transaction that accepts it: it is delivered at least once, whatever is killed when.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cloche.engines.events import rules as rule_rows
from cloche.engines.events.delivery import Deliveries, Target
from cloche.engines.events.rules import DEFAULT_BUS, Bus, Rules
from cloche.foundation.clock import Clock, from_epoch, to_iso
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore


@dataclass(frozen=True, slots=True)
class Happening:
    """What somebody says has happened; the envelope is made here."""

    source: str
    detail_type: str
    detail: Mapping[str, Any]
    resources: Sequence[str] = ()
    at: float | None = None


class Events:
    """``targets``: by the service in a target's ARN, whoever takes what is delivered there."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: MetricStore,
        targets: Mapping[str, Target],
        dead_letters: Target,
    ) -> None:
        self._database, self._clock = database, clock
        self.rules = Rules(database)
        self.deliveries = Deliveries(database, clock, metrics, targets, dead_letters)

    @property
    def target_services(self) -> frozenset[str]:
        return frozenset(self.deliveries.targets)

    def put(self, bus: Bus, happenings: Sequence[Happening]) -> list[str]:
        """Their ids, once what they cause is on the disk."""
        envelopes = [self.envelope(bus, each) for each in happenings]
        if any(self.matched(bus, each) for each in envelopes):
            self._database.write(lambda tx: [self.accept(tx, bus, each) for each in envelopes])
        return [each["id"] for each in envelopes]

    def envelope(self, bus: Bus, happening: Happening) -> dict[str, Any]:
        account, region, _ = bus
        at = self._clock.time() if happening.at is None else happening.at
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": happening.detail_type,
            "source": happening.source,
            "account": account,
            "time": to_iso(from_epoch(at)),
            "region": region,
            "resources": list(happening.resources),
            "detail": happening.detail,
        }

    def matched(self, bus: Bus, event: Mapping[str, Any], tx: sqlite3.Connection | None = None) -> list[str]:
        """The ARNs of the rules that match."""
        source, kind = event["source"], event["detail-type"]
        return [
            rule.arn
            for rule in self.rules.of(bus, tx)
            if rule.pattern.may_match(source, kind) and rule.pattern.matches(event)
        ]

    def is_wanted(self, tx: sqlite3.Connection, account: str, region: str, source: str, detail_type: str) -> bool:
        """Could any rule of the default bus match such an event? Before anybody makes one."""
        bus = (account, region, DEFAULT_BUS)
        return any(rule.pattern.may_match(source, detail_type) for rule in self.rules.of(bus, tx))

    def accept(self, tx: sqlite3.Connection, bus: Bus, event: Mapping[str, Any]) -> int:
        """Owe the event to the targets of the rules that match it; to how many."""
        account, region, _ = bus
        now, count, text = self._clock.time(), 0, orjson.dumps(event).decode()
        for arn in self.matched(bus, event, tx):
            for target in rule_rows.targets_of(tx, arn):
                tx.execute(
                    "INSERT INTO event_deliveries (account, region, rule_arn, target, event, accepted_at, due_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (account, region, arn, orjson.dumps(target).decode(), text, now, now),
                )
                count += 1
            for metric in ("MatchedEvents", "TriggeredRules"):
                self.deliveries.count(account, region, arn, metric)
        if count:
            self._database.after_commit(self.deliveries.wake)
        return count

    def start(self) -> None:
        self.deliveries.start()

    def stop(self) -> None:
        self.deliveries.stop()
