"""The outbox's other end: what is due is delivered, tried again with growing pauses, and given up as AWS gives it up.

One thread takes what is due in the order of its time. A target that lives in this very database (a queue) is handed its
event in the transaction that removes the row: exactly once. Any other is called outside of a transaction, by a small
pool; a kill in between has it called again.

Limits: docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html: 24 hours and 185 attempts, unless
the target says less. What cannot get better by waiting (there is no such target) is not tried again: the same page.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from cloche.engines.events import transform
from cloche.foundation.clock import Clock, from_epoch, to_iso
from cloche.foundation.errors import ClocheError, Denied, Invalid, NotFound
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore

log = logging.getLogger(__name__)

NAMESPACE: Final = "AWS/Events"
ATTEMPTS_MAX: Final = 185
AGE_SECONDS_MAX: Final = 86_400
FIRST_PAUSE_SECONDS: Final = 1.0
PAUSE_SECONDS_MAX: Final = 600.0
BATCH: Final = 64
WORKERS: Final = 4
LOOK_SECONDS_MAX: Final = 5.0
_random = random.Random()  # noqa: S311 - pauses are to differ, not to be unguessable


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a target is handed. ``attributes`` go with a dead letter."""

    account: str
    region: str
    arn: str
    target: Mapping[str, Any]
    payload: str
    rule_arn: str
    attributes: Mapping[str, str]


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
        targets: Mapping[str, Target],
        dead_letters: Target,
    ) -> None:
        self._database, self._clock, self._metrics = database, clock, metrics
        self.targets, self._dead_letters = dict(targets), dead_letters
        self._some = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="event-delivery")
        self._busy: set[int] = set()
        self._lock = threading.Lock()

    def wake(self) -> None:
        self._some.set()

    def start(self) -> None:
        self._some.set()
        self._thread = threading.Thread(target=self._run, name="event-deliveries", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way; what is owed is delivered after the next start."""
        self._stopping = True
        self._some.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping:
            self._some.wait(self._pause())
            self._some.clear()
            try:
                while not self._stopping and self._take():
                    pass
            except Exception:
                log.exception("events could not be delivered; they are tried again")
                threading.Event().wait(FIRST_PAUSE_SECONDS)

    def _pause(self) -> float:
        due = self._database.reader.execute("SELECT min(due_at) FROM event_deliveries").fetchone()[0]
        return LOOK_SECONDS_MAX if due is None else min(max(due - self._clock.time(), 0.005), LOOK_SECONDS_MAX)

    def _take(self) -> bool:
        """Begin with what is due; whether anything was begun."""
        with self._lock:
            busy = set(self._busy)
        rows = self._database.reader.execute(
            "SELECT * FROM event_deliveries WHERE due_at <= ? ORDER BY due_at, id LIMIT ?",
            (self._clock.time(), BATCH + len(busy)),
        ).fetchall()
        fresh = [row for row in rows if row["id"] not in busy][:BATCH]
        here = [row for row in fresh if self._is_here(row)]
        if here:
            self._database.write(lambda tx: self._hand_over(tx, here))
        away = [row for row in fresh if not self._is_here(row)]
        for row in away:
            with self._lock:
                self._busy.add(row["id"])
            self._pool.submit(self._call, row)
        return bool(fresh)

    def _is_here(self, row: sqlite3.Row) -> bool:
        target = self.targets.get(_service(orjson.loads(row["target"])["Arn"]))
        return target is None or target.in_transaction

    def _hand_over(self, tx: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> None:
        for row in rows:
            parcel = _parcel(row)
            tx.execute("SAVEPOINT delivery")
            try:
                self._target(parcel).deliver(tx, parcel)
            except ClocheError as error:
                tx.execute("ROLLBACK TO delivery")
                self._failed(tx, row, parcel, error)
            else:
                self._done(tx, row)
            finally:
                tx.execute("RELEASE delivery")

    def _call(self, row: sqlite3.Row) -> None:
        try:
            parcel = _parcel(row)
            failure: Exception | None = None
            try:
                self._target(parcel).deliver(None, parcel)
            except Exception as error:
                failure = error
                if not isinstance(error, ClocheError):
                    log.exception("delivering to %s failed", parcel.arn)
            if failure is None:
                self._database.write(lambda tx: self._done(tx, row))
            else:
                self._database.write(lambda tx: self._failed(tx, row, parcel, failure))
        finally:
            with self._lock:
                self._busy.discard(row["id"])
            self._some.set()

    def _target(self, parcel: Parcel) -> Target:
        found = self.targets.get(_service(parcel.arn))
        if found is None:
            raise NotFound(f"Nothing here takes events for {parcel.arn}.")
        return found

    # -- outcomes ----------------------------------------------------------------------------------------

    def _done(self, tx: sqlite3.Connection, row: sqlite3.Row) -> None:
        tx.execute("DELETE FROM event_deliveries WHERE id = ?", (row["id"],))
        self._count(row, "Invocations")

    def _failed(self, tx: sqlite3.Connection, row: sqlite3.Row, parcel: Parcel, error: Exception | None) -> None:
        now, attempts = self._clock.time(), row["attempts"] + 1
        policy = parcel.target.get("RetryPolicy") or {}
        retries_max = policy.get("MaximumRetryAttempts", ATTEMPTS_MAX)
        age_max = policy.get("MaximumEventAgeInSeconds", AGE_SECONDS_MAX)
        self._count(row, "Invocations")
        if isinstance(error, NotFound | Denied | Invalid):
            condition = ""
        elif attempts > retries_max:
            condition = "MaximumRetryAttempts"
        elif now - row["accepted_at"] >= age_max:
            condition = "MaximumEventAgeInSeconds"
        else:
            pause = min(FIRST_PAUSE_SECONDS * 2 ** min(attempts - 1, 16), PAUSE_SECONDS_MAX)
            due = now + pause * (0.5 + _random.random() / 2)
            tx.execute("UPDATE event_deliveries SET attempts = ?, due_at = ? WHERE id = ?", (attempts, due, row["id"]))
            return
        tx.execute("DELETE FROM event_deliveries WHERE id = ?", (row["id"],))
        self._count(row, "FailedInvocations")
        log.warning("an event for %s by %s was given up: %s", parcel.arn, parcel.rule_arn, error)
        arn = (parcel.target.get("DeadLetterConfig") or {}).get("Arn")
        if arn:
            self._bury(tx, row, parcel, arn, _letter(parcel, error, condition, attempts))

    def _bury(
        self, tx: sqlite3.Connection, row: sqlite3.Row, parcel: Parcel, arn: str, attributes: Mapping[str, str]
    ) -> None:
        letter = Parcel(parcel.account, parcel.region, arn, {"Arn": arn}, parcel.payload, parcel.rule_arn, attributes)
        tx.execute("SAVEPOINT letter")
        try:
            self._dead_letters.deliver(tx, letter)
            self._count(row, "InvocationsSentToDlq")
        except ClocheError as error:
            tx.execute("ROLLBACK TO letter")
            self._count(row, "InvocationsFailedToBeSentToDlq")
            log.warning("an undelivered event could not be sent to %s: %s", arn, error.message)
        finally:
            tx.execute("RELEASE letter")

    def count(self, account: str, region: str, rule_arn: str, metric: str) -> None:
        """From inside of a transaction: one more of that rule's, once it is on the disk
        (docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html)."""
        dimensions = (("RuleName", rule_arn.rpartition("/")[2]),)
        record = self._metrics.record
        self._database.after_commit(lambda: record(account, region, NAMESPACE, metric, dimensions, 1.0, "Count"))

    def _count(self, row: sqlite3.Row, metric: str) -> None:
        self.count(row["account"], row["region"], row["rule_arn"], metric)


def _service(arn: str) -> str:
    parts = arn.split(":", 3)
    return parts[2] if len(parts) > 3 else ""


def _parcel(row: sqlite3.Row) -> Parcel:
    target = orjson.loads(row["target"])
    ingested = to_iso(from_epoch(row["accepted_at"]))
    text = transform.payload(target, orjson.loads(row["event"]), row["rule_arn"], ingested)
    return Parcel(row["account"], row["region"], target["Arn"], target, text, row["rule_arn"], {})


def _letter(parcel: Parcel, error: Exception | None, condition: str, attempts: int) -> dict[str, str]:
    """What a dead letter says of itself: docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html."""
    codes: tuple[tuple[type[Exception], str], ...] = (
        (NotFound, "NO_RESOURCE"),
        (Denied, "NO_PERMISSIONS"),
        (Invalid, "INVALID_JSON"),
    )
    code = next((name for kind, name in codes if isinstance(error, kind)), "SDK_CLIENT_ERROR")
    said = {
        "RULE_ARN": parcel.rule_arn,
        "TARGET_ARN": parcel.arn,
        "ERROR_CODE": code,
        "ERROR_MESSAGE": str(error)[:1_000] or code,
    }
    if condition:
        said |= {"EXHAUSTED_RETRY_CONDITION": condition, "RETRY_ATTEMPTS": str(attempts - 1)}
    return said
