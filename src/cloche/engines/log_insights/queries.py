"""``LogInsights``: takes queries, runs a few at a time, keeps what they were and what they found.

A query is a row from the moment it is accepted; its results are a file, written before the row says so. When the server
was killed, its processes went with it, and what was under way is run again after the start. Results are kept for seven
days (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html).
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from cloche.engines.log_insights.running import Counts, Outcome, Run
from cloche.foundation.clock import Clock
from cloche.foundation.errors import ClocheError, Conflict, LimitReached, NotFound
from cloche.storage.logs import LogStore
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.keyset import Key, Walk, read_page

log = logging.getLogger(__name__)

# "You can have up to 100 concurrent CloudWatch Logs insights queries", botocore's documentation of StartQuery
CONCURRENT_MAX: Final = 100
RUNNING_MAX: Final = 2
KEPT_MS: Final = 7 * 24 * 3600 * 1000
UNDER_WAY: Final = ("Scheduled", "Running")

MIGRATIONS: list[tuple[str, str]] = [
    (
        "log-insights-1",
        """
        CREATE TABLE log_queries (
            id TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            status TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            plan TEXT NOT NULL,
            outcome TEXT NOT NULL DEFAULT '{}'
        ) STRICT;
        CREATE INDEX log_queries_by_time ON log_queries (account, region, created_ms, id);
        CREATE INDEX log_queries_under_way ON log_queries (account, status) WHERE status IN ('Scheduled', 'Running');
        """,
    ),
]


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """Times are of events, both inclusive."""

    groups: tuple[str, ...]
    query: str
    start_ms: int
    end_ms: int
    limit: int | None
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    id: str
    account: str
    region: str
    status: str
    created_ms: int
    plan: QueryPlan
    counts: Counts
    rows: int = 0
    seconds: float = 0.0
    reason: str = ""


class LogInsights:
    def __init__(self, folder: Path, database: Database, clock: Clock, logs: LogStore) -> None:
        self._folder = folder
        self._database = database
        self._clock = clock
        self._logs = logs
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._runs: dict[str, Run] = {}
        self._threads = 0
        self._closed = False

    def start(self) -> None:
        """Run again what was under way when the server ended."""
        rows = self._database.reader.execute(
            "SELECT id FROM log_queries WHERE status IN ('Scheduled', 'Running') ORDER BY created_ms"
        )
        for id in [row["id"] for row in rows]:
            self._enqueue(id)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            runs = list(self._runs.values())
        for run in runs:
            run.kill()
        until = time.monotonic() + 5
        while self._threads and time.monotonic() < until:
            time.sleep(0.01)

    # -- what the service calls ------------------------------------------------------------------------------

    def submit(self, account: str, region: str, plan: QueryPlan) -> str:
        """The query's id. The text has been checked. Raises ``LimitReached``."""
        id = str(uuid.uuid4())
        document = orjson.dumps(plan).decode()

        def change(tx: sqlite3.Connection) -> None:
            count = tx.execute(
                "SELECT count(*) FROM log_queries WHERE account = ? AND status IN ('Scheduled', 'Running')", (account,)
            ).fetchone()[0]
            if count >= CONCURRENT_MAX:
                raise LimitReached(f"The account has {CONCURRENT_MAX} concurrent queries already.")
            tx.execute(
                "INSERT INTO log_queries (id, account, region, status, created_ms, plan) VALUES (?, ?, ?, ?, ?, ?)",
                (id, account, region, "Scheduled", int(self._clock.time() * 1000), document),
            )

        self._database.write(change)
        self._enqueue(id)
        return id

    def find(self, account: str, region: str, id: str) -> Query:
        """Raises ``NotFound``."""
        row = self._database.reader.execute(
            "SELECT * FROM log_queries WHERE id = ? AND account = ? AND region = ?", (id, account, region)
        ).fetchone()
        if row is None:
            raise NotFound("The specified query does not exist.")
        return self._query(row)

    def page(
        self, account: str, region: str, *, group: str | None, status: str | None, after: Key | None, limit: int
    ) -> tuple[list[Query], Key | None]:
        """The newest first."""
        conditions, arguments = ["account = ?", "region = ?"], [account, region]
        if status is not None:
            conditions.append("status = ?")
            arguments.append(status)
        if group is not None:
            conditions.append("EXISTS (SELECT 1 FROM json_each(plan, '$.groups') WHERE value = ?)")
            arguments.append(group)
        walk = Walk(
            "log_queries",
            ("created_ms", "id"),
            descending=True,
            conditions=tuple(conditions),
            arguments=tuple(arguments),
        )
        page = read_page(self._database.reader, walk, after=after, size=limit)
        return [self._query(row) for row in page.rows], page.last

    def rows(self, query: Query, offset: int, count: int, bytes_max: int) -> tuple[list[Any], int | None]:
        """Rows of the result from a place in its file on, and the place of the next, if there is any."""
        if query.status != "Complete":
            return [], None
        found: list[Any] = []
        try:
            opened = self._file(query.id).open("rb")
        except FileNotFoundError:  # expired meanwhile
            return [], None
        with opened as file:
            file.seek(offset)
            for line in file:
                if found and (len(found) >= count or len(line) > bytes_max):
                    return found, offset
                found.append(orjson.loads(line))
                offset += len(line)
                bytes_max -= len(line)
        return found, None

    def stop(self, query: Query) -> None:
        """Raises ``Conflict`` if it has ended."""
        if not self._end(query.id, "Cancelled", {}):
            raise Conflict("The specified query is not running.")
        with self._lock:
            run = self._runs.get(query.id)
        if run is not None:
            run.kill()

    def expire(self) -> int:
        """Forget queries that are older than results are kept, and their results."""
        before = int(self._clock.time() * 1000) - KEPT_MS
        marks = "status NOT IN ('Scheduled', 'Running') AND created_ms < ?"
        rows = self._database.reader.execute(f"SELECT id FROM log_queries WHERE {marks}", (before,)).fetchall()  # noqa: S608
        if rows:
            self._database.write(lambda tx: tx.execute(f"DELETE FROM log_queries WHERE {marks}", (before,)))  # noqa: S608
        for row in rows:
            self._file(row["id"]).unlink(missing_ok=True)
        return len(rows)

    def abandon(self, account: str) -> None:
        """End and forget an account's queries."""
        rows = self._database.reader.execute("SELECT id FROM log_queries WHERE account = ?", (account,)).fetchall()
        for row in rows:
            self._end(row["id"], "Cancelled", {})
            run = self._runs.get(row["id"])
            if run is not None:
                run.kill()
            self._file(row["id"]).unlink(missing_ok=True)
        self._database.write(lambda tx: tx.execute("DELETE FROM log_queries WHERE account = ?", (account,)))

    # -- inside ----------------------------------------------------------------------------------------------

    def _file(self, id: str) -> Path:
        return self._folder / f"{id}.rows"

    def _enqueue(self, id: str) -> None:
        with self._lock:
            self._waiting.append(id)
            if self._threads >= RUNNING_MAX or self._closed:
                return
            self._threads += 1
        threading.Thread(target=self._work, name="log-insights", daemon=True).start()

    def _work(self) -> None:
        """A thread that runs what waits, and goes when nothing does."""
        while True:
            with self._lock:
                if not self._waiting or self._closed:
                    self._threads -= 1
                    return
                id = self._waiting.pop(0)
                run = self._runs[id] = Run()
            try:
                self._run(id, run)
            except Exception:
                log.exception("query %s", id)
                self._end(id, "Failed", {"reason": "An internal error."})
            finally:
                with self._lock:
                    self._runs.pop(id, None)

    def _run(self, id: str, run: Run) -> None:
        row = self._database.reader.execute("SELECT * FROM log_queries WHERE id = ?", (id,)).fetchone()
        if row is None or not self._move(id, "Running", {}):
            return
        query = self._query(row)
        began = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            outcome = run.work(self._task(query))
        except ClocheError as error:
            outcome = Outcome("Failed", error.message)
        with self._lock:
            if self._closed:  # the server stops: after the next start it is run again
                return
        if outcome.reason:
            log.warning("query %s: %s: %s", id, outcome.status, outcome.reason)
        counts = run.counts
        told = {
            "scanned": counts.scanned,
            "bytes": counts.bytes,
            "matched": counts.matched,
            "rows": outcome.rows,
            "reason": outcome.reason,
            "seconds": round(time.monotonic() - began, 3),
        }
        if not self._end(id, outcome.status, told) or outcome.status != "Complete":
            self._file(id).unlink(missing_ok=True)

    def _task(self, query: Query) -> dict[str, Any]:
        plan = query.plan
        return {
            "query": plan.query,
            "limit": plan.limit,
            "now_ms": query.created_ms,
            "high": plan.end_ms,
            "sources": list(self._sources(query)),
            "results": str(self._file(query.id)),
        }

    def _sources(self, query: Query) -> Iterator[tuple[int, str, str, str, int]]:
        for group in query.plan.groups:
            label = f"{query.account}:{group}"
            for source in self._logs.sources(
                query.account, query.region, group, query.plan.start_ms, query.plan.end_ms
            ):
                yield source.number, source.stream, label, str(source.directory), source.start_ms

    def _move(self, id: str, status: str, told: dict[str, Any]) -> bool:
        """Whether the query was under way still."""

        def change(tx: sqlite3.Connection) -> bool:
            done = tx.execute(
                "UPDATE log_queries SET status = ?, outcome = ? WHERE id = ? AND status IN ('Scheduled', 'Running')",
                (status, orjson.dumps(told).decode(), id),
            )
            return done.rowcount == 1

        return self._database.write(change)

    def _end(self, id: str, status: str, told: dict[str, Any]) -> bool:
        with self._lock:
            if id in self._waiting and status == "Cancelled":
                self._waiting.remove(id)
        return self._move(id, status, told)

    def _query(self, row: sqlite3.Row) -> Query:
        plan, told = orjson.loads(row["plan"]), orjson.loads(row["outcome"])
        run = self._runs.get(row["id"])
        counts = run.counts if run is not None and not told else None
        return Query(
            row["id"],
            row["account"],
            row["region"],
            row["status"],
            row["created_ms"],
            QueryPlan(**{**plan, "groups": tuple(plan["groups"])}),
            counts or Counts(told.get("scanned", 0), told.get("bytes", 0), told.get("matched", 0)),
            told.get("rows", 0),
            told.get("seconds", 0.0),
            told.get("reason", ""),
        )
