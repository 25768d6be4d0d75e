"""Asynchronous invocations: rows that stay until they were handled, at least once each.

A function's error is tried again after one minute, then after two; what cannot be started for want of room is tried
again after one second, doubling up to five minutes, until the event is too old. What is given up goes to the
dead-letter queue and the destination that is configured; a result may go to a destination, too.

Source: docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html, invocation-async-retain-records.html
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import orjson

from cloche.engines.functions import rows
from cloche.engines.functions.outcome import Event, Outcome, Throttled, Unready, moment
from cloche.engines.functions.plan import AGE_SECONDS, LATEST, RETRIES, EventConfig, Owner
from cloche.engines.functions.registry import resolve
from cloche.engines.functions.traffic import Traffic
from cloche.foundation.clock import Clock
from cloche.foundation.errors import ClocheError, NotFound
from cloche.foundation.ids import request_id
from cloche.storage.metadata.database import Database

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = (60.0, 120.0)
DELAY_SECONDS_MAX: Final = 300.0
AT_ONCE: Final = 32
"""Events at work at the same time; others wait their turn."""
LOOK_SECONDS_MAX: Final = 5.0


class Outlets(Protocol):
    """Where events go that were given up, and results: Amazon SQS and SNS."""

    def send(self, tx: sqlite3.Connection, arn: str, body: str, attributes: Mapping[str, str]) -> None:
        """In the caller's transaction. Raises ``ClocheError`` where there is no such place."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    owner: Owner
    qualifier: str
    payload: bytes
    created_at: float
    attempts: int
    delays: int
    outcome: Mapping[str, Any]
    """The last failure: ``version`` and ``payload`` (text)."""


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What is sent to a queue or a function; nowhere, where ``arn`` is empty."""

    arn: str
    body: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)


Invoke = Callable[[Owner, str, Event], Awaitable[Outcome]]
"""Raises ``NotFound`` besides what an invoker raises."""


class Events:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        traffic: Traffic,
        invoke: Invoke,
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._traffic = traffic
        self._invoke = invoke
        self._retry_seconds = retry_seconds
        self.outlets: Outlets | None = None
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._hint = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

        def start() -> None:
            self._runner = loop.create_task(self._run())

        loop.call_soon_threadsafe(start)

    def close(self) -> None:
        """What is at work is done again by the next server."""
        for task in (self._runner, *self._tasks):
            if task is not None and self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(task.cancel)

    def submit(self, owner: Owner, qualifier: str, request: str, payload: bytes) -> None:
        """The event is kept when this returns."""
        now = self._clock.time()
        self._database.write(lambda tx: self.insert(tx, owner, qualifier, request, payload, now))
        self._traffic.receive(owner, qualifier)

    def accept(self, tx: sqlite3.Connection, owner: Owner, qualifier: str, payload: bytes) -> str:
        """Keep an event of somebody else's transaction; its request id. Raises ``NotFound`` for the function."""
        resolve(tx, owner, qualifier)
        request = request_id()
        self.insert(tx, owner, qualifier, request, payload, self._clock.time())
        self._traffic.receive(owner, qualifier)
        return request

    def insert(
        self, tx: sqlite3.Connection, owner: Owner, qualifier: str, request: str, payload: bytes, now: float
    ) -> None:
        """The same inside a transaction."""
        tx.execute(
            "INSERT INTO function_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '{}')",
            (request, *owner.key, qualifier, payload, now, now),
        )
        self._database.after_commit(self.hint)

    def hint(self) -> None:
        """From any thread: look for what is due."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hint.set)

    def next_at(self) -> float | None:
        """When an event is due, in Cloche's time."""
        at: float | None = self._database.reader.execute("SELECT min(due_at) FROM function_events").fetchone()[0]
        return at

    # -- the loop ----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._hint.clear()
            try:
                pause = await self._look()
            except Exception:
                log.exception("the look for events failed; it looks again")
                pause = 1.0
            try:
                await asyncio.wait_for(self._hint.wait(), pause)
            except TimeoutError:
                pass

    async def _look(self) -> float:
        room = AT_ONCE - len(self._busy)
        found, next_at = await asyncio.to_thread(self._due, room)
        for row in found:
            self._busy.add(row.id)
            task = asyncio.get_running_loop().create_task(self._handle(row))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if next_at is None or room <= len(found):
            return LOOK_SECONDS_MAX  # an event that has been handled hints
        return min(max(next_at - self._clock.time(), 0.01), LOOK_SECONDS_MAX)

    def _due(self, room: int) -> tuple[list[Row], float | None]:
        sql = "SELECT * FROM function_events WHERE due_at <= ? ORDER BY due_at LIMIT ?"
        now, busy = self._clock.time(), set(self._busy)
        due = self._database.reader.execute(sql, (now, AT_ONCE + len(busy))).fetchall()
        found = [_row(row) for row in due if row["id"] not in busy][:room]
        later = self._database.reader.execute(
            "SELECT min(due_at) FROM function_events WHERE due_at > ?", (now,)
        ).fetchone()[0]
        return found, later

    async def _handle(self, row: Row) -> None:
        try:
            await self._attempt(row)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("the event %s could not be handled; it is tried again", row.id)
            await asyncio.to_thread(self._postpone, row, 5.0)
        finally:
            self._busy.discard(row.id)
            self._hint.set()

    async def _attempt(self, row: Row) -> None:
        config = await asyncio.to_thread(self._config, row)
        if self._clock.time() - row.created_at > (config.age_seconds or AGE_SECONDS):
            await asyncio.to_thread(self._give_up, row, config, "EventAgeExceeded")
            return
        if await asyncio.to_thread(self._is_closed, row):
            await asyncio.to_thread(self._give_up, row, config, "ZeroReservedConcurrency")
            return
        arn = f"{row.owner.arn}:{row.qualifier}" if row.qualifier != LATEST else row.owner.arn
        try:
            outcome = await self._invoke(row.owner, row.qualifier, Event(row.id, row.payload, arn))
        except NotFound:
            self._traffic.drop(row.owner, row.qualifier)
            await asyncio.to_thread(self._end, row, [])
            return
        except (Throttled, Unready, ClocheError):
            await asyncio.to_thread(self._postpone, row, min(2.0**row.delays, DELAY_SECONDS_MAX))
            return
        await asyncio.to_thread(self._settle, row, config, outcome)

    # -- what came of it, in threads -----------------------------------------------------------------------

    def _is_closed(self, row: Row) -> bool:
        """Whether nothing may run of the function: "without retrying" (invocation-async-error-handling.html)."""
        try:
            return rows.reserved(self._database.reader, row.owner) == 0
        except NotFound:
            return False

    def _config(self, row: Row) -> EventConfig:
        held = rows.event_config(self._database.reader, row.owner, row.qualifier)
        return held or EventConfig(row.qualifier, 0.0)

    def _settle(self, row: Row, config: EventConfig, outcome: Outcome) -> None:
        """What was sent on and what is not to be done again go into one transaction."""
        told = {"version": outcome.version, "payload": outcome.payload.decode("utf-8", "replace")}
        if not outcome.failed:
            self._end(row, [_Parcel(config.on_success, self._record(row, "Success", told))])
            return
        retries = RETRIES if config.retries is None else config.retries
        if row.attempts >= retries:
            self._give_up(replace(row, attempts=row.attempts + 1, outcome=told), config, "RetriesExhausted")
            return
        due_at = self._clock.time() + self._retry_seconds[min(row.attempts, len(self._retry_seconds) - 1)]
        values = (row.attempts + 1, due_at, orjson.dumps(told).decode(), row.id)
        sql = "UPDATE function_events SET attempts = ?, due_at = ?, outcome = ? WHERE id = ?"
        self._database.write(lambda tx: tx.execute(sql, values) and None)

    def _postpone(self, row: Row, seconds: float) -> None:
        sql = "UPDATE function_events SET delays = delays + 1, due_at = ? WHERE id = ?"
        self._database.write(lambda tx: tx.execute(sql, (self._clock.time() + seconds, row.id)) and None)

    def _give_up(self, row: Row, config: EventConfig, condition: str) -> None:
        self._traffic.drop(row.owner, row.qualifier)
        self._end(row, [_Parcel(config.on_failure, self._record(row, condition, row.outcome)), self._dead(row)])

    def _dead(self, row: Row) -> _Parcel:
        """The event itself, for the queue of the function's ``DeadLetterConfig``."""
        try:
            queue = rows.version(self._database.reader, row.owner, LATEST).configuration.dead_letter
        except NotFound:
            queue = ""
        message = str(_document(row.outcome.get("payload", "")).get("errorMessage", "")) if row.outcome else ""
        attributes = {"RequestID": row.id, "ErrorCode": "200", "ErrorMessage": message[:1024] or "none"}
        return _Parcel(queue, row.payload, attributes)

    def _end(self, row: Row, parcels: list[_Parcel]) -> None:
        def change(tx: sqlite3.Connection) -> None:
            if tx.execute("DELETE FROM function_events WHERE id = ?", (row.id,)).rowcount:
                for parcel in parcels:
                    self._send(tx, row, parcel)

        self._database.write(change)

    def _send(self, tx: sqlite3.Connection, row: Row, parcel: _Parcel) -> None:
        try:
            if ":lambda:" in parcel.arn:
                owner, qualifier = _owner_of(parcel.arn)
                self.accept(tx, owner, qualifier, parcel.body)
            elif parcel.arn and self.outlets is not None:
                self.outlets.send(tx, parcel.arn, parcel.body.decode("utf-8", "replace"), parcel.attributes)
        except ClocheError as error:
            log.warning("event %s could not be sent to %s: %s", row.id, parcel.arn, error.message)

    def _record(self, row: Row, condition: str, told: Mapping[str, Any]) -> bytes:
        """The invocation record of destinations."""
        failed = condition == "RetriesExhausted"
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": moment(self._clock.time()),
            "requestContext": {
                "requestId": row.id,
                "functionArn": f"{row.owner.arn}:{row.qualifier}",
                "condition": condition,
                "approximateInvokeCount": row.attempts if failed else row.attempts + (condition == "Success"),
            },
            "requestPayload": _document(row.payload),
        }
        if told:
            context = {"statusCode": 200, "executedVersion": told["version"]}
            record["responseContext"] = {**context, **({"functionError": "Unhandled"} if failed else {})}
            record["responsePayload"] = _document(told["payload"])
        return orjson.dumps(record)


def _row(row: sqlite3.Row) -> Row:
    owner = Owner(row["account"], row["region"], row["name"])
    told = orjson.loads(row["outcome"])
    return Row(
        row["id"], owner, row["qualifier"], row["payload"], row["created_at"], row["attempts"], row["delays"], told
    )


def _document(data: bytes | str) -> Any:
    """The JSON, or what was there in its stead as text."""
    try:
        return orjson.loads(data) if data else {}
    except orjson.JSONDecodeError:
        return data if isinstance(data, str) else data.decode("utf-8", "replace")


def _owner_of(arn: str) -> tuple[Owner, str]:
    parts = arn.split(":")
    return Owner(parts[4], parts[3], parts[6]), parts[7] if len(parts) > 7 else LATEST
