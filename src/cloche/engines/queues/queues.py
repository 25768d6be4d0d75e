"""``Queues``: queues made, found, changed and removed; messages sent, received, hidden and deleted.

What sends or receives answers a future, so that a hundred requests wait for one commit without a thread for each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cloche.engines.queues import messages
from cloche.engines.queues import queue as queues
from cloche.engines.queues.messages import Draft, Received, Sent
from cloche.engines.queues.metrics import QueueMetrics
from cloche.engines.queues.moving import Moves
from cloche.engines.queues.queue import NAMED_AGAIN_AFTER_SECONDS, Queue, Settings, settings_text
from cloche.engines.queues.waiting import Waiting
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Conflict, LimitReached, NotFound
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata import tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.keyset import Key, Walk, read_page
from cloche.storage.metrics import MetricStore

PURGED_AGAIN_AFTER_SECONDS: Final = 60
"""docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html"""
IN_FLIGHT_MAX: Final = 120_000
"""Of standard and FIFO queues alike (AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html)."""
HIDDEN_SECONDS_MAX: Final = 43_200
"""From the first receive on (API_ChangeMessageVisibility.html)."""
THERE_NO_MORE: Final = "The specified queue does not exist."


@dataclass(frozen=True, slots=True)
class Counts:
    visible: int
    in_flight: int
    delayed: int


class Queues:
    def __init__(self, database: Database, clock: Clock, reconciler: Reconciler, metrics: MetricStore) -> None:
        self._database, self._clock = database, clock
        self.waiting = Waiting()
        self.metrics = QueueMetrics(database, clock, metrics)
        self.moves = Moves(database, clock, reconciler, self.waiting)

    # -- queues ------------------------------------------------------------------------------------------

    def find(self, account: str, region: str, name: str) -> Queue:
        """Raises ``NotFound``."""
        found = queues.find(self._database.reader, account, region, name)
        if found is None:
            raise NotFound(THERE_NO_MORE)
        return found

    def find_arn(self, connection: sqlite3.Connection, arn: str) -> Queue:
        """Raises ``NotFound``."""
        found = queues.find_arn(connection, arn)
        if found is None:
            raise NotFound(THERE_NO_MORE)
        return found

    def create(
        self,
        account: str,
        region: str,
        name: str,
        attributes: Mapping[str, str],
        settings: Settings,
        tag_pairs: Sequence[tuple[str, str]] = (),
    ) -> Queue:
        """The queue, as it is if it was there already: whether that will do is for the caller to say. Raises
        ``Conflict`` for a name that was given back less than a minute ago."""

        def change(tx: sqlite3.Connection) -> Queue:
            now = self._clock.time()
            found = queues.find(tx, account, region, name)
            if found is not None:
                return found
            gone = tx.execute(
                "SELECT at FROM queues_deleted WHERE account = ? AND region = ? AND name = ?", (account, region, name)
            ).fetchone()
            if gone is not None and now - gone[0] < NAMED_AGAIN_AFTER_SECONDS:
                raise Conflict(
                    "You must wait 60 seconds after deleting a queue before you can create another with the same name."
                )
            tx.execute("DELETE FROM queues_deleted WHERE at < ?", (now - NAMED_AGAIN_AFTER_SECONDS,))
            text = orjson.dumps(dict(attributes)).decode()
            tx.execute(
                "INSERT INTO queues (account, region, name, created_at, modified_at, attributes, settings)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (account, region, name, now, now, text, settings_text(settings)),
            )
            made = queues.find(tx, account, region, name)
            assert made is not None
            tags.put(tx, made.arn, tag_pairs)
            return made

        return self._database.write(change)

    def change(self, queue: Queue, attributes: Mapping[str, str], settings: Settings) -> None:
        """Raises ``NotFound`` where it has gone."""

        def change(tx: sqlite3.Connection) -> None:
            text = orjson.dumps(dict(attributes)).decode()
            changed = tx.execute(
                "UPDATE queues SET attributes = ?, settings = ?, modified_at = ? WHERE id = ?",
                (text, settings_text(settings), self._clock.time(), queue.id),
            )
            if changed.rowcount == 0:
                raise NotFound(THERE_NO_MORE)

        self._database.write(change)

    def delete(self, queue: Queue) -> None:
        """The queue and all its messages."""

        def change(tx: sqlite3.Connection) -> None:
            tx.execute("DELETE FROM queues WHERE id = ?", (queue.id,))
            tx.execute(
                "INSERT OR REPLACE INTO queues_deleted VALUES (?, ?, ?, ?)",
                (queue.account, queue.region, queue.name, self._clock.time()),
            )
            tags.remove_all(tx, queue.arn)
            self._wake_after(queue.id)

        self._database.write(change)

    def purge(self, queue: Queue) -> None:
        """Remove all messages. Raises ``LimitReached`` within a minute of the last time."""

        def change(tx: sqlite3.Connection) -> None:
            now = self._clock.time()
            row = tx.execute("SELECT purged_at FROM queues WHERE id = ?", (queue.id,)).fetchone()
            if row is None:
                raise NotFound(THERE_NO_MORE)
            if now - row[0] < PURGED_AGAIN_AFTER_SECONDS:
                raise LimitReached(f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds.")
            tx.execute("UPDATE queues SET purged_at = ? WHERE id = ?", (now, queue.id))
            tx.execute("DELETE FROM queue_messages WHERE queue_id = ?", (queue.id,))
            tx.execute("DELETE FROM queue_groups WHERE queue_id = ?", (queue.id,))

        self._database.write(change)

    def listed(
        self, account: str, region: str, *, prefix: str = "", after: Key | None = None, limit: int = 1_000
    ) -> tuple[list[Queue], Key | None]:
        """By name."""
        conditions, arguments = ["account = ?", "region = ?"], [account, region]
        if prefix:
            conditions += ["name >= ?", "name < ?"]
            arguments += [prefix, prefix + "\U0010ffff"]
        walk = Walk("queues", ("name",), conditions=tuple(conditions), arguments=tuple(arguments))
        page = read_page(self._database.reader, walk, after=after, size=limit)
        return [queues.from_row(row) for row in page.rows], page.last

    def sources_of(self, dead_letters: Queue) -> list[Queue]:
        """The queues whose dead letters go there, by name."""
        rows = self._database.reader.execute(
            "SELECT * FROM queues WHERE account = ? AND region = ?"
            " AND json_extract(settings, '$.dead_letter_arn') = ? ORDER BY name",
            (dead_letters.account, dead_letters.region, dead_letters.arn),
        )
        return [queues.from_row(row) for row in rows]

    def counts(self, queue: Queue) -> Counts:
        row = self._database.reader.execute(
            "SELECT count(*) FILTER (WHERE visible_at <= ?1),"
            " count(*) FILTER (WHERE visible_at > ?1 AND receives > 0),"
            " count(*) FILTER (WHERE visible_at > ?1 AND receives = 0) FROM queue_messages"
            " WHERE queue_id = ?2 AND sent_at > ?3",
            (self._clock.time(), queue.id, self._clock.time() - queue.settings.retention_seconds),
        ).fetchone()
        return Counts(*row)

    # -- messages ----------------------------------------------------------------------------------------

    def send(self, queue: Queue, drafts: Sequence[Draft]) -> Future[list[Sent]]:
        """All in one transaction. It raises ``NotFound`` where the queue has gone."""

        def change(tx: sqlite3.Connection) -> list[Sent]:
            return self.send_within(tx, queue, drafts)

        return self._database.submit(change)

    def send_within(self, tx: sqlite3.Connection, queue: Queue, drafts: Sequence[Draft]) -> list[Sent]:
        """The same in a transaction of the caller's: for those whose cause is a row of this database, too."""
        now = self._clock.time()
        try:
            sent = [messages.send(tx, queue, draft, now) for draft in drafts]
        except sqlite3.IntegrityError:  # there is no row for the messages to belong to
            raise NotFound(THERE_NO_MORE) from None
        sizes = [draft.size for draft, each in zip(drafts, sent, strict=True) if each.is_new]
        self._wake_after(queue.id)
        self._database.after_commit(lambda: self.metrics.sent(queue, sizes, len(sent) - len(sizes)))
        return sent

    def has_something(self, queue: Queue) -> bool:
        """May a receive find anything now? A question to a reader, so that waiting costs no writes."""
        now = self._clock.time()
        table, at = ("queue_groups", "available_at") if queue.settings.fifo else ("queue_messages", "visible_at")
        found = self._database.reader.execute(
            f"SELECT 1 FROM {table} WHERE queue_id = ? AND {at} <= ? LIMIT 1",  # noqa: S608 - our own words
            (queue.id, now),
        )
        return found.fetchone() is not None

    def seconds_until_next(self, queue: Queue) -> float | None:
        """Until time alone makes a message visible; ``None`` where none is hidden."""
        found = self.next_at(queue)
        return None if found is None else max(found - self._clock.time(), 0.0)

    def next_at(self, queue: Queue) -> float | None:
        """The moment from which a message may be received, in Cloche's time; ``None`` where there is none."""
        table, at = ("queue_groups", "available_at") if queue.settings.fifo else ("queue_messages", "visible_at")
        found = self._database.reader.execute(
            f"SELECT min({at}) FROM {table} WHERE queue_id = ?",  # noqa: S608 - our own words
            (queue.id,),
        ).fetchone()
        earliest: float | None = found[0]
        return earliest

    def receive(self, queue: Queue, *, most: int, visibility_seconds: int, attempt: str = "") -> Future[list[Received]]:
        """What is to be had now. It raises ``LimitReached`` while too many messages are in flight."""

        def change(tx: sqlite3.Connection) -> list[Received]:
            now = self._clock.time()
            beyond = tx.execute(
                "SELECT 1 FROM queue_messages WHERE queue_id = ? AND receives > 0 AND visible_at > ? LIMIT 1 OFFSET ?",
                (queue.id, now, IN_FLIGHT_MAX - 1),
            )
            if beyond.fetchone() is not None:
                raise LimitReached(f"Too many messages are in flight: at most {IN_FLIGHT_MAX} may be.")
            found, moved_to = messages.receive(
                tx, queue, now, most=most, visibility_seconds=visibility_seconds, attempt=attempt
            )
            for id in moved_to:
                self._wake_after(id)
            if found:
                self._database.after_commit(lambda: self.metrics.received(queue, len(found)))
            return found

        return self._database.submit(change)

    def delete_messages(self, queue: Queue, held: Sequence[tuple[int, str]]) -> Future[list[bool]]:
        """For each (message, receipt) whether it was removed. A FIFO queue's receipt counts only while the message is
        in flight; a standard queue's as long as it is the latest."""
        return self._database.submit(lambda tx: self.delete_within(tx, queue, held))

    def delete_within(self, tx: sqlite3.Connection, queue: Queue, held: Sequence[tuple[int, str]]) -> list[bool]:
        """The same in a transaction of the caller's."""
        now, removed = self._clock.time(), []
        for id, receipt in held:
            hidden = messages.in_flight(tx, queue, id, receipt) if queue.settings.fifo else None
            has_expired = hidden is not None and hidden[0] <= now
            removed.append(not has_expired and messages.delete(tx, queue, id, receipt, now))
        if queue.settings.fifo:
            self._wake_after(queue.id)  # the next of the group
        self._database.after_commit(lambda: self.metrics.deleted(queue, len(held)))
        return removed

    def has_expired(self, queue: Queue, id: int, receipt: str) -> bool:
        """Is the message still there under that receipt, but no longer in flight?"""
        found = messages.in_flight(self._database.reader, queue, id, receipt)
        return found is not None and found[0] <= self._clock.time()

    def hide(self, queue: Queue, held: Sequence[tuple[int, str, int]]) -> Future[list[Exception | None]]:
        """For each (message, receipt, seconds from now): what prevents it. ``NotFound`` for a message that is not
        there under that receipt, ``Conflict`` for one not in flight, ``LimitReached`` for more than twelve hours."""

        def change(tx: sqlite3.Connection) -> list[Exception | None]:
            now = self._clock.time()
            said = [_hide(tx, queue, *each, now) for each in held]
            self._wake_after(queue.id)
            return said

        return self._database.submit(change)

    # -- ends --------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """Remove what is older than its queue keeps messages; a housekeeper's."""
        every = self._database.reader.execute("SELECT * FROM queues").fetchall()
        for row in every:
            queue = queues.from_row(row)
            oldest = self._database.reader.execute(
                "SELECT min(sent_at) FROM queue_messages WHERE queue_id = ?", (queue.id,)
            ).fetchone()[0]
            if oldest is not None and oldest <= self._clock.time() - queue.settings.retention_seconds:
                self._database.write(lambda tx, queue=queue: messages.expire(tx, queue, self._clock.time()))  # type: ignore[misc]

    def abandon(self, account: str) -> None:
        """The account is emptied; its rows are swept with all others."""
        self.moves.abandon(account)

    def _wake_after(self, queue_id: int) -> None:
        self._database.after_commit(lambda: self.waiting.wake(queue_id))


def _hide(tx: sqlite3.Connection, queue: Queue, id: int, receipt: str, seconds: int, now: float) -> Exception | None:
    found: Any = messages.in_flight(tx, queue, id, receipt)
    if found is None:
        return NotFound("Message does not exist or is not available for visibility timeout change.")
    hidden_until, first_received_at = found
    if hidden_until <= now:
        return Conflict("The message is not in flight.")
    if now + seconds - first_received_at > HIDDEN_SECONDS_MAX and seconds > 0:
        return LimitReached("Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
    messages.hide_until(tx, queue, id, now + seconds, now)
    return None
