"""The outbox's other end: what is due is delivered, tried again with growing pauses, and given up as AWS gives it up.

One thread takes what is due in the order of its time. A target that lives in this very database (a queue) is handed its
event in the transaction that removes the row: exactly once. Any other is called outside of a transaction, by a small
pool; a kill in between has it called again. What one sender owes one target is one after the other, in its order.

Limits: docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html: 24 hours and 185 attempts, unless
the target says less. What cannot get better by waiting (there is no such target) is not tried again: the same page.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import uuid
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from cloche.engines.events.senders import Owed, sender_of
from cloche.foundation.bus import Bus, EventDelivered
from cloche.foundation.clock import Clock
from cloche.foundation.errors import ClocheError, Denied, Invalid, NotFound
from cloche.foundation.woken import Woken
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore

log = logging.getLogger(__name__)

ATTEMPTS_MAX: Final = 185
AGE_SECONDS_MAX: Final = 86_400
FIRST_PAUSE_SECONDS: Final = 1.0
PAUSE_SECONDS_MAX: Final = 600.0
BATCH: Final = 64
WORKERS: Final = 4
LOOK_SECONDS_MAX: Final = 5.0
_Lane = tuple[str, str]
"""Sender and target."""
_DELIVERIES: Final = uuid.UUID("5a0c5c0e-6a0f-4d1b-9d6e-0c2f9c1b7a55")


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a target is handed. ``rule_arn`` is the sender's: a rule's or a schedule's. ``attributes`` go with a dead
    letter. ``id`` is the same whenever this delivery is tried, and no other's; ``event`` is what ``payload`` was made
    of."""

    account: str
    region: str
    arn: str
    target: Mapping[str, Any]
    payload: str
    rule_arn: str
    attributes: Mapping[str, str]
    id: str = ""
    event: Mapping[str, Any] = field(default_factory=dict)


class Target(Protocol):
    """Takes what is delivered. Raises a ``ClocheError``: ``NotFound``, ``Denied`` and ``Invalid`` are final."""

    in_transaction: bool
    """Is it handed parcels within a transaction (quick, and undone with it), or without one?"""

    def deliver(self, tx: sqlite3.Connection | None, parcel: Parcel) -> None: ...


