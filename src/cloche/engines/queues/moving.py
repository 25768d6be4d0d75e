"""Moving what lies in a dead-letter queue back, or elsewhere: tasks under a lifecycle, so that they outlive a server.

Each step moves a few messages in one transaction, and keeps how many in the next: a message is in one queue or the
other at any time. What the count would lose by a crash between the two is counted anew from the source's rows.
Statuses: docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasksResultEntry.html
"""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass
from typing import Final

import orjson

from cloche.engines.queues import messages
from cloche.engines.queues import queue as queues
from cloche.engines.queues.queue import Queue
from cloche.engines.queues.waiting import Waiting
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Conflict, NotFound
from cloche.lifecycle import rows
from cloche.lifecycle.machine import BROKEN, Event, Item, Lifecycle, Outcome, Wait
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata.database import Database

KIND: Final = "queue-move"
STEP_MESSAGES: Final = 100
LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial="RUNNING",
    table={
        ("RUNNING", "Moved"): "COMPLETED",
        ("RUNNING", "Failed"): "FAILED",
        ("RUNNING", "CancelAsked"): "CANCELLING",
        ("RUNNING", BROKEN): "FAILED",
        ("CANCELLING", "Cancelled"): "CANCELLED",
        ("CANCELLING", BROKEN): "FAILED",
    },
    terminal=frozenset({"COMPLETED", "FAILED", "CANCELLED"}),
)


@dataclass(frozen=True, slots=True)
class MoveTask:
    id: str
    status: str
    source_arn: str
    destination_arn: str
    per_second_max: int | None
    moved: int
    to_move: int
    started_at: float
    failure: str


class Moves:
    """A driver of the reconciler's."""

    lifecycle = LIFECYCLE

    def __init__(self, database: Database, clock: Clock, reconciler: Reconciler, waiting: Waiting) -> None:
        self._database, self._clock, self._reconciler, self._waiting = database, clock, reconciler, waiting
        reconciler.add(self)

    def start(self, source: Queue, destination_arn: str, per_second_max: int | None) -> str:
        """The task's id. Raises ``Conflict`` while another task of that queue is active."""
        id = str(uuid.uuid4())

        def change(tx: sqlite3.Connection) -> None:
            for item in rows.of_kind(tx, KIND, active_only=True):
                if item.data["source"] == source.arn:
                    # API_StartMessageMoveTask.html: "Only one active message movement task is supported per queue"
                    raise Conflict(
                        "There is already a task running. Only one active task is allowed for a source queue."
                    )
            count = tx.execute("SELECT count(*) FROM queue_messages WHERE queue_id = ?", (source.id,)).fetchone()[0]
            data = {
                "account": source.account,
                "source": source.arn,
                "destination": destination_arn,
                "per_second_max": per_second_max,
                "to_move": count,
                "moved": 0,
            }
            self._reconciler.submit(tx, KIND, id, data, "")

        self._database.write(change)
        return id

    def of_queue(self, source_arn: str) -> list[MoveTask]:
        """Newest first."""
        found = [_task(item) for item in self._reconciler.items(KIND) if item.data["source"] == source_arn]
        return sorted(found, key=lambda task: task.started_at, reverse=True)

    def cancel(self, source_arn: str, id: str) -> int:
        """How many messages it has moved. Raises ``NotFound`` where that task is not, or is not at work any more."""

        def change(tx: sqlite3.Connection) -> int:
            item = rows.read(tx, id)
            if item is None or item.kind != KIND or item.data["source"] != source_arn or item.state != "RUNNING":
                raise NotFound("The message movement task does not exist or is not running.")
            self._reconciler.post(tx, id, Event("CancelAsked"))
            return int(item.data["moved"])

        return self._database.write(change)

    def abandon(self, account: str) -> None:
        ids = [item.id for item in self._reconciler.items(KIND) if item.data["account"] == account]
        self._reconciler.abandon(ids)

    # -- the driver --------------------------------------------------------------------------------------

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        """Nothing else is kept of a task than its row."""

    def work(self, item: Item) -> Outcome:
        if item.state == "CANCELLING":
            return Event("Cancelled")
        pace = item.data["per_second_max"]
        most = min(STEP_MESSAGES, pace or STEP_MESSAGES)
        try:
            moved, is_done = self._database.write(lambda tx: self._step(tx, item, most))
        except NotFound as error:
            return Event("Failed", message=error.message)
        changes = {"moved": item.data["moved"] + moved}
        if is_done:
            return Event("Moved", changes)
        return Wait(moved / pace if pace else 0.0, changes)

    def _step(self, tx: sqlite3.Connection, item: Item, most: int) -> tuple[int, bool]:
        """(moved, whether nothing is left that was there when the task began)."""
        source = queues.find_arn(tx, item.data["source"])
        if source is None:
            raise NotFound("AWS.SimpleQueueService.NonExistentQueue")
        now = self._clock.time()
        left = item.data["to_move"] - item.data["moved"]
        found = tx.execute(
            "SELECT * FROM queue_messages WHERE queue_id = ? AND visible_at <= ? ORDER BY id LIMIT ?",
            (source.id, now, min(most, left)),
        ).fetchall()
        for row in found:
            target = self._target(tx, item.data["destination"], row["id"])
            messages.move_back(tx, source, row, target, now)
            self._database.after_commit(lambda id=target.id: self._waiting.wake(id))  # type: ignore[misc]
        return len(found), len(found) < min(most, left) or len(found) == left

    def _target(self, tx: sqlite3.Connection, destination: str, message: int) -> Queue:
        if not destination:
            details = tx.execute("SELECT details FROM queue_bodies WHERE id = ?", (message,)).fetchone()[0]
            destination = orjson.loads(details).get("dead_letter_source", "")
            if not destination:
                # API_StartMessageMoveTask.html: messages that were sent to the queue directly have no source
                raise NotFound("CouldNotDetermineMessageSource")
        found = queues.find_arn(tx, destination)
        if found is None:
            raise NotFound("AWS.SimpleQueueService.NonExistentQueue")
        return found


def _task(item: Item) -> MoveTask:
    data = item.data
    failure = item.message if item.state == "FAILED" else ""
    return MoveTask(
        item.id,
        item.state,
        data["source"],
        data["destination"],
        data["per_second_max"],
        data["moved"],
        data["to_move"],
        item.created_at,
        failure,
    )
