"""``LogSubscriptions``: follows the streams of subscribed groups and hands on what matches.

A log is not in the database, so nothing can be handed on in the transaction of its append. Instead each subscription
keeps its place in each stream, and moves it in the transaction that hands the events before it to the function: none is
lost and none comes twice, whatever is killed when. After a start every stream of a subscribed group is looked at once.

What the function does not take (it has gone) is tried again each minute, for a day
(docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html: "retries … for up to 24 hours").
"""

from __future__ import annotations

import base64
import gzip
import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from cloche.foundation.clock import Clock
from cloche.foundation.errors import ClocheError, NotFound
from cloche.storage.logs import LogEvent, LogStore, event_id, filters
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore

log = logging.getLogger(__name__)

GATHER_SECONDS: Final = 0.05
"""How long appends are gathered before they are handed on: a busy group's come together."""
RETRY_SECONDS: Final = 60.0
KEPT_SECONDS: Final = 86_400.0
STEP_BYTES: Final = 4 * 1024 * 1024
CHUNK_BYTES: Final = 512 * 1024
"""Of messages in one event of a function, which may have 1 MiB; compressed it is nearly always far less."""
NAMESPACE: Final = "AWS/Logs"

Group = tuple[str, str, str]
"""Account, region, name."""


class Pattern(Protocol):
    @property
    def matches(self) -> Callable[[str], bool]: ...

    @property
    def extract(self) -> Callable[[str], Mapping[str, str]]: ...


class Receiver(Protocol):
    def deliver(self, tx: sqlite3.Connection, account: str, arn: str, payload: bytes) -> None:
        """Within the caller's transaction. Raises a ``ClocheError``."""
        ...


@dataclass(frozen=True, slots=True)
class _Subscription:
    arn: str
    name: str
    destination: str
    pattern: Pattern
    has_fields: bool


