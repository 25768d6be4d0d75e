"""Messages in their rows: sending, receiving, hiding, deleting. Every function runs in a transaction of its caller's.

Standard queues give what has been visible longest. FIFO queues give the groups' first messages, oldest group first,
and of a group nothing while any message of it is in flight
(AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html).

A receive that finds a message at its queue's ``receives_max`` moves it to the dead-letter queue instead, in the same
transaction. In a standard queue it keeps the time of its sending, in a FIFO queue it gets a new one
(…/sqs-dead-letter-queues.html, "message retention periods for dead-letter queues").
"""

from __future__ import annotations

import secrets
import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from cloche.engines.queues import queue as queues
from cloche.engines.queues.queue import Queue

DEDUPLICATION_SECONDS: Final = 300
"""docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html; the
same for ReceiveRequestAttemptId (API_ReceiveMessage.html)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be sent. ``details`` are the service's own and come back as they are."""

    body: str
    details: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""
    """Of a FIFO queue."""
    deduplication: str = ""
    delay_seconds: int | None = None
    attributes_bytes: int = 0

    @property
    def size(self) -> int:
        """In bytes, attributes included."""
        return len(self.body.encode()) + self.attributes_bytes


@dataclass(frozen=True, slots=True)
class Sent:
    message_id: str
    sequence: int
    is_new: bool = True
    """Whether it was added now."""


@dataclass(frozen=True, slots=True)
class Received:
    id: int
    receipt: str
    body: str
    details: Mapping[str, Any]
    sent_at: float
    first_received_at: float
    receives: int


def send(tx: sqlite3.Connection, queue: Queue, draft: Draft, now: float) -> Sent:
    """Add a message. In a FIFO queue one that was sent in the last five minutes is not added again, and answered as
    the first time."""
    settings = queue.settings
    scope = draft.group if settings.deduplicates_in_groups else ""
    if settings.fifo:
        tx.execute("DELETE FROM queue_sent WHERE queue_id = ? AND expires_at <= ?", (queue.id, now))
        known = tx.execute(
            "SELECT message_id, sequence FROM queue_sent WHERE queue_id = ? AND scope = ? AND deduplication = ?",
            (queue.id, scope, draft.deduplication),
        ).fetchone()
        if known is not None:
            return Sent(known[0], known[1], is_new=False)
    delay = settings.delay_seconds if draft.delay_seconds is None else draft.delay_seconds
    message_id = str(uuid.uuid4())
    sequence = insert(tx, queue, draft.group, draft.body, {**draft.details, "id": message_id}, now, now + delay)
    if settings.fifo:
        tx.execute(
            "INSERT INTO queue_sent VALUES (?, ?, ?, ?, ?, ?)",
            (queue.id, scope, draft.deduplication, now + DEDUPLICATION_SECONDS, message_id, sequence),
        )
    return Sent(message_id, sequence)


def insert(
    tx: sqlite3.Connection,
    queue: Queue,
    group: str,
    body: str,
    details: Mapping[str, Any],
    sent_at: float,
    visible_at: float,
) -> int:
    group = group if queue.settings.fifo else ""
    made = tx.execute(
        "INSERT INTO queue_messages (queue_id, grp, sent_at, visible_at) VALUES (?, ?, ?, ?)",
        (queue.id, group, sent_at, visible_at),
    )
    sequence = made.lastrowid
    assert sequence is not None
    tx.execute("INSERT INTO queue_bodies VALUES (?, ?, ?)", (sequence, body, orjson.dumps(dict(details)).decode()))
    if group:
        tx.execute(
            "INSERT INTO queue_groups VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (queue.id, group, sequence, visible_at),
        )
    return sequence


def expire(tx: sqlite3.Connection, queue: Queue, now: float) -> None:
    """Remove what is older than the queue keeps messages."""
    until = now - queue.settings.retention_seconds
    oldest = tx.execute("SELECT min(sent_at) FROM queue_messages WHERE queue_id = ?", (queue.id,)).fetchone()[0]
    if oldest is None or oldest > until:
        return
    gone = "queue_id = ? AND sent_at <= ?"
    groups = [row[0] for row in tx.execute(f"SELECT DISTINCT grp FROM queue_messages WHERE {gone}", (queue.id, until))]  # noqa: S608
    tx.execute(f"DELETE FROM queue_messages WHERE {gone}", (queue.id, until))  # noqa: S608 - our own words
    _settle(tx, queue, groups, now)


# -- receiving -----------------------------------------------------------------------------------------------


