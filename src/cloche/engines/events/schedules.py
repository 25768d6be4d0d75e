"""What falls due: the next occurrence of each rule with a schedule and of each schedule of the Scheduler.

A row holds one moment, the next. When it comes, what the occurrence owes is written to the outbox and the row moves on
in the same transaction: an occurrence happens once, whatever is killed when. What fell due while nobody was there is
made up for once, however often it would have been: never a burst.

A flexible window spreads occurrences over itself. Where in it one lies follows from the schedule and the moment, so
that the same script gives the same events.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloche.foundation.clock import from_epoch, to_iso
from cloche.foundation.errors import Invalid
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record

if TYPE_CHECKING:
    from cloche.foundation.schedule_expression import Schedule

log = logging.getLogger(__name__)

BATCH: Final = 256
_A_MOMENT: Final = 0.001
_OCCURRENCES: Final = uuid.UUID("d2c4ab0a-51f5-4b0c-a3b4-3c1c3a57f4ee")


@lru_cache(1_024)
def _parse(expression: str) -> Schedule:
    from cloche.foundation.schedule_expression import parse  # not before there is something to read

    return parse(expression)


@lru_cache(256)
def zone_named(name: str) -> tzinfo:
    """Raises ``Invalid`` for one that the machine's database of time zones does not know."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise Invalid(f"There is no time zone {name}.") from None


@dataclass(frozen=True, slots=True)
class Plan:
    """When something occurs. ``start``: nothing occurs before it, and a rate counts from it."""

    expression: str
    start: float
    end: float | None = None
    zone: str = "UTC"
    window_seconds: int = 0

    def next_after(self, moment: float) -> float | None:
        """Raises ``Invalid`` for an expression or a zone that cannot be read."""
        schedule, zone = _parse(self.expression), zone_named(self.zone)
        found = schedule.next_after(max(moment, self.start - _A_MOMENT), start=self.start, zone=zone)
        return None if found is None or (self.end is not None and found > self.end) else found

    def due_at(self, arn: str, occurs_at: float) -> float:
        if not self.window_seconds:
            return occurs_at
        digest = hashlib.sha256(f"{arn} {occurs_at}".encode()).digest()
        return occurs_at + int.from_bytes(digest[:8], "big") % self.window_seconds


@dataclass(frozen=True, slots=True)
class Occurrence:
    record: Record
    at: float
    """When it was to be: not when its window, or a server that was down, let it be."""
    is_last: bool


Owing = Callable[[sqlite3.Connection, Occurrence], None]


def _following(arn: str, plan: Plan, moment: float) -> float | None:
    try:
        return plan.next_after(moment)
    except Invalid as error:  # the machine's time zones are others than they were
        log.error("%s occurs no more: %s", arn, error.message)
        return None


def occurrence_id(arn: str, at: float) -> uuid.UUID:
    """The same for an occurrence whenever it is asked for."""
    return uuid.uuid5(_OCCURRENCES, f"{arn} {at}")


def scheduled_event(record: Record, at: float, source: str, detail: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(occurrence_id(record.arn, at)),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": record.account,
        "time": to_iso(from_epoch(at)),
        "region": record.region,
        "resources": [record.arn],
        "detail": detail,
    }


class Schedules:
    """``owing``: by the kind of the record that a plan belongs to, what an occurrence causes."""

    def __init__(self, database: Database, owing: Mapping[str, Owing]) -> None:
        self._database, self._owing = database, owing
        self.poke: Callable[[], None] = lambda: None
        """The agenda's: something earlier may have come."""

    def put(self, tx: sqlite3.Connection, record: Record, plan: Plan, after: float) -> None:
        """The first occurrence is the one after ``after``. A plan of before is forgotten."""
        occurs_at = plan.next_after(after)
        if occurs_at is None:
            self.remove(tx, record.arn)
            return
        self._keep(tx, record, plan, occurs_at)
        self._database.after_commit(self.poke)

    def remove(self, tx: sqlite3.Connection, arn: str) -> None:
        tx.execute("DELETE FROM event_schedules WHERE arn = ?", (arn,))

    def next_of(self, connection: sqlite3.Connection, arn: str) -> float | None:
        """When it occurs next."""
        row = connection.execute("SELECT occurs_at FROM event_schedules WHERE arn = ?", (arn,)).fetchone()
        return None if row is None else float(row[0])

    # -- for the agenda ----------------------------------------------------------------------------------

    def next_at(self) -> float | None:
        row = self._database.reader.execute("SELECT min(due_at) FROM event_schedules").fetchone()
        return None if row[0] is None else float(row[0])

    def run(self, now: float) -> None:
        while self._database.write(lambda tx: self._occur(tx, now)) == BATCH:
            pass

    def _occur(self, tx: sqlite3.Connection, now: float) -> int:
        rows = tx.execute(
            "SELECT arn, occurs_at, plan FROM event_schedules WHERE due_at <= ? ORDER BY due_at, arn LIMIT ?",
            (now, BATCH),
        ).fetchall()
        for row in rows:
            self._occurs(tx, row, now)
        return len(rows)

    def _occurs(self, tx: sqlite3.Connection, row: sqlite3.Row, now: float) -> None:
        arn, occurs_at, plan = row["arn"], row["occurs_at"], Plan(**orjson.loads(row["plan"]))
        record = records.find_arn(tx, arn)
        following = None if record is None else _following(arn, plan, max(occurs_at, now - plan.window_seconds))
        if record is None or following is None:
            self.remove(tx, arn)
        else:
            self._keep(tx, record, plan, following)
        if record is None:
            return
        tx.execute("SAVEPOINT occurrence")
        try:
            self._owing[record.kind](tx, Occurrence(record, occurs_at, following is None))
        except Exception:  # of this one; the others occur, and so does the next of this
            tx.execute("ROLLBACK TO occurrence")
            log.exception("an occurrence of %s could not be had", arn)
        finally:
            tx.execute("RELEASE occurrence")

    def _keep(self, tx: sqlite3.Connection, record: Record, plan: Plan, occurs_at: float) -> None:
        due_at, text = plan.due_at(record.arn, occurs_at), orjson.dumps(asdict(plan)).decode()
        tx.execute(
            "INSERT OR REPLACE INTO event_schedules VALUES (?, ?, ?, ?, ?)",
            (record.arn, record.account, due_at, occurs_at, text),
        )
