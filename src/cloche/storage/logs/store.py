"""``LogStore``: what engines append to and the Logs service reads from.

An append is on the disk when it returns. Events are given back in the order of their timestamps, and among
equals in the order they were taken in. Messages are text; what is longer than a log line may be
(``limits.LOG_LINE_BYTES_MAX``) is the caller's to cut. Whoever follows a stream by its places sees what comes after
them in time, so writers keep their timestamps from going backwards. Nothing here may be called from inside a
metadata transaction: appends write to the index by themselves.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from cloche.foundation.clock import Clock
from cloche.foundation.errors import AlreadyExists, NotFound
from cloche.storage.logs import index
from cloche.storage.logs.files import OpenStreams
from cloche.storage.logs.index import LogGroup, LogStream
from cloche.storage.logs.order import END, Boundary, backward, forward
from cloche.storage.logs.stream import LogEvent
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.keyset import Key, Walk, read_page

DAY_MS: Final = 24 * 3600 * 1000
# A page of events holds at most 10,000 events and 1 MB
# (docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html).
PAGE_EVENTS_MAX: Final = 10_000
PAGE_BYTES_MAX: Final = 1024 * 1024
EVENT_OVERHEAD_BYTES: Final = 26


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order of time, and the boundaries before the first and after the last of them."""

    events: list[LogEvent]
    first: Boundary
    last: Boundary


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Events of several streams, merged. ``next`` is where to go on (time, stream id, ordinal), if anywhere."""

    events: list[tuple[LogStream, LogEvent]]
    next: tuple[int, int, int] | None


class LogStore:
    """``root`` holds the files and is made if need be; ``index.MIGRATIONS`` must have been applied."""

    def __init__(self, root: Path, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._files = OpenStreams(root, database)
        self._ids: dict[tuple[str, str, str, str], int] = {}
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._files.recover()

    # -- writing -----------------------------------------------------------------------------------------

    def append(self, account: str, region: str, group: str, stream: str, events: Iterable[tuple[int, str]]) -> None:
        """Add ``(timestamp_ms, message)`` pairs, durably, making group and stream where they are not there."""
        batch = list(events)
        number = self._ids.get((account, region, group, stream))
        if number is None:
            number = self._stream_to_write(account, region, group, stream)
        if not batch:
            return
        with self._files.use(number) as files:
            self._files.writing(number)
            files.append(batch, self._now_ms())

    def create_group(self, account: str, region: str, group: str) -> None:
        """Raises ``AlreadyExists``."""
        try:
            self._database.write(lambda tx: index.insert_group(tx, account, region, group, self._now_ms()))
        except sqlite3.IntegrityError:
            raise AlreadyExists("The specified log group already exists") from None

    def create_stream(self, account: str, region: str, group: str, stream: str) -> None:
        """Raises ``NotFound`` for the group, ``AlreadyExists`` for the stream."""

        def change(tx: sqlite3.Connection) -> None:
            found = _group(tx, account, region, group)
            index.insert_stream(tx, found.id, stream, self._now_ms())

        try:
            self._database.write(change)
        except sqlite3.IntegrityError:
            raise AlreadyExists("The specified log stream already exists") from None

    def delete_group(self, account: str, region: str, group: str) -> None:
        """With its streams. Raises ``NotFound``."""

        def change(tx: sqlite3.Connection) -> list[int]:
            found = _group(tx, account, region, group)
            rows = tx.execute("SELECT id FROM log_streams WHERE group_id = ?", (found.id,)).fetchall()
            tx.execute("DELETE FROM log_streams WHERE group_id = ?", (found.id,))
            tx.execute("DELETE FROM log_groups WHERE id = ?", (found.id,))
            return [row["id"] for row in rows]

        self._remove(self._database.write(change))

    def delete_stream(self, account: str, region: str, group: str, stream: str) -> None:
        """Raises ``NotFound``."""

        def change(tx: sqlite3.Connection) -> list[int]:
            found = _stream(tx, _group(tx, account, region, group), stream)
            tx.execute("DELETE FROM log_streams WHERE id = ?", (found.id,))
            return [found.id]

        self._remove(self._database.write(change))

    def set_retention(self, account: str, region: str, group: str, days: int | None) -> None:
        """Keep events that long (``None``: for ever). Older ones are hidden at once, removed by ``expire``."""

        def change(tx: sqlite3.Connection) -> None:
            found = _group(tx, account, region, group)
            tx.execute("UPDATE log_groups SET retention_days = ? WHERE id = ?", (days, found.id))

        self._database.write(change)

    def expire(self) -> int:
        """Remove files that hold only events beyond their group's retention; answers how many. Runs in the
        background, at leisure: what it has not removed yet is not shown."""
        rows = self._database.reader.execute(
            "SELECT s.id, g.retention_days FROM log_streams s JOIN log_groups g ON g.id = s.group_id"
            " WHERE g.retention_days IS NOT NULL AND s.first_ms < ? - g.retention_days * ?",
            (self._now_ms(), DAY_MS),
        ).fetchall()
        removed = 0
        for row in rows:
            with self._files.use(row["id"]) as files:
                removed += files.expire(self._now_ms() - row["retention_days"] * DAY_MS)
        return removed

    def close(self) -> None:
        self._files.close()

    # -- reading -----------------------------------------------------------------------------------------

    def group(self, account: str, region: str, group: str) -> LogGroup:
        """Raises ``NotFound``."""
        return _group(self._database.reader, account, region, group)

    def stream(self, account: str, region: str, group: str, stream: str) -> LogStream:
        """Raises ``NotFound`` for either."""
        return _stream(self._database.reader, self.group(account, region, group), stream)

    def groups(
        self, account: str, region: str, *, prefix: str = "", contains: str = "", after: Key | None = None, limit: int
    ) -> tuple[list[LogGroup], Key | None]:
        """Groups by name, and the key to go on after."""
        walk = Walk(
            "log_groups",
            ("name",),
            conditions=("account = ?", "region = ?", *_name_conditions(prefix, contains)[0]),
            arguments=(account, region, *_name_conditions(prefix, contains)[1]),
        )
        page = read_page(self._database.reader, walk, after=after, size=limit)
        return [index.group_from_row(row) for row in page.rows], page.last

    def streams(
        self,
        account: str,
        region: str,
        group: str,
        *,
        prefix: str = "",
        by_time: bool = False,
        descending: bool = False,
        after: Key | None = None,
        limit: int,
    ) -> tuple[list[LogStream], Key | None]:
        """Streams by name, or by the time of their last event. Raises ``NotFound`` for the group."""
        found = self.group(account, region, group)
        self._files.write_times()
        conditions, arguments = _name_conditions(prefix, "")
        walk = Walk(
            "log_streams",
            ("last_ms", "name") if by_time else ("name",),
            descending=descending,
            conditions=("group_id = ?", *conditions),
            arguments=(found.id, *arguments),
        )
        page = read_page(self._database.reader, walk, after=after, size=limit)
        return [index.stream_from_row(row) for row in page.rows], page.last

    def read(
        self,
        account: str,
        region: str,
        group: str,
        stream: str,
        *,
        start_ms: int = 0,
        end_ms: int | None = None,
        at: Boundary | None = None,
        from_head: bool = False,
        limit: int = PAGE_EVENTS_MAX,
    ) -> EventPage:
        """A page of one stream's events from ``start_ms`` up to, not including, ``end_ms``: the earliest beyond
        the boundary ``at`` when ``from_head``, else the latest before it. Raises ``NotFound``."""
        found = self.group(account, region, group)
        number = _stream(self._database.reader, found, stream).id
        start = (max(start_ms, self._horizon_ms(found)), 0)
        end = END if end_ms is None else (end_ms, 0)
        with self._files.use(number) as files:
            if from_head:
                beginning = max(start, at or start)
                walk = takewhile(lambda event: _key(event) < end, forward(files, beginning))
                events = _fill(walk, limit)
            else:
                walk = takewhile(lambda event: _key(event) >= start, backward(files, min(end, at or end)))
                events = _fill(walk, limit)[::-1]
        if not events:
            rest = at or start
            return EventPage([], rest, rest)
        last = events[-1]
        return EventPage(events, _key(events[0]), (last.timestamp_ms, last.ordinal + 1))

    def find(
        self,
        account: str,
        region: str,
        group: str,
        *,
        streams: Sequence[str] | None = None,
        prefix: str = "",
        matches: Callable[[str], bool],
        start_ms: int = 0,
        end_ms: int | None = None,
        at: tuple[int, int, int] | None = None,
        limit: int = PAGE_EVENTS_MAX,
    ) -> FoundPage:
        """Matching events of many streams in the order of time. Raises ``NotFound`` for the group or a stream
        that is named."""
        found = self.group(account, region, group)
        self._files.write_times()
        start_ms = max(start_ms, self._horizon_ms(found))
        chosen = self._chosen(found, streams, prefix, max(start_ms, at[0] if at else 0), end_ms)
        walks = [self._walk(stream, start_ms, end_ms, at) for stream in chosen]
        events: list[tuple[LogStream, LogEvent]] = []
        room = PAGE_BYTES_MAX
        for key, stream, event in heapq.merge(*walks, key=lambda item: item[0]):
            if not matches(event.message):
                continue
            room -= len(event.message.encode()) + EVENT_OVERHEAD_BYTES
            if events and (room < 0 or len(events) >= limit):
                return FoundPage(events, key)
            events.append((stream, event))
        return FoundPage(events, None)

    # -- inside ------------------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1000)

    def _horizon_ms(self, group: LogGroup) -> int:
        return 0 if group.retention_days is None else self._now_ms() - group.retention_days * DAY_MS

    def _stream_to_write(self, account: str, region: str, group: str, stream: str) -> int:
        def change(tx: sqlite3.Connection) -> int:
            now = self._now_ms()
            found = index.find_group(tx, account, region, group)
            if found is None:
                index.insert_group(tx, account, region, group, now)
                found = _group(tx, account, region, group)
            held = index.find_stream(tx, found.id, stream)
            if held is None:
                index.insert_stream(tx, found.id, stream, now)
                held = _stream(tx, found, stream)
            return held.id

        number = self._database.write(change)
        if len(self._ids) > 10_000:
            self._ids.clear()
        self._ids[account, region, group, stream] = number
        return number

    def _remove(self, numbers: list[int]) -> None:
        gone = set(numbers)
        for key in [key for key, number in self._ids.items() if number in gone]:
            self._ids.pop(key, None)
        self._files.remove(numbers)

    def _chosen(
        self, group: LogGroup, names: Sequence[str] | None, prefix: str, start_ms: int, end_ms: int | None
    ) -> list[LogStream]:
        reader = self._database.reader
        if names is not None:
            return [_stream(reader, group, name) for name in dict.fromkeys(names)]
        conditions, arguments = _name_conditions(prefix, "")
        walk = Walk(
            "log_streams",
            ("id",),
            conditions=("group_id = ?", "last_ms >= ?", "first_ms < ?", *conditions),
            arguments=(group.id, start_ms, 2**62 if end_ms is None else end_ms, *arguments),
        )
        rows = read_page(reader, walk, after=None, size=1_000_000).rows
        return [index.stream_from_row(row) for row in rows]

    def _walk(
        self, stream: LogStream, start_ms: int, end_ms: int | None, at: tuple[int, int, int] | None
    ) -> Iterator[tuple[tuple[int, int, int], LogStream, LogEvent]]:
        start = (start_ms, 0)
        if at is not None:
            time_ms, number, ordinal = at
            beyond = (time_ms, ordinal if stream.id == number else 0) if stream.id >= number else (time_ms + 1, 0)
            start = max(start, beyond)
        with self._files.use(stream.id) as files:
            for event in forward(files, start):
                if end_ms is not None and event.timestamp_ms >= end_ms:
                    return
                yield (event.timestamp_ms, stream.id, event.ordinal), stream, event


def _key(event: LogEvent) -> Boundary:
    return event.timestamp_ms, event.ordinal


def _fill(events: Iterator[LogEvent], limit: int) -> list[LogEvent]:
    """As many as fit a page; at least one, if there is one."""
    taken: list[LogEvent] = []
    room = PAGE_BYTES_MAX
    for event in events:
        room -= len(event.message.encode()) + EVENT_OVERHEAD_BYTES
        if taken and room < 0:
            break
        taken.append(event)
        if len(taken) >= limit:
            break
    return taken


def _group(connection: sqlite3.Connection, account: str, region: str, name: str) -> LogGroup:
    found = index.find_group(connection, account, region, name)
    if found is None:
        # botocore's own documentation of ResourceNotFoundException; recorded in boto/boto3 threads word for word
        raise NotFound("The specified log group does not exist.")
    return found


def _stream(connection: sqlite3.Connection, group: LogGroup, name: str) -> LogStream:
    found = index.find_stream(connection, group.id, name)
    if found is None:
        raise NotFound("The specified log stream does not exist.")
    return found


def _name_conditions(prefix: str, contains: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    conditions: list[str] = []
    arguments: list[Any] = []
    if prefix:
        # A range, so that the index serves it: up to the first name that cannot begin so.
        conditions.append("name >= ? AND name < ?")
        arguments.extend((prefix, prefix + "\U0010ffff"))
    if contains:
        conditions.append("instr(name, ?) > 0")
        arguments.append(contains)
    return tuple(conditions), tuple(arguments)