def receive(
    tx: sqlite3.Connection, queue: Queue, now: float, *, most: int, visibility_seconds: int, attempt: str = ""
) -> tuple[list[Received], set[int]]:
    """Up to ``most`` messages, hidden from now on; and the queues to which others were moved instead."""
    expire(tx, queue, now)
    moved: set[int] = set()
    if attempt and (again := _again(tx, queue, attempt, now, visibility_seconds)) is not None:
        return again, moved
    found: list[Received] = []
    look = _next_of_groups if queue.settings.fifo else _next
    while len(found) < most:
        taken = {each.id for each in found}  # hidden for no time at all they may be seen again
        rows = [row for row in look(tx, queue, now, most) if row["id"] not in taken][: most - len(found)]
        kept = []
        for row in rows:
            if (target := _dead_letter_queue(tx, queue, row)) is None:
                kept.append(row)
            else:
                _move(tx, queue, row, target, now)
                moved.add(target.id)
        found += [_hide(tx, row, now, visibility_seconds) for row in kept]
        _settle(tx, queue, {row["grp"] for row in rows}, now)
        if len(kept) == len(rows):
            break
    if attempt and found:
        _remember(tx, queue, attempt, now, found)
    return found, moved


def _next(tx: sqlite3.Connection, queue: Queue, now: float, most: int) -> list[sqlite3.Row]:
    return tx.execute(
        "SELECT * FROM queue_messages WHERE queue_id = ? AND visible_at <= ? ORDER BY visible_at, id LIMIT ?",
        (queue.id, now, most),
    ).fetchall()


def _next_of_groups(tx: sqlite3.Connection, queue: Queue, now: float, most: int) -> list[sqlite3.Row]:
    found: list[sqlite3.Row] = []
    groups = tx.execute(
        "SELECT grp FROM queue_groups WHERE queue_id = ? AND available_at <= ? ORDER BY head LIMIT ?",
        (queue.id, now, most),
    ).fetchall()
    for (group,) in groups:
        in_order = tx.execute(
            "SELECT * FROM queue_messages WHERE queue_id = ? AND grp = ? AND grp <> '' ORDER BY id LIMIT ?",
            (queue.id, group, most - len(found)),
        ).fetchall()
        for row in in_order:
            if row["visible_at"] > now:
                break
            found.append(row)
        if len(found) == most:
            break
    return found


def _hide(tx: sqlite3.Connection, row: sqlite3.Row, now: float, visibility_seconds: int) -> Received:
    receipt = secrets.token_hex(16)
    first = row["first_received_at"] if row["first_received_at"] is not None else now
    tx.execute(
        "UPDATE queue_messages SET visible_at = ?, receives = receives + 1, first_received_at = ?, receipt = ?"
        " WHERE id = ?",
        (now + visibility_seconds, first, receipt, row["id"]),
    )
    return _received(tx, row["id"], receipt, row["sent_at"], first, row["receives"] + 1)


def _received(tx: sqlite3.Connection, id: int, receipt: str, sent_at: float, first: float, receives: int) -> Received:
    body, details = tx.execute("SELECT body, details FROM queue_bodies WHERE id = ?", (id,)).fetchone()
    return Received(id, receipt, body, orjson.loads(details), sent_at, first, receives)


def _again(
    tx: sqlite3.Connection, queue: Queue, attempt: str, now: float, visibility_seconds: int
) -> list[Received] | None:
    """What this attempt has received before, hidden anew; ``None`` where it has not, or not all of it is left as it
    was ("if … any messages have been deleted or changed", a new attempt: API_ReceiveMessage.html)."""
    tx.execute("DELETE FROM queue_attempts WHERE queue_id = ? AND expires_at <= ?", (queue.id, now))
    kept = tx.execute(
        "SELECT received FROM queue_attempts WHERE queue_id = ? AND attempt = ?", (queue.id, attempt)
    ).fetchone()
    if kept is None:
        return None
    found: list[Received] = []
    for id, receipt in orjson.loads(kept[0]):
        row = tx.execute(
            "SELECT * FROM queue_messages WHERE id = ? AND receipt = ? AND visible_at > ?", (id, receipt, now)
        ).fetchone()
        if row is None:
            return None
        tx.execute("UPDATE queue_messages SET visible_at = ? WHERE id = ?", (now + visibility_seconds, id))
        found.append(_received(tx, id, receipt, row["sent_at"], row["first_received_at"], row["receives"]))
        _settle(tx, queue, [row["grp"]], now)
    return found