class Deliveries:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: MetricStore,
        bus: Bus,
        targets: Mapping[str, Target],
        dead_letters: Target,
    ) -> None:
        self._database, self._clock, self._metrics, self._bus = database, clock, metrics, bus
        self.targets, self._dead_letters = dict(targets), dead_letters
        self._thread = Woken("event-deliveries", self._take_all, self._pause)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="event-delivery")
        self._busy: dict[_Lane, int] = {}
        """How many deliveries are under way outside of a transaction."""
        self._lock = threading.Lock()

    def wake(self) -> None:
        self._thread.wake()

    def start(self) -> None:
        self._thread.wake()
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way; what is owed is delivered after the next start."""
        self._thread.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _take_all(self) -> None:
        while not self._thread.is_stopping and self._take():
            pass

    def next_at(self) -> float | None:
        """When something is to be delivered next."""
        due = self._database.reader.execute("SELECT min(due_at) FROM event_deliveries").fetchone()[0]
        return None if due is None else float(due)

    def is_busy(self) -> bool:
        with self._lock:
            return bool(self._busy)

    def _pause(self) -> float:
        with self._lock:
            busy = dict(self._busy)
        rows = self._database.reader.execute(
            "SELECT * FROM event_deliveries ORDER BY due_at, id LIMIT ?", (sum(busy.values()) + 1,)
        )
        due = next((row["due_at"] for row in rows if _lane(_owed(row)) not in busy), None)
        return LOOK_SECONDS_MAX if due is None else min(max(due - self._clock.time(), 0.005), LOOK_SECONDS_MAX)

    def _take(self) -> bool:
        """Begin with what is due; whether anything was begun."""
        with self._lock:
            busy = dict(self._busy)
        rows = self._database.reader.execute(
            "SELECT * FROM event_deliveries WHERE due_at <= ? ORDER BY due_at, id LIMIT ?",
            (self._clock.time(), BATCH + sum(busy.values())),
        ).fetchall()
        fresh = [owed for owed in map(_owed, rows) if _lane(owed) not in busy][:BATCH]
        here = [owed for owed in fresh if self._is_here(owed)]
        if here:
            self._database.write(lambda tx: self._hand_over(tx, here))
        away: dict[_Lane, list[Owed]] = {}
        for owed in fresh:
            if not self._is_here(owed):
                away.setdefault(_lane(owed), []).append(owed)
        for lane, those in away.items():
            with self._lock:
                self._busy[lane] = len(those)
            self._pool.submit(self._call, lane, those)
        return bool(fresh)

    def _is_here(self, owed: Owed) -> bool:
        target = self.targets.get(_service(str(owed.target["Arn"])))
        return target is None or target.in_transaction

    def _hand_over(self, tx: sqlite3.Connection, those: Sequence[Owed]) -> None:
        for owed in those:
            tx.execute("SAVEPOINT delivery")
            try:
                self._deliver(tx, owed)
            except sqlite3.Error:  # nobody's delivery can be written now
                raise
            except Exception as error:
                tx.execute("ROLLBACK TO delivery")
                if not isinstance(error, ClocheError):
                    log.exception("delivering to %s failed", owed.target["Arn"])
                self._failed(tx, owed, error)
            else:
                self._done(tx, owed)
            finally:
                tx.execute("RELEASE delivery")

    def _call(self, lane: _Lane, those: Sequence[Owed]) -> None:
        try:
            for owed in those:
                if self._thread.is_stopping:
                    break
                self._call_one(owed)
        finally:
            with self._lock:
                del self._busy[lane]
            self._thread.wake()

    def _call_one(self, owed: Owed) -> None:
        try:
            self._deliver(None, owed)
        except Exception as error:
            failure: Exception = error
            if not isinstance(error, ClocheError):
                log.exception("delivering to %s failed", owed.target["Arn"])
            self._database.write(lambda tx: self._failed(tx, owed, failure))
        else:
            self._database.write(lambda tx: self._done(tx, owed))

    def _deliver(self, tx: sqlite3.Connection | None, owed: Owed) -> None:
        arn = str(owed.target["Arn"])
        target = self.targets.get(_service(arn))
        if target is None:
            raise NotFound(f"Nothing here takes events for {arn}.")
        payload = sender_of(owed.sender).payload(owed)
        id = str(uuid.uuid5(_DELIVERIES, f"{owed.sender} {owed.id}"))
        parcel = Parcel(owed.account, owed.region, arn, owed.target, payload, owed.sender, {}, id, owed.event)
        target.deliver(tx, parcel)

    # -- outcomes ----------------------------------------------------------------------------------------

    def _done(self, tx: sqlite3.Connection, owed: Owed) -> None:
        tx.execute("DELETE FROM event_deliveries WHERE id = ?", (owed.id,))
        self._count(owed, sender_of(owed.sender).attempt)
        self._tell(owed, "delivered")

    def _failed(self, tx: sqlite3.Connection, owed: Owed, error: Exception) -> None:
        now, attempts, sender = self._clock.time(), owed.attempts + 1, sender_of(owed.sender)
        self._count(owed, sender.attempt)
        self._count(owed, sender.failed_attempt)
        condition = "" if isinstance(error, NotFound | Denied | Invalid) else _limit(owed, attempts, now)
        if condition is None:
            pause = min(FIRST_PAUSE_SECONDS * 2 ** min(attempts - 1, 16), PAUSE_SECONDS_MAX)
            due = now + pause * (1 - _spread(owed.id, attempts) / 2)
            tx.execute("UPDATE event_deliveries SET attempts = ?, due_at = ? WHERE id = ?", (attempts, due, owed.id))
            self._tell(owed, "failed", str(error))
            return
        tx.execute("DELETE FROM event_deliveries WHERE id = ?", (owed.id,))
        self._count(owed, sender.given_up)
        log.warning("an event for %s by %s was given up: %s", owed.target["Arn"], owed.sender, error)
        arn = (owed.target.get("DeadLetterConfig") or {}).get("Arn")
        if arn is None:
            self._tell(owed, "given up", str(error))
        else:
            self._bury(tx, owed, arn, error, condition)

    def _bury(self, tx: sqlite3.Connection, owed: Owed, arn: str, why: Exception, condition: str) -> None:
        sender = sender_of(owed.sender)
        tx.execute("SAVEPOINT letter")
        try:
            attributes, payload = sender.letter(owed, why, condition), sender.payload(owed)
            letter = Parcel(owed.account, owed.region, arn, {"Arn": arn}, payload, owed.sender, attributes)
            self._dead_letters.deliver(tx, letter)
            self._count(owed, sender.buried)
            self._tell(owed, "dead letter", str(why))
        except ClocheError as error:
            tx.execute("ROLLBACK TO letter")
            self._count(owed, sender.unburied)
            self._tell(owed, "given up", f"{why}; its letter: {error.message}")
            log.warning("an undelivered event could not be sent to %s: %s", arn, error.message)
        finally:
            tx.execute("RELEASE letter")

    def count(self, account: str, region: str, sender_arn: str, metric: str) -> None:
        """From inside of a transaction: one more of that sender's, once it is on the disk."""
        sender = sender_of(sender_arn)
        namespace, dimensions = sender.namespace, (sender.dimension(sender_arn),)
        record = self._metrics.record
        self._database.after_commit(lambda: record(account, region, namespace, metric, dimensions, 1.0, "Count"))

    def _count(self, owed: Owed, metric: str) -> None:
        if metric:
            self.count(owed.account, owed.region, owed.sender, metric)

    def _tell(self, owed: Owed, outcome: str, message: str = "") -> None:
        what = str(owed.event.get("detail-type", owed.event.get("scheduled-time", "")))
        told = EventDelivered(self._clock.time(), owed.sender, str(owed.target["Arn"]), what, outcome, message)
        self._database.after_commit(lambda: self._bus.tell(told))


def _spread(id: int, attempts: int) -> float:
    """From 0 to 1: deliveries that failed together are not tried together again, and a script's are as they were."""
    return zlib.crc32(f"{id} {attempts}".encode()) / 2**32


def _limit(owed: Owed, attempts: int, now: float) -> str | None:
    """Which limit the delivery has reached by now, if it has."""
    policy = owed.target.get("RetryPolicy") or {}
    if attempts > policy.get("MaximumRetryAttempts", ATTEMPTS_MAX):
        return "MaximumRetryAttempts"
    if now - owed.accepted_at >= policy.get("MaximumEventAgeInSeconds", AGE_SECONDS_MAX):
        return "MaximumEventAgeInSeconds"
    return None


def _lane(owed: Owed) -> _Lane:
    return owed.sender, str(owed.target["Arn"])


def _service(arn: str) -> str:
    parts = arn.split(":", 3)
    return parts[2] if len(parts) > 3 else ""


def _owed(row: sqlite3.Row) -> Owed:
    return Owed(
        row["id"],
        row["account"],
        row["region"],
        row["rule_arn"],
        orjson.loads(row["target"]),
        orjson.loads(row["event"]),
        row["accepted_at"],
        row["attempts"],
    )
