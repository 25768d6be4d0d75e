"""Event source mappings: queues whose messages functions are invoked with, in batches.

Each enabled mapping has a task on the server's loop that waits at its queue. A batch whose function answers is deleted
from the queue; one whose function fails comes again after the queue's visibility timeout, and at last goes to the
queue's own dead letters. So a message is handled at least once, whatever is killed when.

Source: docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, services-sqs-errorhandling.html
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Protocol

import orjson

from cloche.engines.functions.events import Invoke
from cloche.engines.functions.outcome import Event, Outcome, Throttled, Unready
from cloche.engines.functions.plan import LATEST, Owner
from cloche.foundation.batches import BATCHES_AT_ONCE, PAUSE_SECONDS, AtWork, Polling
from cloche.foundation.clock import Clock
from cloche.foundation.errors import ClocheError, NotFound
from cloche.foundation.ids import request_id
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.keyset import Key, Page, Walk, read_page

log = logging.getLogger(__name__)

NOTHING_YET: Final = "No records processed"
WELL: Final = "OK"
FAILED: Final = "PROBLEM: Function call failed"


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that is hidden from others. ``record`` is what the function sees of it, ``handle`` the queue's own."""

    id: str
    record: Mapping[str, Any]
    handle: Any


class Sources(Protocol):
    """Queues that messages are taken from."""

    def visibility_seconds(self, arn: str) -> int:
        """Raises ``NotFound``."""
        ...

    def next_at(self, arn: str) -> float | None:
        """When the queue has, or had, a message that may be taken; ``None`` where it has none, or is gone."""
        ...

    async def take(self, arn: str, most: int, seconds: float) -> list[Taken]:
        """Up to so many messages, waiting so long for the first. Raises ``NotFound``."""
        ...

    async def remove(self, arn: str, done: Sequence[Taken]) -> None: ...


@dataclass(frozen=True, slots=True)
class SourceMapping:
    id: str
    owner: Owner
    qualifier: str
    source: str
    modified_at: float
    batch_size: int = 10
    window_seconds: int = 0
    enabled: bool = True
    tells_failures: bool = False
    """The function's answer names the messages that failed (``ReportBatchItemFailures``)."""
    concurrency_max: int = 0
    """Batches at once; 0: as many as there may be."""

    @property
    def function_arn(self) -> str:
        return self.owner.arn if self.qualifier == LATEST else f"{self.owner.arn}:{self.qualifier}"


