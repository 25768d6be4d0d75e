"""``LogExports``: submits tasks, tells of them, and does their work.

A running task writes each stream's events under ``prefix/task id/stream/000000.gz`` (slashes in a stream's name become
hyphens, as in AWS's exports), a line for each event with its time before it, and beside the tasks' folders an object
``aws-logs-write-test``. An interrupted task begins again and writes the same objects; one that is cancelled leaves
those it has written, as AWS does.
"""

from __future__ import annotations

import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from cloche.engines.log_export.machine import KIND, LIFECYCLE
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import LimitReached, NotFound
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event, Item, Outcome, Wait
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.logs import LogEvent, LogStore
from cloche.storage.metadata.database import Database
from cloche.storage.objects import Details, ObjectStore

OBJECT_BYTES_MAX: Final = 100 * 1024 * 1024
"""Of text, before it is compressed."""
PIECE_BYTES: Final = 1024 * 1024
STREAMS_PER_PAGE: Final = 500
WRITE_TEST: Final = "aws-logs-write-test"
WRITE_TEST_BODY: Final = b"Permission Check Successful"


@dataclass(frozen=True, slots=True)
class ExportPlan:
    account: str
    region: str
    group: str
    from_ms: int
    to_ms: int
    """Inclusive: "events with a timestamp later than this time are not exported"."""
    bucket: str
    prefix: str
    stream_prefix: str = ""
    name: str = ""


class _Cancelled(Exception):
    pass


class LogExports:
    """A driver of the reconciler's. ``work`` runs in its threads."""

    lifecycle = LIFECYCLE

    def __init__(self, database: Database, reconciler: Reconciler, logs: LogStore, objects: ObjectStore) -> None:
        self._database = database
        self._reconciler = reconciler
        self._logs = logs
        self._objects = objects
        reconciler.add(self)

    # -- what the service calls --------------------------------------------------------------------------

    def submit(self, plan: ExportPlan) -> str:
        """The task's id. Raises ``LimitReached`` while another task of the account and region is active."""
        id = str(uuid.uuid4())

        def change(tx: sqlite3.Connection) -> None:
            for item in rows.of_kind(tx, KIND, active_only=True):
                if (item.data["account"], item.data["region"]) == (plan.account, plan.region):
                    # "Each account can only have one active (RUNNING or PENDING) export task at a time"; the words
                    # are those of aws/aws-cli#2931.
                    raise LimitReached("Resource limit exceeded.")
            self._reconciler.submit(tx, KIND, id, asdict(plan), "Task is pending")

        self._database.write(change)
        return id

    def tasks(self, account: str, region: str) -> list[Item]:
        """Oldest first."""
        found = self._reconciler.items(KIND)
        return [item for item in found if (item.data["account"], item.data["region"]) == (account, region)]

    def cancel(self, account: str, region: str, id: str) -> None:
        """Raises ``NotFound``, and ``Conflict`` for a task that has ended."""

        def change(tx: sqlite3.Connection) -> None:
            item = rows.read(tx, id)
            if item is None or item.kind != KIND or (item.data["account"], item.data["region"]) != (account, region):
                raise NotFound("The specified export task does not exist.")
            self._reconciler.post(tx, id, Event("CancelAsked", message="Cancellation of the task was asked for"))

        self._database.write(change)

    def abandon(self, account: str) -> None:
        """The account is emptied: forget its tasks. One at work sees that it is not wanted any more."""

        def change(tx: sqlite3.Connection) -> None:
            for item in rows.of_kind(tx, KIND):
                if item.data["account"] == account:
                    self._reconciler.forget(tx, item.id)

        self._database.write(change)

    # -- the driver --------------------------------------------------------------------------------------

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        """Nothing else is kept of a task than its row."""

    def work(self, item: Item) -> Outcome:
        if item.state == "PENDING":
            return Event("Begun", message="Task is running")
        if item.state == "PENDING_CANCEL":
            return Event("Cancelled", message="Task was cancelled")
        try:
            self._export(item)
        except _Cancelled:
            return Wait()
        except NotFound as error:
            return Event("Failed", message=error.message)
        return Event("Exported", message="Completed successfully")

    def _export(self, item: Item) -> None:
        plan = _plan(item.data)
        self._objects.put_bytes(plan.bucket, f"{plan.prefix}/{WRITE_TEST}", WRITE_TEST_BODY)
        for stream in self._streams(plan):
            events = self._logs.events(
                plan.account, plan.region, plan.group, stream, start_ms=plan.from_ms, end_ms=plan.to_ms + 1
            )
            folder = f"{plan.prefix}/{item.id}/{stream.replace('/', '-')}"
            for number, pieces in enumerate(_objects_of(_lines(events))):
                self._write(item, plan.bucket, f"{folder}/{number:06d}.gz", pieces)

    def _streams(self, plan: ExportPlan) -> Iterator[str]:
        after: Any = None
        while True:
            found, after = self._logs.streams(
                plan.account,
                plan.region,
                plan.group,
                prefix=plan.stream_prefix,
                after=after,
                limit=STREAMS_PER_PAGE,
            )
            for stream in found:
                if stream.first_ms is not None and stream.first_ms <= plan.to_ms and stream.last_ms >= plan.from_ms:
                    yield stream.name
            if after is None:
                return

    def _write(self, item: Item, bucket: str, key: str, pieces: Iterable[bytes]) -> None:
        packer = zlib.compressobj(wbits=31)
        with self._objects.writer() as writer:
            for piece in pieces:
                if not self._reconciler.is_current(item):
                    raise _Cancelled
                writer.write(packer.compress(piece))
            writer.write(packer.flush())
            written = writer.finish()
        self._objects.commit(bucket, key, written, Details())


def _plan(data: Mapping[str, Any]) -> ExportPlan:
    return ExportPlan(**data)


def _lines(events: Iterable[LogEvent]) -> Iterator[bytes]:
    for event in events:
        at = from_epoch(event.timestamp_ms / 1000).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        yield f"{at} {event.message}\n".encode()


def _objects_of(lines: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    """Lines put together into pieces, pieces into objects. Each object is to be read before the next is asked for."""
    first = next(lines, None)
    while first is not None:
        rest: list[bytes | None] = [None]
        yield _pieces(first, lines, rest)
        first = rest[0]


def _pieces(first: bytes, lines: Iterator[bytes], rest: list[bytes | None]) -> Iterator[bytes]:
    held, size, whole = [first], len(first), 0
    for line in lines:
        if size >= PIECE_BYTES:
            whole += size
            yield b"".join(held)
            held, size = [], 0
            if whole >= OBJECT_BYTES_MAX:
                rest[0] = line
                return
        held.append(line)
        size += len(line)
    yield b"".join(held)
