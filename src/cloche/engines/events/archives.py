"""Archives: events of a bus, kept for a time. An archive is a rule that Cloche manages on the bus, as on AWS, and this
is what its target does: the event is a row here in the transaction that takes it out of the outbox.

What retention has ended for is neither counted nor replayed any more; housekeeping removes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from cloche.engines.events.schema import ARCHIVES
from cloche.foundation.clock import Clock
from cloche.foundation.errors import NotFound
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record

ARCHIVE: Final = "events/Archive"
DAY_SECONDS: Final = 86_400
CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Archived:
    at: float
    id: int
    event: Mapping[str, Any]


class Archives:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def keep(self, tx: sqlite3.Connection, archive_arn: str, event: Mapping[str, Any]) -> None:
        """Raises ``NotFound`` where there is no such archive."""
        archive = records.find_arn(tx, archive_arn)
        if archive is None or archive.kind != ARCHIVE:
            raise NotFound(f"Archive {archive_arn} does not exist.")
        at = datetime.fromisoformat(str(event["time"])).timestamp()
        tx.execute(
            "INSERT INTO archived_events (account, archive_arn, at, kept_at, event) VALUES (?, ?, ?, ?, ?)",
            (archive.account, archive_arn, at, self._clock.time(), orjson.dumps(event).decode()),
        )

    def measured(self, connection: sqlite3.Connection, archive: Record) -> tuple[int, int]:
        """How many events are in it, and their bytes."""
        row = connection.execute(
            "SELECT count(*), coalesce(sum(length(CAST(event AS BLOB))), 0) FROM archived_events"
            " WHERE archive_arn = ? AND kept_at >= ?",
            (archive.arn, self._horizon(archive)),
        ).fetchone()
        return int(row[0]), int(row[1])

    def chunk(
        self, connection: sqlite3.Connection, archive: Record, start: float, end: float, after: tuple[float, int]
    ) -> Iterator[Archived]:
        """The next of them after ``after`` (a time and an id), in the order of the times in the events."""
        rows = connection.execute(
            "SELECT at, id, event FROM archived_events WHERE archive_arn = ? AND at >= ? AND at < ?"
            " AND (at, id) > (?, ?) AND kept_at >= ? ORDER BY at, id LIMIT ?",
            (archive.arn, start, end, *after, self._horizon(archive), CHUNK),
        )
        return (Archived(row["at"], row["id"], orjson.loads(row["event"])) for row in rows.fetchall())

    def empty(self, tx: sqlite3.Connection, archive_arn: str) -> None:
        tx.execute("DELETE FROM archived_events WHERE archive_arn = ?", (archive_arn,))

    def expire(self) -> None:
        """Remove what is kept no longer; a housekeeper's."""
        rows = self._database.reader.execute(f"SELECT * {ARCHIVES}").fetchall()
        for archive in map(records.from_row, rows):
            if (horizon := self._horizon(archive)) > 0:
                question = (archive.arn, horizon)
                self._database.write(
                    lambda tx, question=question: (
                        tx.execute(  # type: ignore[misc]
                            "DELETE FROM archived_events WHERE archive_arn = ? AND kept_at < ?", question
                        )
                        and None
                    )
                )

    def _horizon(self, archive: Record) -> float:
        days = archive.request.get("RetentionDays") or 0
        return self._clock.time() - days * DAY_SECONDS if days else 0.0