class LogSubscriptions:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        logs: LogStore,
        metrics: MetricStore,
        read_pattern: Callable[[str], Pattern],
        receiver: Receiver,
    ) -> None:
        self._database, self._clock, self._logs, self._metrics = database, clock, logs, metrics
        self._read_pattern, self._receiver = read_pattern, receiver
        self._held: Mapping[Group, Sequence[_Subscription]] | None = None
        self._grown: set[tuple[Group, int]] = set()
        self._later: dict[tuple[Group, int], float] = {}
        """Streams that could not be handed on, by Cloche's time of the next attempt."""
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._stopping = threading.Event()
        self._working = False
        self._thread: threading.Thread | None = None

    # -- what others tell --------------------------------------------------------------------------------

    def changed(self) -> None:
        """Filters were put or removed, and the change is on the disk."""
        self._held = None
        if self._thread is None and self._subscriptions():
            self.start()

    def grown(self, account: str, region: str, group: str, stream_id: int) -> None:
        """The stream has new events, on the disk. Microseconds where nobody subscribed."""
        key = (account, region, group)
        if key not in self._subscriptions():
            return
        with self._lock:
            self._grown.add((key, stream_id))
        self._some.set()

    def begin(self, tx: sqlite3.Connection, account: str, arn: str, ends: Mapping[int, int]) -> None:
        """A subscription is about what comes from now on: ``ends`` of the group's streams."""
        self.forget(tx, arn)
        tx.executemany(
            "INSERT INTO log_subscription_places VALUES (?, ?, ?, ?)",
            [(arn, stream, account, ordinal) for stream, ordinal in ends.items()],
        )

    def forget(self, tx: sqlite3.Connection, arn: str) -> None:
        tx.execute("DELETE FROM log_subscription_places WHERE subscription = ?", (arn,))

    # -- the thread --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Look at all streams of subscribed groups, then follow. Nothing where there are none."""
        groups = self._subscriptions()
        if not groups or self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, args=(list(groups),), name="log-subscriptions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()

    def wake(self) -> None:
        self._some.set()

    def next_at(self) -> float | None:
        with self._lock:
            return min(self._later.values(), default=None)

    def busy(self) -> bool:
        return self._working or bool(self._grown)

    def _run(self, groups: list[Group]) -> None:
        for group in groups:
            try:
                streams = self._logs.following.ends(*group)
            except NotFound:
                continue
            with self._lock:
                self._grown |= {(group, stream) for stream in streams}
        while not self._stopping.is_set():
            try:
                self._hand_on()
            except Exception:
                log.exception("log events could not be handed on; they are tried again")
                self._stopping.wait(1.0)
            if not self._grown:
                self._some.wait(self._pause())
            self._some.clear()
            self._stopping.wait(GATHER_SECONDS)

    def _pause(self) -> float:
        at = self.next_at()
        return 30.0 if at is None else min(max(at - self._clock.time(), 0.01), 30.0)

    def _hand_on(self) -> None:
        now = self._clock.time()
        with self._lock:
            self._working = True
            due = {key for key, at in self._later.items() if at <= now}
            for key in due:
                del self._later[key]
            taken, self._grown = self._grown | due, set()
        try:
            while taken:
                group, stream = taken.pop()
                for subscription in self._subscriptions().get(group, ()):
                    if not self._follow(group, stream, subscription):
                        with self._lock:
                            self._later[group, stream] = now + RETRY_SECONDS
        except BaseException:
            with self._lock:
                self._grown |= {(group, stream), *taken}
            raise
        finally:
            self._working = False

    def _follow(self, group: Group, stream: int, subscription: _Subscription) -> bool:
        """Hand on all that the stream has; whether it was taken."""
        while not self._stopping.is_set():
            place = self._place(subscription.arn, stream)
            try:
                name, events, end = self._logs.following.since(stream, place, bytes_max=STEP_BYTES)
            except NotFound:  # the stream has been deleted
                return True
            if not events and end == place:
                return True
            found = [event for event in events if subscription.pattern.matches(event.message)]
            chunks = [_payload(group, stream, name, subscription, chunk) for chunk in _chunks(found)]
            if not self._move(group, stream, subscription, end, chunks, found):
                return False
        return True

    def _move(
        self,
        group: Group,
        stream: int,
        subscription: _Subscription,
        end: int,
        chunks: Sequence[bytes],
        found: Sequence[LogEvent],
    ) -> bool:
        account = group[0]

        def move(tx: sqlite3.Connection) -> None:
            for payload in chunks:
                self._receiver.deliver(tx, account, subscription.destination, payload)
            self._keep_place(tx, account, subscription.arn, stream, end)

        try:
            self._database.write(move)
        except ClocheError as error:
            self._count(group, subscription, {"DeliveryErrors": 1})
            newest = max(event.ingested_ms for event in found) / 1000
            if self._clock.time() - newest < KEPT_SECONDS:
                return False
            log.warning("log events for %s were given up after a day: %s", subscription.destination, error.message)
            self._database.write(lambda tx: self._keep_place(tx, account, subscription.arn, stream, end))
            return True
        if chunks:
            sent = {"ForwardedLogEvents": len(found), "ForwardedBytes": sum(map(len, chunks))}
            self._count(group, subscription, sent)
        return True

    # -- inside ------------------------------------------------------------------------------------------

    def _place(self, arn: str, stream: int) -> int:
        row = self._database.reader.execute(
            "SELECT ordinal FROM log_subscription_places WHERE subscription = ? AND stream_id = ?", (arn, stream)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def _keep_place(self, tx: sqlite3.Connection, account: str, arn: str, stream: int, end: int) -> None:
        tx.execute(
            "INSERT INTO log_subscription_places VALUES (?, ?, ?, ?)"
            " ON CONFLICT (subscription, stream_id) DO UPDATE SET ordinal = excluded.ordinal",
            (arn, stream, account, end),
        )

    def _subscriptions(self) -> Mapping[Group, Sequence[_Subscription]]:
        held = self._held
        if held is None:
            found: defaultdict[Group, list[_Subscription]] = defaultdict(list)
            for record in filters.every(self._database.reader, filters.SUBSCRIPTION):
                request = record.request
                text = request["filterPattern"].strip()
                made = _Subscription(
                    record.arn,
                    request["filterName"],
                    request["destinationArn"],
                    self._read_pattern(text),
                    text.startswith("["),
                )
                found[record.account, record.region, request["logGroupName"]].append(made)
            held = self._held = dict(found)
        return held

    def _count(self, group: Group, subscription: _Subscription, counts: Mapping[str, float]) -> None:
        """docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html"""
        account, region, name = group
        dimensions = (("DestinationType", "Lambda"), ("FilterName", subscription.name), ("LogGroupName", name))
        for metric, value in counts.items():
            unit = "Bytes" if metric == "ForwardedBytes" else "None" if metric == "ForwardedLogEvents" else "Count"
            self._metrics.record(account, region, NAMESPACE, metric, dimensions, value, unit)


def _chunks(events: Sequence[LogEvent]) -> Iterator[list[LogEvent]]:
    chunk: list[LogEvent] = []
    room = CHUNK_BYTES
    for event in events:
        size = len(event.message.encode()) + 100
        if chunk and size > room:
            yield chunk
            chunk, room = [], CHUNK_BYTES
        chunk.append(event)
        room -= size
    if chunk:
        yield chunk


def _payload(group: Group, stream: int, name: str, subscription: _Subscription, events: Sequence[LogEvent]) -> bytes:
    """docs.aws.amazon.com/lambda/latest/dg/services-cloudwatchlogs.html shows it. Patterns that name fields tell them
    in ``extractedFields``, as the function that CloudWatch makes for OpenSearch reads them."""
    told: list[dict[str, Any]] = []
    for event in events:
        entry: dict[str, Any] = {
            "id": event_id(stream, event.ordinal),
            "timestamp": event.timestamp_ms,
            "message": event.message,
        }
        if subscription.has_fields:
            fields = subscription.pattern.extract(event.message)
            entry["extractedFields"] = {field.removeprefix("$"): text for field, text in fields.items()}
        told.append(entry)
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": group[0],
        "logGroup": group[2],
        "logStream": name,
        "subscriptionFilters": [subscription.name],
        "logEvents": told,
    }
    data = base64.b64encode(gzip.compress(orjson.dumps(document), compresslevel=6, mtime=0))
    return orjson.dumps({"awslogs": {"data": data.decode()}})
