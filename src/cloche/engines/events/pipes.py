"""Pipes: from a queue through a filter and a function to a target.

Each running pipe has a task on the server's loop that waits at its source. A batch goes on as a whole: what no filter
keeps is removed, the rest is enriched, shaped and delivered. Where the target lives in this database, a message leaves
its queue in the transaction that hands it over: exactly once. Else it leaves after the target has taken it, so it is
delivered at least once; what fails comes again after the queue's visibility timeout, and at last goes to the queue's
own dead letters, as on AWS.

docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes.html, eb-pipes-batching-concurrency.html
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from cloche.engines.events.delivery import Parcel, Target
from cloche.engines.events.pipe_plan import PipePlan, answered, is_function, listed, seen
from cloche.engines.events.schema import PIPES
from cloche.foundation.batches import PAUSE_SECONDS, AtWork, Polling
from cloche.foundation.bus import Bus, EventDelivered
from cloche.foundation.clock import Clock, to_iso
from cloche.foundation.errors import ClocheError
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record
from cloche.storage.metrics import MetricStore

log = logging.getLogger(__name__)

NAMESPACE: Final = "AWS/EventBridge/Pipes"
ON_THE_WAY: Final[Mapping[str, str]] = {"CREATING": "CREATE", "UPDATING": "UPDATE", "STARTING": "START"}
"""States that lead to running, or to a failure of their name."""
_DELIVERIES: Final = uuid.UUID("84bbd0b5-2c53-4bbc-8aa5-54d76c8a5a0c")


class Taken(Protocol):
    """A message that is hidden from others."""

    @property
    def id(self) -> str: ...
    @property
    def record(self) -> Mapping[str, Any]: ...


class Sources(Protocol):
    """Queues that messages are taken from. All raise ``NotFound`` for one that is not there."""

    def seconds_until_next(self, arn: str) -> float | None:
        """Until there is a message to take: 0 where there is, ``None`` where none will come by the passing of time."""
        ...

    async def take(self, arn: str, most: int, seconds: float) -> Sequence[Any]: ...
    def remove_within(self, tx: sqlite3.Connection, arn: str, done: Sequence[Any]) -> None: ...


class Functions(Protocol):
    async def invoke(self, arn: str, payload: bytes) -> bytes:
        """The answer. Raises a ``ClocheError`` where there is none, or where it is an error."""
        ...


class Pipes:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: MetricStore,
        bus: Bus,
        targets: Mapping[str, Target],
        sources: Sources,
        functions: Functions,
    ) -> None:
        self._database, self._clock, self._metrics, self._bus = database, clock, metrics, bus
        self._targets, self._sources, self._functions = targets, sources, functions
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pollers: dict[str, asyncio.Task[None]] = {}
        self._plans: dict[str, PipePlan] = {}
        self._at_work = AtWork()
        self._settling: asyncio.Task[None] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.look()

    def close(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            for task in self._pollers.values():
                self._loop.call_soon_threadsafe(task.cancel)

    def changed(self) -> None:
        """From inside of a transaction: pipes are others once it is on the disk."""
        self._database.after_commit(self.look)

    def look(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._keep_up)

    def is_busy(self) -> bool:
        """Is a batch on its way? One that is about to be taken is due (``next_at``)."""
        return bool(self._at_work)

    def next_at(self) -> float | None:
        """When a pipe that runs next has something to take."""
        waits = [wait for plan in list(self._plans.values()) if (wait := self._wait(plan)) is not None]
        return self._clock.time() + min(waits) if waits else None

    def _wait(self, plan: PipePlan) -> float | None:
        try:
            return self._sources.seconds_until_next(plan.record.request["Source"])
        except ClocheError:
            return None

    # -- states ------------------------------------------------------------------------------------------

    def _keep_up(self) -> None:
        """A task for each pipe that runs, as it is now; states that are on the way to another arrive there."""
        rows = self._database.reader.execute(f"SELECT * {PIPES}").fetchall()
        pipes = {record.arn: record for record in map(records.from_row, rows)}
        for arn, task in list(self._pollers.items()):
            if task.get_name() != _task_name(pipes.get(arn)):
                task.cancel()
                del self._pollers[arn], self._plans[arn]
        for record in pipes.values():
            if record.status == "RUNNING" and record.arn not in self._pollers:
                plan = self._plans[record.arn] = PipePlan.of(record)
                self._pollers[record.arn] = asyncio.get_running_loop().create_task(
                    self._poll(plan), name=_task_name(record)
                )
            elif record.status in ON_THE_WAY or record.status in ("STOPPING", "DELETING"):
                self._database.submit(lambda tx, record=record: self._arrive(tx, record))  # type: ignore[misc]

    def _arrive(self, tx: sqlite3.Connection, found: Record) -> None:
        record = records.find_arn(tx, found.arn)
        if record is None or record.version != found.version:
            return
        status, reason = record.status, ""
        if status == "DELETING":
            records.remove(tx, record.arn)
        elif status == "STOPPING" or record.request["DesiredState"] == "STOPPED":
            records.set_status(tx, record.arn, "STOPPED", state={})
        else:
            try:
                self._sources.seconds_until_next(record.request["Source"])
            except ClocheError as error:
                reason = error.message
            arrived = f"{ON_THE_WAY[status]}_FAILED" if reason else "RUNNING"
            records.set_status(tx, record.arn, arrived, state={"reason": reason} if reason else {})
        self.changed()

    # -- batches -----------------------------------------------------------------------------------------

    async def _poll(self, plan: PipePlan) -> None:
        source = plan.record.request["Source"]
        await Polling(
            lambda most, seconds: self._sources.take(source, most, seconds),
            lambda batch: self._hand_over(plan, batch),
            self._at_work,
            plan.batch_size,
            plan.window_seconds,
        ).run()

    async def _hand_over(self, plan: PipePlan, batch: list[Any]) -> None:
        kept: list[Any] = []
        dropped: list[Any] = []
        for taken in batch:
            (kept if plan.keeps(taken.record) else dropped).append(taken)
        try:
            if dropped:
                await self._remove(plan, dropped)
            if kept:
                self._count(plan, "Invocations", 1)
                self._count(plan, "EventCount", len(kept))
                await self._send(plan, kept)
        except ClocheError as error:
            self._count(plan, "ExecutionFailed", 1)
            self._tell(plan, "failed", str(error))
            await asyncio.sleep(PAUSE_SECONDS)
        except Exception:
            log.exception("a batch of %s could not be handed over", plan.record.arn)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, plan: PipePlan, kept: list[Any]) -> None:
        ingested = to_iso(self._clock.now())
        if plan.enrichment:
            texts = [plan.for_enrichment(taken.record, ingested) for taken in kept]
            events = answered(await self._functions.invoke(plan.enrichment, listed(texts)))
            if not events:
                self._count(plan, "TargetStageSkipped", 1)
                await self._remove(plan, kept)
                return
            groups = [(kept, events)]  # which event came of which message nobody says: all or none
        else:
            groups = [([taken], [taken.record]) for taken in kept]
        if is_function(plan.target):
            await self._to_function(plan, kept, [event for _, events in groups for event in events], ingested)
            return
        for taken, events in groups:
            await self._to_target(plan, taken, [(event, plan.for_target(event, ingested)) for event in events])

    async def _to_function(self, plan: PipePlan, kept: list[Any], events: list[Any], ingested: str) -> None:
        """The whole batch as one list."""
        payload = listed([plan.for_target(event, ingested) for event in events])
        if not plan.waits_for_function:
            await self._to_target(plan, kept, [({}, payload.decode())])
            return
        failed = _named_failures(await self._functions.invoke(plan.target, payload), kept)
        done = [taken for taken in kept if taken.id not in failed]
        await self._remove(plan, done)
        self._tell(plan, "delivered" if len(done) == len(kept) else "failed", f"{len(done)} of {len(kept)}")

    async def _to_target(self, plan: PipePlan, taken: list[Any], shaped: list[tuple[Any, str]]) -> None:
        target = self._targets[plan.target.split(":")[2]]
        parcels = [self._parcel(plan, taken, number, *each) for number, each in enumerate(shaped)]

        def hand_over(tx: sqlite3.Connection) -> None:
            for parcel in parcels:
                if target.in_transaction:
                    target.deliver(tx, parcel)
            self._sources.remove_within(tx, plan.record.request["Source"], taken)

        if not target.in_transaction:
            for parcel in parcels:
                await asyncio.to_thread(target.deliver, None, parcel)
        await asyncio.wrap_future(self._database.submit(hand_over))
        self._tell(plan, "delivered", "")

    def _parcel(self, plan: PipePlan, taken: list[Any], number: int, event: Any, payload: str) -> Parcel:
        record = plan.record
        id = str(uuid.uuid5(_DELIVERIES, f"{record.arn} {taken[0].id} {number}"))
        address, view = plan.address(event), seen(event)
        view = view if isinstance(view, Mapping) else {}
        return Parcel(record.account, record.region, plan.target, address, payload, record.arn, {}, id, view)

    async def _remove(self, plan: PipePlan, taken: list[Any]) -> None:
        source = plan.record.request["Source"]
        await asyncio.wrap_future(self._database.submit(lambda tx: self._sources.remove_within(tx, source, taken)))

    def _count(self, plan: PipePlan, metric: str, value: int) -> None:
        record = plan.record
        dimensions = (("PipeName", record.name),)
        self._metrics.record(record.account, record.region, NAMESPACE, metric, dimensions, float(value), "Count")

    def _tell(self, plan: PipePlan, outcome: str, message: str) -> None:
        told = EventDelivered(self._clock.time(), plan.record.arn, plan.target, "Event from aws:sqs", outcome, message)
        self._bus.tell(told)


def _task_name(record: Record | None) -> str:
    return "" if record is None or record.status != "RUNNING" else f"{record.arn} {record.modified_at}"


def _named_failures(payload: bytes, batch: Sequence[Taken]) -> set[str]:
    """The ids of messages that the function says it has not handled. A list of them that makes no sense means all
    (eb-pipes-batching-concurrency.html, "Partial batch failure")."""
    all_of_them = {taken.id for taken in batch}
    try:
        answer = orjson.loads(payload or b"null")
        told = answer.get("batchItemFailures") if isinstance(answer, dict) else None
        failed = {item["itemIdentifier"] for item in told or ()}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return all_of_them
    return failed if failed <= all_of_them else all_of_them
