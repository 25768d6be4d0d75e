"""What queues tell CloudWatch: messages counted as they come and go, and once a minute what lies in each queue.

Counts are added up in memory and written by the minute (``MetricStore.record``), so a kill may lose the last of them.
What lies in a queue is looked at when it becomes active and then every minute of the machine's, and stamped with
Cloche's time: minutes that a turned clock passes over have no such points.

Source of names, units and rules (dead letters are not counted as sent, every delete is counted, messages that were
received more than three times do not count for the age): docs.aws.amazon.com/AWSSimpleQueueService/latest/
SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html; active for six hours: …/monitoring-using-cloudwatch.html.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from cloche.engines.queues import queue as queues
from cloche.engines.queues.queue import Queue
from cloche.foundation.clock import Clock
from cloche.foundation.woken import Woken
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore

NAMESPACE: Final = "AWS/SQS"
ACTIVE_SECONDS: Final = 6 * 3600.0
LOOK_SECONDS: Final = 60.0
RECEIVES_OF_AGE_MAX: Final = 3
_LIES: Final = """
    SELECT count(*) FILTER (WHERE visible_at <= :now) AS visible,
        count(*) FILTER (WHERE visible_at > :now AND receives > 0) AS in_flight,
        count(*) FILTER (WHERE visible_at > :now AND receives = 0) AS delayed,
        min(sent_at) FILTER (WHERE receives <= :receives OR :fifo) AS oldest,
        count(DISTINCT grp) FILTER (WHERE visible_at > :now AND receives > 0) AS groups
    FROM queue_messages WHERE queue_id = :queue AND sent_at > :kept
"""


class QueueMetrics:
    def __init__(self, database: Database, clock: Clock, metrics: MetricStore) -> None:
        self._database, self._clock, self._metrics = database, clock, metrics
        self._active: dict[int, float] = {}
        """Queue → when something was last done with it, in Cloche's time."""
        self._thread = Woken("queue-metrics", self.look, lambda: LOOK_SECONDS)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    # -- what is done with queues ------------------------------------------------------------------------

    def sent(self, queue: Queue, sizes: Sequence[int], again: int) -> None:
        """Messages of so many bytes were added; ``again`` that had been sent before were not."""
        for size in sizes:
            self._record(queue, "NumberOfMessagesSent", 1.0)
            self._record(queue, "SentMessageSize", float(size), "Bytes")
        if again:
            self._record(queue, "NumberOfDeduplicatedSentMessages", float(again))

    def received(self, queue: Queue, count: int) -> None:
        """By one receive; none is a receive, too."""
        if count:
            self._record(queue, "NumberOfMessagesReceived", float(count))
        else:
            self._record(queue, "NumberOfEmptyReceives", 1.0)

    def deleted(self, queue: Queue, count: int) -> None:
        self._record(queue, "NumberOfMessagesDeleted", float(count))

    def _record(self, queue: Queue, name: str, value: float, unit: str = "Count") -> None:
        if queue.id not in self._active:
            self._thread.wake()
        self._active[queue.id] = self._clock.time()
        dimensions = (("QueueName", queue.name),)
        self._metrics.record(queue.account, queue.region, NAMESPACE, name, dimensions, value, unit)

    # -- what lies in them -------------------------------------------------------------------------------

    def look(self) -> None:
        """At every queue that holds something, or that was used in the last six hours."""
        now, reader = self._clock.time(), self._database.reader
        for id in [id for id, at in list(self._active.items()) if now - at >= ACTIVE_SECONDS]:
            self._active.pop(id, None)
        holding = {row[0] for row in reader.execute("SELECT DISTINCT queue_id FROM queue_messages")}
        for id in holding | set(self._active):
            queue = queues.find_id(reader, id)
            if queue is None:
                self._active.pop(id, None)
                continue
            for name, value, unit in _lies(reader, queue, now):
                dimensions = (("QueueName", queue.name),)
                self._metrics.record(queue.account, queue.region, NAMESPACE, name, dimensions, value, unit)


def _lies(reader: sqlite3.Connection, queue: Queue, now: float) -> Iterator[tuple[str, float, str]]:
    row = reader.execute(
        _LIES,
        {
            "now": now,
            "receives": RECEIVES_OF_AGE_MAX,
            "fifo": queue.settings.fifo,
            "queue": queue.id,
            "kept": now - queue.settings.retention_seconds,
        },
    ).fetchone()
    yield "ApproximateNumberOfMessagesVisible", float(row["visible"]), "Count"
    yield "ApproximateNumberOfMessagesNotVisible", float(row["in_flight"]), "Count"
    yield "ApproximateNumberOfMessagesDelayed", float(row["delayed"]), "Count"
    if row["oldest"] is not None:
        yield "ApproximateAgeOfOldestMessage", max(0.0, now - row["oldest"]), "Seconds"
    if queue.settings.fifo:
        yield "ApproximateNumberOfGroupsWithInflightMessages", float(row["groups"]), "Count"