class Mappings:
    def __init__(self, database: Database, clock: Clock, invoke: Invoke) -> None:
        self._database = database
        self._clock = clock
        self._invoke = invoke
        self.sources: Sources | None = None
        self.results: dict[str, str] = {}
        """What came of a mapping's last batch, since this server started."""
        self._pollers: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.at_work = AtWork()

    # -- what is kept ------------------------------------------------------------------------------------

    def put(self, held: SourceMapping) -> None:
        kept = asdict(held)
        for name in ("id", "owner"):
            del kept[name]
        values = (held.id, *held.owner.key, held.source, orjson.dumps(kept).decode())
        sql = "INSERT OR REPLACE INTO function_mappings VALUES (?, ?, ?, ?, ?, ?)"
        self._database.write(lambda tx: tx.execute(sql, values) and None)
        self._look_again()

    def get(self, account: str, region: str, id: str) -> SourceMapping:
        """Raises ``NotFound``."""
        row = self._database.reader.execute(
            "SELECT * FROM function_mappings WHERE id = ? AND account = ? AND region = ?", (id, account, region)
        ).fetchone()
        if row is None:
            raise NotFound("The resource you requested does not exist.")
        return of_row(row)

    def change(self, held: SourceMapping, changes: Mapping[str, Any]) -> SourceMapping:
        made = replace(held, modified_at=self._clock.time(), **changes)
        self.put(made)
        return made

    def delete(self, held: SourceMapping) -> None:
        self._database.write(lambda tx: tx.execute("DELETE FROM function_mappings WHERE id = ?", (held.id,)) and None)
        self._look_again()

    def listed(self, account: str, region: str, source: str, function: str, after: Key | None, size: int) -> Page:
        conditions, arguments = ["account = ?", "region = ?"], [account, region]
        for column, value in (("source", source), ("name", function)):
            if value:
                conditions.append(f"{column} = ?")
                arguments.append(value)
        walk = Walk("function_mappings", ("id",), conditions=tuple(conditions), arguments=tuple(arguments))
        return read_page(self._database.reader, walk, after=after, size=size)

    def next_at(self) -> float | None:
        """When a message can be taken from the queue of an enabled mapping, in Cloche's time."""
        rows = self._database.reader.execute("SELECT * FROM function_mappings").fetchall()
        sources = {held.source for held in map(of_row, rows) if held.enabled}
        found = [self.sources.next_at(source) for source in sources] if self.sources is not None else []
        return min((at for at in found if at is not None), default=None)

    # -- polling -----------------------------------------------------------------------------------------

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._look_again()

    def close(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            for task in self._pollers.values():
                self._loop.call_soon_threadsafe(task.cancel)

    def _look_again(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._keep_up)

    def _keep_up(self) -> None:
        """One task for each enabled mapping as it is now."""
        rows = self._database.reader.execute("SELECT * FROM function_mappings").fetchall()
        wanted = {held.id: held for held in map(of_row, rows) if held.enabled}
        for id, task in list(self._pollers.items()):
            if task.get_name() != _name(wanted.get(id)):
                task.cancel()
                del self._pollers[id]
        loop = asyncio.get_running_loop()
        for id, held in wanted.items():
            if id not in self._pollers:
                self._pollers[id] = loop.create_task(self._poll(held), name=_name(held))

    async def _poll(self, held: SourceMapping) -> None:
        sources = self.sources
        assert sources is not None
        await Polling(
            lambda most, seconds: sources.take(held.source, most, seconds),
            lambda batch: self._hand_over(held, batch),
            self.at_work,
            held.batch_size,
            held.window_seconds,
            held.concurrency_max or BATCHES_AT_ONCE,
        ).run()

    async def _hand_over(self, held: SourceMapping, batch: list[Taken]) -> None:
        assert self.sources is not None
        payload = orjson.dumps({"Records": [taken.record for taken in batch]})
        try:
            outcome = await self._invoke(held.owner, held.qualifier, Event(request_id(), payload, held.function_arn))
        except (Throttled, Unready, ClocheError) as why:
            self.results[held.id] = f"PROBLEM: {why}"
            await asyncio.sleep(PAUSE_SECONDS)
            return
        except Exception:
            log.exception("a batch of %s could not be handed over", held.source)
            return
        done = succeeded(outcome, batch, held.tells_failures)
        self.results[held.id] = WELL if len(done) == len(batch) else FAILED
        if done:
            await self.sources.remove(held.source, done)


def succeeded(outcome: Outcome, batch: Sequence[Taken], tells_failures: bool) -> list[Taken]:
    """Those of a batch that the function has handled. An answer that should name failures and makes no sense is a
    failure of all (services-sqs-errorhandling.html)."""
    if outcome.failed:
        return []
    if not tells_failures:
        return list(batch)
    try:
        answer = orjson.loads(outcome.payload or b"null")
        told = answer.get("batchItemFailures") if isinstance(answer, dict) else None
        failed = {item["itemIdentifier"] for item in told or ()}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []
    known = {taken.id for taken in batch}
    return [taken for taken in batch if taken.id not in failed] if failed <= known else []


def of_row(row: sqlite3.Row) -> SourceMapping:
    owner = Owner(row["account"], row["region"], row["name"])
    return SourceMapping(row["id"], owner, **orjson.loads(row["document"]))


def _name(held: SourceMapping | None) -> str:
    return "" if held is None else f"{held.id} {held.modified_at}"
