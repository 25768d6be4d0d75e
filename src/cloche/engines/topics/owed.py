"""The outbox's other end: HTTP endpoints and mail servers get what they are owed, at least once.

One thread takes what is due, a small pool carries it out. An answer of 2xx is taken for done; any other of 4xx is the
endpoint's own no and final; the rest is tried again by the subscription's delivery policy, then buried
(docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html, …/sns-dead-letter-queues.html).
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import orjson

from cloche.engines.topics import mails, policies
from cloche.engines.topics.fanout import Fanout
from cloche.engines.topics.message import NOTIFICATION
from cloche.engines.topics.receiving import Parcel
from cloche.foundation.clock import Clock
from cloche.foundation.errors import ClocheError, Denied, Invalid, NotFound
from cloche.foundation.woken import Woken
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database

log = logging.getLogger(__name__)

WORKERS: Final = 8
OF_ONE_ENDPOINT_MAX: Final = 2
"""Deliveries under way to one endpoint: a slow one does not keep the others' waiting."""
LOOK_SECONDS_MAX: Final = 5.0
BATCH: Final = 64

Send = Callable[[str, Mapping[str, str], bytes], None]
"""(endpoint, headers, body): returns when it was taken. Raises a ``ClocheError``; those of ``FINAL`` stay true."""
FINAL: Final = (NotFound, Denied, Invalid)


class Owed:
    def __init__(self, database: Database, clock: Clock, fanout: Fanout, senders: Mapping[str, Send]) -> None:
        self._database, self._clock, self._fanout, self._senders = database, clock, fanout, senders
        fanout.when_owed = self.wake
        self._thread = Woken("topic-deliveries", self._take, self._pause)
        self._pool: ThreadPoolExecutor | None = None
        self._busy: dict[int, str] = {}
        """Endpoints by the rows under way to them."""
        self._lock = threading.Lock()

    def wake(self) -> None:
        self._thread.wake()

    def next_at(self) -> float | None:
        """Cloche's time of the earliest delivery that is due."""
        found = self._database.reader.execute("SELECT min(due_at) FROM topic_deliveries").fetchone()[0]
        return None if found is None else float(found)

    def busy(self) -> bool:
        return bool(self._busy) or ((at := self.next_at()) is not None and at <= self._clock.time())

    def start(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="topic-delivery")
        self._thread.wake()
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way; the rest is delivered after the next start."""
        self._thread.stop()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _pause(self) -> float:
        with self._lock:
            if self._busy:
                return LOOK_SECONDS_MAX  # what is under way wakes when it is done
        due = self.next_at()
        return LOOK_SECONDS_MAX if due is None else min(max(due - self._clock.time(), 0.005), LOOK_SECONDS_MAX)

    def _take(self) -> None:
        assert self._pool is not None
        with self._lock:
            busy = dict(self._busy)
        at_work = Counter(busy.values())
        rows = self._database.reader.execute(
            "SELECT * FROM topic_deliveries WHERE due_at <= ? ORDER BY due_at, id LIMIT ?",
            (self._clock.time(), BATCH + len(busy)),
        ).fetchall()
        for row in rows:
            if row["id"] in busy or at_work[row["endpoint"]] >= OF_ONE_ENDPOINT_MAX:
                continue
            at_work[row["endpoint"]] += 1
            with self._lock:
                self._busy[row["id"]] = row["endpoint"]
            self._pool.submit(self._deliver, row)

    def _deliver(self, row: sqlite3.Row) -> None:
        try:
            failure: ClocheError | None = None
            parcel: dict[str, Any] = orjson.loads(row["parcel"])
            try:
                self._send(row, parcel)
            except ClocheError as error:
                failure = error
            self._database.write(lambda tx: self._settle(tx, row, parcel, failure))
        except Exception:
            log.exception("delivering to %s failed", row["endpoint"])
            later = "UPDATE topic_deliveries SET due_at = ? WHERE id = ?"
            self._database.write(lambda tx: tx.execute(later, (self._clock.time() + 60.0, row["id"])) and None)
        finally:
            with self._lock:
                self._busy.pop(row["id"], None)
            self._thread.wake()

    def _send(self, row: sqlite3.Row, parcel: Mapping[str, Any]) -> None:
        send = self._senders.get(row["protocol"])
        if send is None:
            raise NotFound(f"Nothing here delivers by {row['protocol']}.")
        if "mail" in parcel:
            mail = mails.find(self._database.reader, parcel["mail"])
            if mail is None:
                raise NotFound("The mail has gone from the outbox.")
            send(mail.recipient, {"Subject": mail.subject, "Topic": mail.topic_arn}, mail.body.encode())
            return
        own, of_topic = self._policies(row, parcel)
        headers = {**parcel["headers"], "Content-Type": policies.content_type(own, of_topic)}
        send(row["endpoint"], headers, parcel["body"].encode())

    def _policies(self, row: sqlite3.Row, parcel: Mapping[str, Any]) -> tuple[str | None, str | None]:
        record = records.find_arn(self._database.reader, row["topic_arn"])
        return parcel["policy"].get("DeliveryPolicy"), None if record is None else record.request.get("DeliveryPolicy")

    def _settle(
        self, tx: sqlite3.Connection, row: sqlite3.Row, parcel: Mapping[str, Any], failure: ClocheError | None
    ) -> None:
        now, is_mail = self._clock.time(), "mail" in parcel
        if failure is None:
            if is_mail:
                mails.sent(tx, parcel["mail"], now)
            is_told = is_mail or parcel["kind"] != NOTIFICATION  # at once, or to nobody's metric
            self._end(tx, row, [] if is_told else ["NumberOfNotificationsDelivered"])
            return
        retry = row["attempts"] + 1
        pause = None
        if not isinstance(failure, FINAL):
            pause = (
                policies.mail_pause(retry)
                if is_mail
                else policies.pause_before(retry, policies.retry_policy(*self._policies(row, parcel)))
            )
        if pause is not None:
            sql = "UPDATE topic_deliveries SET attempts = ?, due_at = ? WHERE id = ?"
            tx.execute(sql, (retry, now + pause, row["id"]))
            return
        log.warning("a notification for %s was given up: %s", row["endpoint"], failure.message)
        letter = Parcel(row["account"], row["topic_arn"], "", parcel.get("body", ""), parcel.get("attributes", {}))
        names = ["NumberOfNotificationsFailed"]
        if not is_mail:
            names += self._fanout.bury(tx, parcel["policy"], letter)
        self._end(tx, row, names)

    def _end(self, tx: sqlite3.Connection, row: sqlite3.Row, names: list[str]) -> None:
        tx.execute("DELETE FROM topic_deliveries WHERE id = ?", (row["id"],))
        self._fanout.count(row["topic_arn"], dict(Counter(names)))