def _remember(tx: sqlite3.Connection, queue: Queue, attempt: str, now: float, found: list[Received]) -> None:
    text = orjson.dumps([[each.id, each.receipt] for each in found]).decode()
    tx.execute(
        "INSERT OR REPLACE INTO queue_attempts VALUES (?, ?, ?, ?)",
        (queue.id, attempt, now + DEDUPLICATION_SECONDS, text),
    )


# -- dead letters --------------------------------------------------------------------------------------------


def _dead_letter_queue(tx: sqlite3.Connection, queue: Queue, row: sqlite3.Row) -> Queue | None:
    """Where the message has to go instead of to a receiver. While that queue is not there, it goes on as it did."""
    settings = queue.settings
    if not settings.dead_letter_arn or row["receives"] < settings.receives_max:
        return None
    return queues.find_arn(tx, settings.dead_letter_arn)


def _move(tx: sqlite3.Connection, source: Queue, row: sqlite3.Row, target: Queue, now: float) -> None:
    body, details = tx.execute("SELECT body, details FROM queue_bodies WHERE id = ?", (row["id"],)).fetchone()
    kept = {**orjson.loads(details), "dead_letter_source": source.arn}
    tx.execute("DELETE FROM queue_messages WHERE id = ?", (row["id"],))
    insert(tx, target, row["grp"], body, kept, now if target.settings.fifo else row["sent_at"], now)


def move_back(tx: sqlite3.Connection, source: Queue, row: sqlite3.Row, target: Queue, now: float) -> None:
    """From a dead-letter queue to where it shall be tried again, as a new message: sent now
    (AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html)."""
    body, details = tx.execute("SELECT body, details FROM queue_bodies WHERE id = ?", (row["id"],)).fetchone()
    kept = {name: value for name, value in orjson.loads(details).items() if name != "dead_letter_source"}
    tx.execute("DELETE FROM queue_messages WHERE id = ?", (row["id"],))
    insert(tx, target, row["grp"], body, kept, now, now)
    _settle(tx, source, [row["grp"]], now)


# -- in flight -----------------------------------------------------------------------------------------------


def delete(tx: sqlite3.Connection, queue: Queue, id: int, receipt: str, now: float) -> bool:
    """Remove the message, if that is its latest receipt. ``False`` where it was not removed."""
    row = tx.execute(
        "SELECT grp FROM queue_messages WHERE id = ? AND queue_id = ? AND receipt = ?", (id, queue.id, receipt)
    ).fetchone()
    if row is None:
        return False
    tx.execute("DELETE FROM queue_messages WHERE id = ?", (id,))
    _settle(tx, queue, [row[0]], now)
    return True


def in_flight(connection: sqlite3.Connection, queue: Queue, id: int, receipt: str) -> tuple[float, float] | None:
    """(until when it is hidden, when it was first received) of the message that has this latest receipt."""
    row = connection.execute(
        "SELECT visible_at, first_received_at FROM queue_messages WHERE id = ? AND queue_id = ? AND receipt = ?",
        (id, queue.id, receipt),
    ).fetchone()
    return None if row is None else (row[0], row[1])


def hide_until(tx: sqlite3.Connection, queue: Queue, id: int, visible_at: float, now: float) -> None:
    group = tx.execute("SELECT grp FROM queue_messages WHERE id = ?", (id,)).fetchone()[0]
    tx.execute("UPDATE queue_messages SET visible_at = ? WHERE id = ?", (visible_at, id))
    _settle(tx, queue, [group], now)


def _settle(tx: sqlite3.Connection, queue: Queue, groups: Iterable[str], now: float) -> None:
    """Bring the rows of these groups up to date with their messages."""
    for group in groups:
        if not group:
            continue
        head = tx.execute(
            "SELECT id, visible_at FROM queue_messages WHERE queue_id = ? AND grp = ? AND grp <> ''"
            " ORDER BY id LIMIT 1",
            (queue.id, group),
        ).fetchone()
        if head is None:
            tx.execute("DELETE FROM queue_groups WHERE queue_id = ? AND grp = ?", (queue.id, group))
            continue
        hidden = tx.execute(
            "SELECT max(visible_at) FROM queue_messages WHERE queue_id = ? AND grp = ? AND receives > 0",
            (queue.id, group),
        ).fetchone()[0]
        available_at = max(head["visible_at"], hidden if hidden is not None and hidden > now else 0.0)
        tx.execute(
            "UPDATE queue_groups SET head = ?, available_at = ? WHERE queue_id = ? AND grp = ?",
            (head["id"], available_at, queue.id, group),
        )
