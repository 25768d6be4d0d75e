"""``Events``: what happens is held against the rules, and what matches is owed to their targets until it is delivered.

An event that no rule matches is gone once it has been answered, as on AWS. One that some do is a row in the outbox for
each target, in the transaction that accepts it: it is delivered at least once, whatever is killed when.
"""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from cloche.engines.events import rules as rule_rows
from cloche.engines.events.archives import Archives
from cloche.engines.events.bus_policies import Admits, BusPolicies
from cloche.engines.events.buses import BusTarget
from cloche.engines.events.delivery import Deliveries, Target
from cloche.engines.events.happening import Happening
from cloche.engines.events.replays import Replays
from cloche.engines.events.rules import DEFAULT_BUS, RULE, Bus, Rules
from cloche.engines.events.schedules import Occurrence, Owing, Schedules, scheduled_event
from cloche.engines.events.scheduling import SCHEDULE, context_of, is_over_after, target_of
from cloche.engines.events.schema import PIPES
from cloche.foundation.agenda import Agenda
from cloche.foundation.bus import Bus as InProcess
from cloche.foundation.clock import Clock, from_epoch, to_iso
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore

if TYPE_CHECKING:
    from cloche.engines.events.pipes import Functions, Pipes, Sources


class Calls(Protocol):
    """Operations of any service, as the Scheduler's universal targets name them."""

    def require(self, arn: str, input: str | None) -> None:
        """Raises ``Invalid`` for what names no operation or is no request of it, ``NotSupported`` for one that is not
        offered."""
        ...


class Events:
    """``targets``: by the service in a target's ARN, whoever takes what is delivered there."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: MetricStore,
        bus: InProcess,
        targets: Mapping[str, Target],
        dead_letters: Target,
        calls: Calls,
        ends_of_pipes: tuple[Sources, Functions],
        admits: Admits,
        further: Mapping[str, Owing],
    ) -> None:
        """``further``: by the kind of a record, what its schedule causes, beside rules and schedules of our own."""
        self._database, self._clock = database, clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self.calls = calls
        self.rules = Rules(database)
        self.policies = BusPolicies(admits)
        self.archives = Archives(database, clock)
        self.replays = Replays(database, clock, self.archives, self.accept)
        self.schedules = Schedules(database, {RULE: self._rule_occurs, SCHEDULE: self._schedule_occurs, **further})
        own = {"events": BusTarget(self.accept, self.envelope, self.archives, self.policies)}
        self.deliveries = Deliveries(database, clock, metrics, bus, {**targets, **own}, dead_letters)
        self._for_pipes = (database, clock, metrics, bus, self.deliveries.targets, *ends_of_pipes)

    def join(self, agenda: Agenda) -> None:
        """Take part in Cloche's time. Once, before the start."""
        self.schedules.poke = self.replays.poke = agenda.poke
        agenda.add("schedules", self.schedules.next_at, self.schedules.run)
        agenda.add("replays", self.replays.next_at, self.replays.run)
        agenda.watch(
            "pipes",
            lambda: self.pipes.next_at() if self._has_pipes else None,
            lambda: self.pipes.look() if self._has_pipes else None,
            lambda: self._has_pipes and self.pipes.is_busy(),
        )
        agenda.watch("events", self.deliveries.next_at, self.deliveries.wake, self.deliveries.is_busy)

    @property
    def target_services(self) -> frozenset[str]:
        """Whose things rules may send to."""
        return frozenset(self.deliveries.targets) - {"scheduler"}

    def put(self, bus: Bus, happenings: Sequence[Happening], account: str = "") -> list[str]:
        """Their ids, once what they cause is on the disk. ``account`` is whose they are, if not the bus's."""
        envelopes = [self.envelope(bus, each, account) for each in happenings]
        if any(self.matched(bus, each) for each in envelopes):
            self._database.write(lambda tx: [self.accept(tx, bus, each) for each in envelopes])
        return [each["id"] for each in envelopes]

    def envelope(self, bus: Bus, happening: Happening, account: str = "") -> dict[str, Any]:
        owner, region, _ = bus
        at = self._clock.time() if happening.at is None else happening.at
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": happening.detail_type,
            "source": happening.source,
            "account": account or owner,
            "time": to_iso(from_epoch(at)),
            "region": region,
            "resources": list(happening.resources),
            "detail": happening.detail,
        }

    def matched(self, bus: Bus, event: Mapping[str, Any], tx: sqlite3.Connection | None = None) -> list[str]:
        """The ARNs of the rules that match."""
        source, kind = event["source"], event["detail-type"]
        return [rule.arn for rule in self.rules.of(bus, tx).that_may_match(source, kind) if rule.pattern.matches(event)]

    def is_wanted(self, tx: sqlite3.Connection, account: str, region: str, source: str, detail_type: str) -> bool:
        """Could any rule of the default bus match such an event? Before anybody makes one."""
        bus = (account, region, DEFAULT_BUS)
        return any(True for _ in self.rules.of(bus, tx).that_may_match(source, detail_type))

    def accept(
        self,
        tx: sqlite3.Connection,
        bus: Bus,
        event: Mapping[str, Any],
        *,
        only: Collection[str] = (),
        from_a_bus: bool = False,
    ) -> int:
        """Owe the event to the targets of the rules that match it, or of those among them that ``only`` names; to how
        many. One that came from another bus goes to no third: "EventBridge can't route events received from a sender
        event bus to a third event bus" (repost.aws/questions/QUWhy9TX9_T7O83wO2o9A0Gg), so there is no going round."""
        account, region, _ = bus
        count = 0
        for arn in self.matched(bus, event, tx):
            if only and arn not in only:
                continue
            targets = rule_rows.targets_of(tx, arn)
            if from_a_bus:
                targets = [target for target in targets if ":event-bus/" not in target["Arn"]]
            count += self._owe(tx, account, region, arn, targets, event)
            for metric in ("MatchedEvents", "TriggeredRules"):
                self.deliveries.count(account, region, arn, metric)
        return count

    def _owe(
        self,
        tx: sqlite3.Connection,
        account: str,
        region: str,
        sender: str,
        targets: Sequence[Mapping[str, Any]],
        event: Mapping[str, Any],
    ) -> int:
        if not targets:
            return 0
        now, text = self._clock.time(), orjson.dumps(event).decode()
        tx.executemany(
            "INSERT INTO event_deliveries (account, region, rule_arn, target, event, accepted_at, due_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(account, region, sender, orjson.dumps(target).decode(), text, now, now) for target in targets],
        )
        self._database.after_commit(self.deliveries.wake)
        return len(targets)

    # -- what schedules cause ----------------------------------------------------------------------------

    def _rule_occurs(self, tx: sqlite3.Connection, occurrence: Occurrence) -> None:
        """The event of a rule with a schedule goes to this rule alone
        (docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html shows it)."""
        rule = occurrence.record
        event = scheduled_event(rule, occurrence.at, "aws.events", {})
        self._owe(tx, rule.account, rule.region, rule.arn, rule_rows.targets_of(tx, rule.arn), event)
        self.deliveries.count(rule.account, rule.region, rule.arn, "TriggeredRules")

    def _schedule_occurs(self, tx: sqlite3.Connection, occurrence: Occurrence) -> None:
        schedule = occurrence.record
        targets, context = [target_of(occurrence)], context_of(occurrence)
        self._owe(tx, schedule.account, schedule.region, schedule.arn, targets, context)
        if is_over_after(occurrence):
            records.remove(tx, schedule.arn)

    # -- pipes: nothing of them is there before the first ------------------------------------------------

    @cached_property
    def pipes(self) -> Pipes:
        from cloche.engines.events.pipes import Pipes

        made = Pipes(*self._for_pipes)
        if self._loop is not None:
            made.begin(self._loop)
        return made

    @property
    def _has_pipes(self) -> bool:
        return "pipes" in self.__dict__

    def swept(self) -> None:
        """An account's rows were removed, all at once: what is remembered of rules and pipes is read anew."""
        self.rules.changed()
        if self._has_pipes:
            self.pipes.look()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.deliveries.start()
        if self._database.reader.execute(f"SELECT 1 {PIPES} LIMIT 1").fetchone() is not None:
            assert self.pipes is not None

    def stop(self) -> None:
        if self._has_pipes:
            self.pipes.close()
        self.deliveries.stop()
